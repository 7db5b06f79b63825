"""From scores to probabilities: how likely each candidate is a right answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.ranking.features import has_history
from nextcall.ranking.rows import QueryRows

_EPSILON: Final = 1e-6
_RIDGE: Final = 1e-3  # keeps the fit finite where a few queries are separable
_N_INPUTS: Final = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model of "this candidate is a right answer", over its place among the others.

    Its inputs are, for each candidate, the log-odds of its share in a softmax of the scores, its
    distance to the best other one, the score itself, and whether calls came before. Platt's
    scaling is the case with the first alone.

    References
    ----------
    Platt (1999), Advances in Large Margin Classifiers; Kull, Silva Filho & Flach (2017), AISTATS.
    """

    weights: tuple[float, ...]
    """One for each input and a constant, in the order of `_inputs`."""

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.float64],
        relevant: NDArray[np.bool_],
        has_history: NDArray[np.bool_],
    ) -> Self:
        """Fit on queries that the trees were not grown on.

        The best candidate of each query weighs as much as all its others together, for its
        probability is the one that is acted on.

        Parameters
        ----------
        scores : array of shape (n_queries, n_candidates)
            Best first; ``-inf`` where a query has fewer candidates.
        relevant : array of shape (n_queries, n_candidates)
        has_history : array of shape (n_queries,)

        Raises
        ------
        ValueError
            Where there is no query.
        """
        from scipy.optimize import minimize  # noqa: PLC0415  # half a second, and only to fit
        from scipy.special import expit  # noqa: PLC0415

        if len(scores) == 0:
            raise ValueError("scores must hold at least one query, got none.")
        depth = min(scores.shape[1], 10)
        inputs = np.stack([_inputs(s, h)[:depth] for s, h in zip(scores, has_history, strict=True)])
        known = np.isfinite(scores[:, :depth])
        weight = np.where(np.arange(depth) == 0, 1.0, 1.0 / max(depth - 1, 1)) * known
        x = np.nan_to_num(inputs.reshape(-1, _N_INPUTS), neginf=0.0)
        y = relevant[:, :depth].reshape(-1).astype(np.float64)
        w = weight.reshape(-1) / weight.sum()

        def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            margin = x @ beta
            value = float(w @ (np.logaddexp(0.0, margin) - y * margin)) + _RIDGE * float(
                beta @ beta
            )
            return value, x.T @ (w * (expit(margin) - y)) + 2 * _RIDGE * beta

        found = minimize(loss, np.zeros(_N_INPUTS), jac=True, method="L-BFGS-B")
        return cls(tuple(float(value) for value in found.x))

    def confidence(self, scores: NDArray[np.float64], *, has_history: bool) -> NDArray[np.float64]:
        """Give the probability of each candidate of one query; never rising down the ranking.

        Parameters
        ----------
        scores : array of shape (n_candidates,)
            Best first.

        Returns
        -------
        array of shape (n_candidates,)
        """
        return _probabilities(scores, self.weights, has_history)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {"weights": list(self.weights)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Where the values are not of that form.
        """
        weights = values.get("weights")
        if (
            not isinstance(weights, list)
            or len(weights) != _N_INPUTS
            or not all(isinstance(weight, int | float) and isfinite(weight) for weight in weights)
        ):
            raise ValueError(f"calibration must hold {_N_INPUTS} weights, got {weights!r}.")
        return cls(tuple(float(weight) for weight in weights))


def calibrate(rows: QueryRows, scored: Sequence[NDArray[np.float64]]) -> Calibration:
    """Fit on the scores of candidates, each query's by what has not learned from it.

    Parameters
    ----------
    scored : sequence of arrays of shape (n_candidates,)
        Scores of the candidates of each query of `rows`, in their order.

    Raises
    ------
    ValueError
        Where there is no query.
    """
    width = max((len(values) for values in scored), default=0)
    scores = np.full((len(rows), width), -np.inf)
    relevant = np.zeros((len(rows), width), dtype=np.bool_)
    for i, values in enumerate(scored):
        order = np.argsort(-values, kind="stable")
        scores[i, : len(values)] = values[order]
        relevant[i, : len(values)] = rows.relevance[i][order] > 0
    before = np.array([has_history(features) for features in rows.features])
    return Calibration.fit(scores, relevant, before)


@compiled()
def _inputs(scores: NDArray[np.float64], has_history: bool) -> NDArray[np.float64]:  # noqa: FBT001  # a column
    """Columns: log-odds of the softmax share, gap to the best other, score, history, constant."""
    best, total = scores[0], 0.0
    for score in scores:
        total += np.exp(score - best)
    inputs = np.empty((len(scores), _N_INPUTS))
    for place in range(len(scores)):
        share = np.exp(scores[place] - best - np.log(total))
        share = min(max(share, _EPSILON), 1 - _EPSILON)
        inputs[place, 0] = np.log(share) - np.log1p(-share)
        inputs[place, 1] = scores[place] - best
        inputs[place, 2] = scores[place]
        inputs[place, 3] = has_history
        inputs[place, 4] = 1.0
    inputs[0, 1] = best - scores[1] if len(scores) > 1 and np.isfinite(scores[1]) else 0.0
    return inputs


@compiled()
def _probabilities(
    scores: NDArray[np.float64],
    weights: tuple[float, ...],
    has_history: bool,  # noqa: FBT001  # an input
) -> NDArray[np.float64]:
    """Probabilities by the logistic model, none above the one before it."""
    inputs = _inputs(scores, has_history)
    probabilities = np.empty(len(scores))
    least = 1.0
    for place in range(len(scores)):
        margin = 0.0
        for column in range(len(weights)):
            margin += inputs[place, column] * weights[column]
        least = min(least, 1.0 / (1.0 + np.exp(-margin)))
        probabilities[place] = least
    return probabilities
