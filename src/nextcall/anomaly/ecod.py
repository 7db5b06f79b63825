"""Rows that are rare in one or more of their columns, by empirical tail probabilities."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class Ecod(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Sums over the columns how rare a row's number is: -log of the smaller tail's share.

    The tails of a column are the shares of the training rows that are at most, and at least, as
    large; beyond all of them a tail is one in the training rows and one. There is nothing to tune,
    and columns are looked at apart: a pair that is odd together only is not seen.

    Parameters
    ----------
    rate : float
        Share of the training rows that `predict` calls odd, in (0, 0.5].

    Attributes
    ----------
    offset_ : float
        Score below which a row is odd.
    sorted_ : numpy.ndarray of shape (n_rows, n_columns)
        The training rows, each column in order.

    References
    ----------
    Li, Zhao, Hu, Botta, Ionescu & Chen (2022), TKDE: ECOD; the sum of the larger of both tails, as
    PyOD computes it.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 3))
    >>> detector = Ecod(rate=0.01).fit(rows)
    >>> detector.predict([[0.0, 0.0, 0.0], [1.5, 9.0, 0.2]]).tolist()
    [1, -1]
    >>> detector.contributions([[1.5, 9.0, 0.2]]).round(1).tolist()
    [[3.2, 6.2, 0.9]]
    """

    def __init__(self, *, rate: float = 0.01) -> None:
        self.rate = rate

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002, N803  # scikit-learn's
        """Learn the columns' distributions.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            Finite numbers.
        y : object
            Not looked at.
        """
        if not 0.0 < self.rate <= 0.5:
            raise ValueError(f"rate must be above 0 and at most 0.5, got {self.rate}.")
        rows = validate_data(self, X, dtype=np.float64)
        self.sorted_ = np.sort(rows, axis=0)
        self.offset_ = float(np.quantile(-self._rarities(rows).sum(axis=1), self.rate))
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803  # scikit-learn's
        """Score rows; the lower the odder, at most 0."""
        scores: NDArray[np.float64] = -self.contributions(X).sum(axis=1)
        return scores

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803  # as above
        """Score rows; below 0 is odd."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:  # noqa: N803  # as above
        """Say -1 of odd rows and 1 of all others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def contributions(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803  # as above
        """Tell what each number adds to how odd its row is, in nats; shape (n_rows, n_columns)."""
        check_is_fitted(self)
        return self._rarities(validate_data(self, X, dtype=np.float64, reset=False))

    def _rarities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        n_rows = len(self.sorted_)
        rarities = np.empty_like(rows)
        for place, (column, known) in enumerate(zip(rows.T, self.sorted_.T, strict=True)):
            at_most = np.searchsorted(known, column, side="right")
            at_least = n_rows - np.searchsorted(known, column, side="left")
            tail = np.maximum(np.minimum(at_most, at_least) / n_rows, 1 / (n_rows + 1))
            rarities[:, place] = -np.log(tail)
        return rarities
