"""The score of an adapted ranker: its trees, the base and the retrievers, each as it has proved."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.adapted_features import ADAPTED_NAMES
from nextcall.ranking.boosting import BoostingSettings, Trees, train_trees
from nextcall.ranking.calibration import Calibration, calibrate
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.listwise import fit_listwise
from nextcall.ranking.rows import QueryRows

WEIGHED: Final = (
    "base_score",
    "dense_similarity_gap",
    "prompt_similarity_gap",
    "label_similarity_gap",
    "bm25_text_share",
    "bm25_name_share",
    "bm25_full_share",
)
"""The base's score, and what each of the six retrievers says of a candidate beside the others."""

_HARD: Final = 45
_RANDOM: Final = 15
ADAPTED_COLUMNS: Final = (*FEATURE_NAMES, *ADAPTED_NAMES)
"""Names of all features that the trees of an adapted ranker look at."""

_COLUMNS: Final = [ADAPTED_COLUMNS.index(name) for name in WEIGHED]
_RIDGE: Final = 1.0  # what the base says counts as much as one prompt does
_DOUBT: Final = 3.0  # of the trees, until they have proved themselves: a few prompts' worth
_MANY: Final = 500  # queries, from which on half of them tell enough of the other half
_PARTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedScore:
    """The weighted sum of trees, the base's score and the retrievers'."""

    trees: Trees
    """Grown on the base's features and those of `ADAPTED_FEATURES`."""
    tree_weight: float
    """At least 0; 0 where the trees are no use yet."""
    weights: NDArray[np.float64]
    """Of the columns in `WEIGHED`, shape (7,)."""

    @classmethod
    def fit(
        cls,
        rows: QueryRows,
        parts: NDArray[np.int64],
        *,
        settings: BoostingSettings,
        rng: np.random.Generator,
    ) -> tuple[Self, Calibration]:
        """Grow trees, weigh them, and calibrate the sum; weights and calibration are held out.

        Parameters
        ----------
        parts : array of shape (n_queries,)
            Queries of one session share a part; those of a part are scored by what the other parts
            teach, and these scores decide on the weights and the calibration.

        Raises
        ------
        ValueError
            Where no query has a right answer among its candidates.
        """
        trees = _grow(rows, settings, rng)
        told: dict[int, NDArray[np.float64]] = {}
        parts = parts % (_PARTS if len(rows) <= _MANY else 2)
        for part in np.unique(parts):
            others = rows.select(np.flatnonzero(parts != part))
            if not any(relevance.any() for relevance in others.relevance):
                continue
            without, weights = _grow(others, settings, rng), _weigh(others)
            for i in np.flatnonzero(parts == part).tolist():
                x = rows.features[i]
                told[i] = np.stack([x[:, _COLUMNS] @ weights, without.predict(x)], axis=1)
        held_out = rows.select(list(told))
        # Beside the base alone the trees weigh nothing until sessions say so.
        base, tree = fit_listwise(
            list(told.values()), held_out.relevance, start=(1.0, 0.0), strength=_DOUBT, lowest=0.0
        )
        score = cls(trees=trees, tree_weight=float(tree), weights=base * _weigh(rows))
        scores = [both @ (base, tree) for both in told.values()]
        return score, calibrate(held_out, scores)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score candidates; shape (n_candidates,), higher is better."""
        plain: NDArray[np.float64] = features[:, _COLUMNS] @ self.weights
        return plain + self.tree_weight * self.trees.predict(features)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Split each score into what every feature adds, and a constant at the end.

        Returns
        -------
        array of shape (n_rows, n_features + 1)
            Rows sum to `predict`.
        """
        added = self.tree_weight * self.trees.contributions(features)
        added[:, _COLUMNS] += features[:, _COLUMNS] * self.weights
        return added


def _weigh(rows: QueryRows) -> NDArray[np.float64]:
    """Weigh the columns of `WEIGHED` without any trees."""
    inputs = [features[:, _COLUMNS].astype(np.float64) for features in rows.features]
    scale = np.sqrt(np.mean([one.var(axis=0) for one in inputs], axis=0))
    scale[0] = 1.0  # a score stays what it is
    scale[scale == 0] = 1.0
    start = np.zeros(len(WEIGHED))
    start[0] = 1.0
    scaled = [one / scale for one in inputs]
    weights = fit_listwise(scaled, rows.relevance, start=start, strength=_RIDGE)
    unscaled: NDArray[np.float64] = weights / scale
    return unscaled


def _grow(rows: QueryRows, settings: BoostingSettings, rng: np.random.Generator) -> Trees:
    sampled = rows.sample(hard=_HARD, random=_RANDOM, rng=rng)
    return train_trees(sampled, settings=settings, rng=rng, feature_names=ADAPTED_COLUMNS)
