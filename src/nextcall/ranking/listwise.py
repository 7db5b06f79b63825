"""Weights of a few scores, by the likelihood of the right answers among the candidates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def fit_listwise(
    inputs: Sequence[NDArray[np.float64]],
    relevance: Sequence[NDArray[np.int8]],
    *,
    start: ArrayLike,
    strength: float,
    lowest: float = -np.inf,
) -> NDArray[np.float64]:
    """Weigh inputs so that a softmax over each query's candidates finds its right answers.

    Parameters
    ----------
    inputs : sequence of arrays of shape (n_candidates, n_inputs)
        One array a query.
    relevance : sequence of arrays of shape (n_candidates,)
        1 for a right answer; a query without one teaches nothing.
    start : array-like of shape (n_inputs,)
        Weights before anything was seen, to which a ridge draws.
    strength : float
        Of the ridge, positive: half of it times the squared distance stands against the sum of the
        queries' log-likelihoods.
    lowest : float
        No weight is below it.

    Returns
    -------
    array of shape (n_inputs,)
        `start` where no query has a right answer.

    Raises
    ------
    ValueError
        Where `strength` is not positive.

    References
    ----------
    Cao et al. (2007), ICML: ListNet's loss for the first place.

    Examples
    --------
    >>> told = np.array([[1.0, 0.0], [0.0, 1.0]])  # the first input tells, the second misleads
    >>> right = np.array([1, 0], dtype=np.int8)
    >>> fit_listwise([told] * 9, [right] * 9, start=[0.5, 0.5], strength=1.0).round(1)
    array([ 1.5, -0.5])
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # half a second, and only to fit

    if not strength > 0:
        raise ValueError(f"strength must be positive, got {strength}.")
    first = np.asarray(start, dtype=np.float64)
    taught = [(x, y) for x, y in zip(inputs, relevance, strict=True) if y.any()]
    if not taught:
        return first
    x = np.concatenate([one - one.mean(axis=0) for one, _ in taught])
    share = np.concatenate([y / y.sum() for _, y in taught])
    sizes = np.array([len(y) for _, y in taught])
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    query = np.repeat(np.arange(len(sizes)), sizes)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = x @ weights
        scores -= np.maximum.reduceat(scores, begins)[query]
        odds = np.exp(scores)
        total = np.add.reduceat(odds, begins)
        away = weights - first
        value = np.log(total).sum() - share @ scores + strength / 2 * away @ away
        slope = x.T @ (odds / total[query] - share) + strength * away
        return float(value) / len(sizes), slope / len(sizes)

    bounds = [(lowest, None)] * len(first)
    found = minimize(loss, np.maximum(first, lowest), jac=True, method="L-BFGS-B", bounds=bounds)
    weights: NDArray[np.float64] = found.x
    return weights
