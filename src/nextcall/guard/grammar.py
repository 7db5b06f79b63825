"""Texts by the thousand from templates: what the detector learns from beside others' texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

_FOLDER: Final = Path(__file__).parent / "data" / "training"
_SLOT: Final = re.compile(r"\{([a-z][a-z0-9]*)\}")
_SLOT_LINE: Final = re.compile(r"([a-z][a-z0-9]*) = (.*)")
_WEIGHED_LINE: Final = re.compile(r"@(\d) (.*)")
_LABELLED_LINE: Final = re.compile(r"([a-z_]+): (.*)")
_DEEPEST: Final = 12  # slots within slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Templates with slots.

    Attributes
    ----------
    slots : mapping of str to sequence of str
        What may stand in a slot; may hold slots.
    templates : sequence of (str, str)
        A label, and a template of it.
    weights : sequence of float
        How often each template is taken; they sum to one.
    """

    slots: Mapping[str, Sequence[str]]
    templates: Sequence[tuple[str, str]]
    weights: Sequence[float]

    def text(self, rng: np.random.Generator) -> tuple[str, str]:
        """Draw a label and a text."""
        label, template = self.templates[int(rng.choice(len(self.templates), p=self.weights))]
        return label, self.fill(template, rng)

    def fill(self, template: str, rng: np.random.Generator) -> str:
        """Fill a template's slots, those of what is filled in as well."""
        text = template
        for _ in range(_DEEPEST):
            filled = _SLOT.sub(lambda slot: self._value(slot, rng), text)
            if filled == text:
                break
            text = filled
        return text.replace("{{", "{").replace("}}", "}").replace("\\n", "\n").strip()

    def _value(self, slot: re.Match[str], rng: np.random.Generator) -> str:
        values = self.slots.get(slot[1])
        if values is None or slot.string[slot.start() - 1 : slot.start()] == "{":
            return slot[0]
        return values[int(rng.integers(len(values)))]


def grammar(name: str) -> Grammar:
    """Read templates that the package ships.

    Lines are ``slot = value | value``, ``@weight template`` or ``label: template``; those that
    begin with ``# `` say something to the reader.

    Parameters
    ----------
    name : str
        ``"injections"``, ``"payloads"`` or ``"benign"``; the label of templates that have none.

    Raises
    ------
    ValueError
        Where a line has none of these forms.

    Examples
    --------
    >>> grammar("benign").fill("Book for {persona}", np.random.default_rng(0))
    'Book for a detective'
    """
    slots: dict[str, list[str]] = {}
    templates: list[tuple[str, str]] = []
    weights: list[float] = []
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("# "):
            continue
        if found := _SLOT_LINE.fullmatch(line):
            slots[found[1]] = [value.strip() for value in found[2].split(" | ")]
        elif found := _WEIGHED_LINE.fullmatch(line):
            templates.append((name, found[2]))
            weights.append(float(found[1]))
        elif found := _LABELLED_LINE.fullmatch(line):
            templates.append((found[1], found[2]))
            weights.append(1.0)
        else:
            raise ValueError(f"{name}.txt:{number}: must be a slot or a template, got {line!r}.")
    total = sum(weights)
    return Grammar(slots=slots, templates=templates, weights=[weight / total for weight in weights])
