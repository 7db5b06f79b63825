"""Labelled texts that the detector learns from: others' and those of our own templates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nextcall.guard.grammar import Grammar, grammar
from nextcall.guard.signatures import FAMILIES

BENIGN: Final = "benign"
"""Label of a text that is no attack."""

_OWN: Final = "templates"
_MIXED: Final = "mixtures"
_FRAMES: Final = Path(__file__).parent / "data" / "training" / "frames.txt"
_PLACE: Final = "{x}"
_SHORTEST_PAYLOAD: Final = 4  # characters that say something inside a sentence
_LONGEST_HOST: Final = 300  # characters of a text that others are put into


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """A text, what it is, and who wrote it.

    Attributes
    ----------
    text : str
        As it came.
    label : str
        One of the families, or `BENIGN`.
    source : str
        Data set; texts of a source resemble each other more than those of others.
    """

    text: str
    label: str
    source: str

    @property
    def own(self) -> bool:
        """Whether our templates made it."""
        return self.source in {_OWN, _MIXED}


def read_labelled(path: Path) -> list[LabelledText]:
    """Read lines ``{"text", "label", "source"}``, those whose label is a family or `BENIGN`.

    A source ends at its first colon or bar: what follows is a part of the set.

    Raises
    ------
    ValueError
        Where a line is not of this form.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if not isinstance(row, dict) or not {"text", "label", "source"} <= row.keys():
            raise ValueError(f"{path}:{number}: text, label and source must be there.")
        if row["label"] in {*FAMILIES, BENIGN}:
            source = row["source"].replace("|", ":").partition(":")[0].strip()
            rows.append(LabelledText(text=row["text"], label=row["label"], source=source))
    return rows


def own_texts(
    rng: np.random.Generator, *, injections: int, payloads: int, benign: int
) -> list[LabelledText]:
    """Draw texts from the templates that the package ships, each once.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses templates and what fills them.
    injections, payloads, benign : int
        How many of each are drawn; fewer come where some are drawn twice.
    """
    texts: dict[str, str] = {}
    for name, label, number in (
        ("injections", "prompt_injection", injections),
        ("payloads", "", payloads),
        ("benign", BENIGN, benign),
    ):
        templates = grammar(name)
        for _ in range(number):
            own, text = templates.text(rng)
            texts.setdefault(text, label or own)
    return [LabelledText(text=text, label=label, source=_OWN) for text, label in texts.items()]


def mixed_texts(
    rows: Sequence[LabelledText],
    rng: np.random.Generator,
    *,
    payloads: int,
    values: int,
    injections: int,
    pairs: int,
) -> list[LabelledText]:
    """Put attacks into ordinary sentences, and harmless values where attacks would stand.

    Parameters
    ----------
    rows : sequence of LabelledText
        Whose texts are put together; at least one benign and one of each family.
    rng : numpy.random.Generator
        Chooses them.
    payloads : int
        Attacks of a family other than injections within sentences.
    values : int
        Harmless values within the same sentences.
    injections : int
        Injections before or after a harmless text.
    pairs : int
        Two harmless texts in a row.
    """
    maker = _Mixer(rows, rng)
    mixed = [
        *(maker.payload() for _ in range(payloads)),
        *((maker.sentence(maker.value()), BENIGN) for _ in range(values)),
        *(maker.injection() for _ in range(injections)),
        *((f"{maker.host()} {maker.host()}", BENIGN) for _ in range(pairs)),
    ]
    return [LabelledText(text=text, label=label, source=_MIXED) for text, label in mixed]


def is_mere_words(row: LabelledText) -> bool:
    """Tell whether a text is called a payload, but has letters and digits alone.

    Lists of payloads hold such (``id``, ``route``); within a sentence they are words among others.
    """
    payload = row.label not in {BENIGN, FAMILIES[0]}
    return payload and all(each.isalnum() or each.isspace() for each in row.text)


class _Mixer:
    """Draws texts of each kind."""

    def __init__(self, rows: Sequence[LabelledText], rng: np.random.Generator) -> None:
        self._rng = rng
        self._frames = [
            line for line in _FRAMES.read_text(encoding="utf-8").splitlines() if _PLACE in line
        ]
        self._grammar: Grammar = grammar("benign")
        self._hosts = [
            row.text for row in rows if row.label == BENIGN and len(row.text) < _LONGEST_HOST
        ]
        self._attacks = {
            family: [
                row.text
                for row in rows
                if row.label == family and len(row.text.strip()) >= _SHORTEST_PAYLOAD
            ]
            for family in FAMILIES
        }

    def sentence(self, value: str) -> str:
        return self._one_of(self._frames).replace(_PLACE, value)

    def host(self) -> str:
        return self._one_of(self._hosts)

    def value(self) -> str:
        if self._rng.random() < 0.6:
            return self._grammar.fill("{value}", self._rng)
        return self.host()[:60]

    def payload(self) -> tuple[str, str]:
        family = self._one_of(FAMILIES[1:])
        attack = self._one_of(self._attacks[family])
        if self._rng.random() < 0.5:
            return self.sentence(attack), family
        words = self.host().split()
        place = int(self._rng.integers(len(words) + 1))
        return " ".join([*words[:place], attack, *words[place:]]), family

    def injection(self) -> tuple[str, str]:
        attack, host = self._one_of(self._attacks[FAMILIES[0]]), self.host()
        text = f"{host} {attack}" if self._rng.random() < 0.7 else f"{attack} {host}"
        return text, FAMILIES[0]

    def _one_of(self, choices: Sequence[str]) -> str:
        return choices[int(self._rng.integers(len(choices)))]
