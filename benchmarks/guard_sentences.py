"""SQL and scripts found bare and inside a sentence, by models that saw neither source nor sentence.

    python benchmarks/guard_sentences.py

As the guard is validated: each fold of `nextcall.guard.fitting.FOLDS` leaves out sources, and their
payloads are judged by what was trained without them, at thresholds from harmless texts of sources
left out: the shipped ones, and those that 1 % of these texts reaches. Inside a sentence: a payload
takes the place of one word of a prompt of the shared ranking sets, which no training saw; the
prompts are judged as they are, too. Shares with Wilson's 95 % intervals. Needs the shared data.
Prints JSON, or writes it to ``--output``.
"""

import json
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.guard.evaluation import share_interval, threshold_at
from nextcall.guard.features import MOST_CHARACTERS, text_features
from nextcall.guard.fitting import (
    FOLDS,
    HeldOut,
    feature_rows,
    fit_weights,
    thresholds_of,
    training_rows,
)
from nextcall.guard.model import GuardModel
from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import BENIGN, LabelledText, read_labelled
from nextcall.locations import shared_dir

# Not those of BFCL, whose prompts are among the harmless texts of the guard's own data.
_SETS: Final = ("nestful_glaive_sgd", "restbench_tmdb", "sealtools_dev", "stabletoolbench_g12")
_ASKED: Final = ("sqli", "xss")
_LONGEST: Final = 300  # characters of a sentence


def main() -> None:
    """Train without each fold, judge it, and tell what was found."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the texts that templates make")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    rows = read_labelled(shared_dir() / "data" / "guard" / "guard_shared.jsonl")
    sentences = _sentences()
    bare, bare_scores, inside, inside_scores, host_scores = [], [], [], [], []
    for sources in FOLDS.values():
        left = [row for row in rows if row.source in sources]
        if not left:
            continue
        others = [row for row in rows if row.source not in sources]
        known = training_rows(others, rng, share=arguments.share)
        weights, intercepts = fit_weights(known, feature_rows([row.text for row in known]))
        ones = np.ones(len(FAMILIES))
        model = GuardModel(weights=weights, intercepts=intercepts, thresholds=0 * ones, slopes=ones)
        payloads = [row for row in left if row.label in _ASKED]
        order = rng.permutation(len(sentences))
        hosts = [sentences[place] for _, place in zip(payloads, cycle(order), strict=False)]
        within = [_put(row.text, host, rng) for row, host in zip(payloads, hosts, strict=True)]
        bare += left
        bare_scores.append(_scores(model, [row.text for row in left]))
        if payloads:
            inside += payloads
            inside_scores.append(_scores(model, within))
        host_scores.append(_scores(model, sentences))
    held = HeldOut(rows=bare, scores=np.concatenate(bare_scores))
    shipped = thresholds_of(held)
    inside_held = HeldOut(rows=inside, scores=np.concatenate(inside_scores))
    result = {
        "benchmark": "guard_sentences",
        "seed": arguments.seed,
        "sentences": len(sentences),
        "at 1 % of harmless texts": _told(
            held, inside_held, host_scores, shipped + _shift(held, shipped)
        ),
        "at the shipped thresholds": _told(held, inside_held, host_scores, shipped),
    }
    give(result, arguments.output)


def _shift(held: HeldOut, thresholds: NDArray[np.float64]) -> float:
    """Say by how much to move all thresholds so that 1 % of the harmless texts reaches one."""
    harmless = np.array([row.label == BENIGN for row in held.rows])
    return threshold_at((held.scores[harmless] - thresholds).max(axis=1), rate=0.01)


def _told(
    bare: HeldOut,
    inside: HeldOut,
    hosts: Sequence[NDArray[np.float64]],
    thresholds: NDArray[np.float64],
) -> dict[str, object]:
    found = _shares(bare.rows, bare.scores, thresholds)
    harmless = [LabelledText(text="", label=BENIGN, source="ranking sets")] * len(hosts[0])
    sets = [_shares(harmless, scores, thresholds) for scores in hosts]
    return {
        "bare": {name: found[name] for name in (*_ASKED, BENIGN)},
        "inside a sentence": _shares(inside.rows, inside.scores, thresholds),
        "sentences taken for attacks, by fold": [each[BENIGN] for each in sets],
    }


def _sentences() -> list[str]:
    """Prompts of people and agents, of several words."""
    prompts = set[str]()
    for name in _SETS:
        path = shared_dir() / "data" / "ranking" / name / "queries.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()
        prompts |= {str(json.loads(line)["prompt"]) for line in lines}
    return sorted(each for each in prompts if len(each) <= _LONGEST and len(each.split()) > 4)


def _put(payload: str, sentence: str, rng: np.random.Generator) -> str:
    words = sentence.split()
    words[int(rng.integers(1, len(words)))] = payload
    return " ".join(words)


def _scores(model: GuardModel, texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([model.scores(text_features(text[:MOST_CHARACTERS])) for text in texts])


def _shares(
    rows: Sequence[LabelledText], scores: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> dict[str, dict[str, object]]:
    """Share of each label's texts that any family takes for its own."""
    reached = np.any(scores >= thresholds, axis=1)
    found = {}
    for label in sorted({row.label for row in rows}):
        own = reached[np.array([row.label == label for row in rows])]
        low, high = share_interval(int(own.sum()), len(own))
        found[label] = {
            "texts": len(own),
            "share": round(float(own.mean()), 4),
            "interval": [round(low, 4), round(high, 4)],
        }
    return found


if __name__ == "__main__":
    main()
