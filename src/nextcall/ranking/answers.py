"""What a ranker says of one question: operations, best first, and how sure each is."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Operation
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.candidates import Search
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import has_history
from nextcall.ranking.index import CatalogIndex

_SIMILARITY: Final = FEATURE_NAMES.index("prompt_similarity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One answer of the ranker."""

    operation: Operation
    rank: int
    """From 1."""
    score: float
    """The trees' score: orders the candidates of one query, means nothing across queries."""
    confidence: float
    """Probability that this operation is a right answer, in [0, 1]."""
    similarity: float
    """Cosine of prompt and operation text, as a retriever sees it."""
    features: NDArray[np.float32] = field(repr=False)
    """In the order of the feature table, shape (n_features,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the ranker says of one question."""

    ranked: list[Ranked]
    """Best first."""
    none_probability: float | None
    """Probability that no operation of the catalogue answers the prompt; None where the ranker
    has not learned to abstain, or with vectors of another model."""
    searched: Search = field(repr=False, compare=False)
    """What the prompt alone found; see `PromptView`."""


def list_answers(
    index: CatalogIndex,
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    features: NDArray[np.float32],
    calibration: Calibration,
    k: int,
) -> list[Ranked]:
    """List the first `k` of the candidates that were scored, best first.

    Parameters
    ----------
    rows : array of shape (n_candidates,)
        Their places in the index.
    scores : array of shape (n_candidates,)
    features : array of shape (n_candidates, n_features)
        Those of the feature table, and behind them any others.
    calibration : Calibration
        Of the ranker that gave the scores.
    k : int
        Answers that come back; fewer where there are fewer candidates.
    """
    order = (-scores).argsort(kind="stable")  # ties stay in the order of the fusion
    ranked = scores.take(order)
    confidence = calibration.confidence(ranked, has_history=has_history(features))
    operations, first = index.catalog.operations, order[:k]
    told = zip(
        first.tolist(),
        rows.take(first).tolist(),
        ranked[:k].tolist(),
        confidence[:k].tolist(),
        strict=True,
    )
    return [
        Ranked(
            operation=operations[operation],
            rank=place,
            score=score,
            confidence=sure,
            similarity=float(features[row, _SIMILARITY]),
            features=features[row],
        )
        for place, (row, operation, score, sure) in enumerate(told, start=1)
    ]
