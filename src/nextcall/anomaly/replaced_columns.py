"""What each column of a row adds to its score under a detector that cannot say."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ScoresSamples(Protocol):
    """A fitted detector of scikit-learn's kind, such as its ``IsolationForest``."""

    def score_samples(self, X: NDArray[np.float64], /) -> NDArray[np.float64]:  # noqa: N803
        """Score rows; the lower the odder."""
        ...


def replaced_contributions(
    detector: ScoresSamples, rows: ArrayLike, *, usual: ArrayLike
) -> NDArray[np.float64]:
    """Tell by how much a row's score rises where one of its numbers is replaced by a usual one.

    Parameters
    ----------
    detector : ScoresSamples
        Fitted.
    rows : array-like of shape (n_rows, n_columns)
        Rows to explain.
    usual : array-like of shape (n_columns,)
        What stands in: the medians of the training rows.

    Returns
    -------
    numpy.ndarray of shape (n_rows, n_columns)
        In the unit of the score; above 0 where the number makes its row odder. Two numbers that
        are odd together only both count.

    Raises
    ------
    ValueError
        Where the shapes do not fit.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> rows = np.random.default_rng(0).normal(size=(300, 3))
    >>> forest = IsolationForest(random_state=0).fit(rows)
    >>> told = replaced_contributions(forest, [[0.0, 6.0, 0.0]], usual=np.median(rows, axis=0))
    >>> int(told[0].argmax())
    1
    """
    given = np.asarray(rows, dtype=np.float64)
    stands_in = np.asarray(usual, dtype=np.float64)
    if given.ndim != 2 or stands_in.shape != given.shape[1:]:
        raise ValueError(
            "rows must have two dimensions and usual a number for each column, "
            f"got shapes {given.shape} and {stands_in.shape}."
        )
    n_rows, n_columns = given.shape
    if not given.size:
        return np.zeros(given.shape)
    variants = np.repeat(given[np.newaxis], n_columns + 1, axis=0)
    for column in range(n_columns):
        variants[column, :, column] = stands_in[column]
    scores = detector.score_samples(variants.reshape(-1, n_columns)).reshape(-1, n_rows)
    gains: NDArray[np.float64] = (scores[:-1] - scores[-1]).T
    return gains
