"""P-values adjusted for how many questions were asked at once."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Adjustment = Literal["bonferroni", "holm", "holm-sidak", "hochberg", "hommel", "bh", "by"]
"""How p-values are adjusted."""


def adjusted_pvalues(pvalues: ArrayLike, *, method: Adjustment = "holm") -> Floats:
    """Adjust p-values, so that each may be compared with the level for all of them together.

    Parameters
    ----------
    pvalues : array-like of shape (n_questions,)
        In [0, 1], in any order.
    method : {"bonferroni", "holm", "holm-sidak", "hochberg", "hommel", "bh", "by"}
        The first five bound the chance of one or more false finds: ``"bonferroni"`` and ``"holm"``
        always, Holm's never finding less; ``"holm-sidak"`` where questions are independent or
        their two-sided tests are of jointly normal estimates; ``"hochberg"`` (Simes) and
        ``"hommel"``, which never finds less than it, where questions are independent or depend
        positively. The last two bound the expected share of false finds among all: ``"bh"`` under
        the same condition, ``"by"`` always.

    Returns
    -------
    array of shape (n_questions,)
        In [0, 1], in the order that was given; none is below its p-value.

    Raises
    ------
    ValueError
        Where a p-value is out of its range or ``nan``, or the method is none.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6(2); Hochberg (1988), Biometrika 75(4);
    Hommel (1988), Biometrika 75(2); Benjamini & Hochberg (1995), JRSS B 57(1); Benjamini &
    Yekutieli (2001), Annals of Statistics 29(4).

    Examples
    --------
    >>> adjusted_pvalues([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjusted_pvalues([0.01, 0.04, 0.03], method="bh").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {tuple(_METHODS)}, got {method!r}.")
    given = np.asarray(pvalues, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"pvalues must have one dimension, got {given.ndim}.")
    wrong = given[~((given >= 0) & (given <= 1))]
    if len(wrong):
        raise ValueError(f"pvalues must lie between 0 and 1, got {wrong[0]}.")
    if len(given) == 0:
        return given
    order = np.argsort(given, kind="stable")
    adjusted = np.empty_like(given)
    adjusted[order] = np.clip(_METHODS[method](given[order]), 0.0, 1.0)
    return adjusted


def _bonferroni(rising: Floats) -> Floats:
    return rising * len(rising)


def _holm(rising: Floats) -> Floats:
    return np.asarray(np.maximum.accumulate(rising * _left(rising)))


def _holm_sidak(rising: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # a p-value of 1
        return np.asarray(np.maximum.accumulate(-np.expm1(_left(rising) * np.log1p(-rising))))


def _hochberg(rising: Floats) -> Floats:
    return _least_above(rising * _left(rising))


def _hommel(rising: Floats) -> Floats:
    """Give for each the largest level at which no set that holds it is rejected by Simes."""
    n = len(rising)
    ranks = np.arange(1, n + 1)
    found = np.full(n, np.min(n * rising / ranks))
    at_least = found.copy()
    for size in range(n - 1, 1, -1):
        few = n - size + 1  # the smallest, which may be alone beside size - 1 of the largest
        rest = np.min(size * rising[few:] / np.arange(2, size + 1))
        at_least[:few] = np.minimum(size * rising[:few], rest)
        at_least[few:] = at_least[few - 1]
        found = np.maximum(found, at_least)
    return np.maximum(found, rising)


def _bh(rising: Floats) -> Floats:
    n = len(rising)
    return _least_above(rising * (n / np.arange(1, n + 1)))


def _by(rising: Floats) -> Floats:
    return _bh(rising) * float(np.sum(1 / np.arange(1, len(rising) + 1)))


def _left(rising: Floats) -> NDArray[np.int64]:
    """Give how many p-values are no smaller, each with its own."""
    return np.arange(len(rising), 0, -1)


def _least_above(values: Floats) -> Floats:
    """Give for each the least of itself and all after it."""
    return np.asarray(np.minimum.accumulate(values[::-1])[::-1])


_METHODS: Final[Mapping[Adjustment, Callable[[Floats], Floats]]] = MappingProxyType(
    {
        "bonferroni": _bonferroni,
        "holm": _holm,
        "holm-sidak": _holm_sidak,
        "hochberg": _hochberg,
        "hommel": _hommel,
        "bh": _bh,
        "by": _by,
    }
)
