"""Counts, means and centred products of columns: all that most analyses need of raw data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_SQUARE: Final = 1e-305
"""A sum of squares below which digits are lost, for floats lose theirs below 1e-308."""

_CUBED: Final = 1e200  # a sum of squares up to which that of cubes is a float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """How many rows there were, their means, and the sums of products of their deviations.

    Deviations are from the means, so that nothing is lost where values are large beside their
    spread, and two parts of the data merge into what all of it would have given.

    Parameters
    ----------
    n : int
        Rows, at least 0.
    mean : array of shape (n_columns,)
        Zeros where there are no rows.
    products : array of shape (n_columns, n_columns)
        Sums over rows of products of deviations; divided by n - 1 they are covariances.
    rest : array of shape (n_columns,) or float
        What the means are off by, being rounded: at 1e8 a float is known to 1e-8 only.
    cubes : float
        Sum over rows of the first column's deviations to the third; ``nan`` where it is not known.

    References
    ----------
    Chan, Golub & LeVeque (1983), The American Statistician 37(3): the merge; Pebay (2008), Sandia
    report 2008-6212: that of cubes.

    Examples
    --------
    >>> one, other = Moments.of([[1.0, 2.0], [3.0, 6.0]]), Moments.of([[5.0, 4.0]])
    >>> both = one + other
    >>> both.n, both.mean.tolist(), both.covariance().tolist()
    (3, [3.0, 4.0], [[4.0, 2.0], [2.0, 4.0]])
    """

    n: int
    mean: NDArray[np.float64]
    products: NDArray[np.float64]
    rest: NDArray[np.float64] | float = 0.0
    cubes: float = nan

    @classmethod
    def empty(cls, n_columns: int) -> Self:
        """Begin with no rows."""
        products = np.zeros((n_columns, n_columns))
        return cls(n=0, mean=np.zeros(n_columns), products=products, cubes=0.0)

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Reduce rows of finite values.

        Parameters
        ----------
        values : array-like of shape (n_rows, n_columns) or (n_rows,)

        Raises
        ------
        ValueError
            Where a value is not finite, or its square is not, values differ by so little that the
            squares are lost, or the shape is another.
        """
        rows = np.asarray(values, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2:
            raise ValueError(f"values must have one or two dimensions, got {rows.ndim}.")
        if not np.isfinite(rows).all():
            row, column = (int(each[0]) for each in np.nonzero(~np.isfinite(rows)))
            raise ValueError(
                f"values must be finite, got {rows[row, column]} in row {row}, column {column}."
            )
        if len(rows) == 0:
            return cls.empty(rows.shape[1])
        alike = (rows == rows[0]).all(axis=0)  # whose mean may round to another value
        mean = np.where(alike, rows[0], rows.mean(axis=0))
        off = rows - mean
        rest = off.mean(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            products = off.T @ off - len(rows) * np.outer(rest, rest)
            cubes = float(((off[:, 0] - rest[0]) ** 3).sum()) if rows.shape[1] else 0.0
        if not np.isfinite(products).all():
            raise ValueError(f"values must have finite squares, got {np.abs(rows).max():.4g}.")
        lost = ~alike & (np.diag(products) < LEAST_SQUARE)
        if lost.any():
            farthest = np.abs(off).max(axis=0)[lost][0]
            raise ValueError(
                f"values must differ by more than {farthest:.4g}, whose square is no float; "
                "scale them."
            )
        return cls(n=len(rows), mean=mean, products=products, rest=rest, cubes=cubes)

    def __add__(self, other: Self) -> Self:
        """Merge with the moments of other rows, of the same columns."""
        n = self.n + other.n
        if n == 0 or other.n == 0:
            return self
        if self.n == 0:
            return other
        step = other.off(self)
        mean = self.mean + (step * (other.n / n) + self.rest)
        return type(self)(
            n=n,
            mean=mean,
            rest=step * (other.n / n) + self.rest - (mean - self.mean),
            products=self.products
            + other.products
            + np.outer(step, step) * (self.n * (other.n / n)),
            cubes=self.cubes + other.cubes + self._between_cubes(other),
        )

    def off(self, other: Self) -> NDArray[np.float64]:
        """Give how far the means are from those of other rows, with all their digits.

        Returns
        -------
        array of shape (n_columns,)
        """
        return (self.mean - other.mean) + np.subtract(self.rest, other.rest)

    def columns(self, places: Sequence[int]) -> Self:
        """Keep some columns, in this order."""
        chosen = list(places)
        return type(self)(
            n=self.n,
            mean=self.mean[chosen],
            products=self.products[np.ix_(chosen, chosen)],
            rest=np.broadcast_to(self.rest, self.mean.shape)[chosen],
            cubes=self.cubes if chosen[:1] == [0] else nan,
        )

    def combined(self, weights: ArrayLike, *, shift: ArrayLike = 0.0) -> Self:
        """Give the moments of linear combinations of the columns.

        Parameters
        ----------
        weights : array-like of shape (n_combinations, n_columns)
        shift : array-like of shape (n_combinations,), optional
            Added to each combination.
        """
        matrix = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        return type(self)(
            n=self.n,
            mean=matrix @ (self.mean + self.rest) + np.asarray(shift, dtype=np.float64),
            products=matrix @ self.products @ matrix.T,
        )

    def covariance(self) -> NDArray[np.float64]:
        """Give the covariances, by n - 1; ``nan`` below two rows.

        Returns
        -------
        array of shape (n_columns, n_columns)
        """
        if self.n < 2:
            return np.full_like(self.products, np.nan)
        return self.products / (self.n - 1)

    @property
    def skewness(self) -> float:
        """That of the first column; ``nan`` where it is not known or cubes are no floats."""
        square = float(self.products[0, 0]) if self.n else 0.0
        known = 1 / _CUBED < square < _CUBED
        return self.cubes * sqrt(self.n) / square**1.5 if known else nan

    def _between_cubes(self, other: Self) -> float:
        """Give what the distance of both means adds to the cubes."""
        step, share = float(other.off(self)[0]), other.n / (self.n + other.n)
        squares = (1 - share) * float(other.products[0, 0]) - share * float(self.products[0, 0])
        return step**3 * self.n * share * (1 - 2 * share) + 3 * step * squares
