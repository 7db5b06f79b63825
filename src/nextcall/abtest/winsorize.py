"""Cutting extreme values at quantiles over all arms, block by block."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.grouped_moments import Column, Grouped, group_moments
from nextcall.abtest.moments import Moments

_BLOCK: Final = 1 << 18  # rows that are copied at once
_DIGIT: Final = 16  # bits that one pass over the rows settles
_SIGN: Final = np.uint64(1 << 63)


def cut_points(
    values: Column, limits: tuple[float, float], *, groups: NDArray[np.integer[Any]] | None = None
) -> tuple[float, float]:
    """Give the quantiles at which values are cut, by linear interpolation, over all arms together.

    Quantiles of each arm alone would cut a real effect away. They are exact, and found in four
    passes that count, without sorting or copying the column.

    Parameters
    ----------
    values : array of shape (n_rows,)
        ``nan`` is missing.
    limits : tuple of float
        Shares, rising within [0, 1].
    groups : array of shape (n_rows,), optional
        Below 0 a row is left out.

    Returns
    -------
    tuple of float
        ``nan`` where there are no values.

    Raises
    ------
    ValueError
        Where the limits do not rise within [0, 1].

    Examples
    --------
    >>> cut_points(np.array([3.0, 1.0, 2.0, 1000.0, np.nan]), (0.0, 0.5))
    (1.0, 2.5)
    """
    low, high = limits
    if not 0 <= low < high <= 1:
        raise ValueError(f"limits must rise within [0, 1], got {limits}.")
    n = sum(len(keys) for keys in _blocks(values, groups))
    if n == 0:
        return np.nan, np.nan
    places = [(n - 1) * share for share in limits]
    ranks = [rank for place in places for rank in (int(place), min(int(place) + 1, n - 1))]
    found = _order_statistics(values, groups, ranks)
    first, second = (
        lower + (place - int(place)) * (upper - lower)
        for place, lower, upper in zip(places, found[::2], found[1::2], strict=True)
    )
    return first, second


def winsorized_moments(
    columns: Sequence[Column],
    groups: NDArray[np.integer[Any]],
    n_groups: int,
    *,
    limits: tuple[float, float],
    names: Sequence[str] = (),
) -> Grouped:
    """Reduce columns to the moments of each group, the first of them cut at `cut_points`.

    Parameters
    ----------
    columns : sequence of arrays of shape (n_rows,)
        The metric, and what else is wanted of its rows; ``nan`` is missing.
    groups : array of shape (n_rows,)
        Each row's group, from 0; below 0 the row is left out.
    limits : tuple of float
        Shares at which the first column is cut, rising within [0, 1].
    names : sequence of str, optional
        Of the columns, for errors.

    Raises
    ------
    ValueError
        Where a value is infinite, or the limits do not rise.

    Examples
    --------
    >>> found = winsorized_moments(
    ...     [np.array([1.0, 2.0, 3.0, 1000.0])], np.array([0, 0, 1, 1]), 2, limits=(0.0, 0.5)
    ... )
    >>> [each.mean.tolist() for each in found.moments]
    [[1.5], [2.5]]
    """
    low, high = cut_points(columns[0], limits, groups=groups)
    moments = [Moments.empty(len(columns)) for _ in range(n_groups)]
    missing = [0] * n_groups
    for begin in range(0, len(groups), _BLOCK):
        block = [each[begin : begin + _BLOCK] for each in columns]
        values = block[0].astype(np.float64)
        wrong = np.flatnonzero(np.isinf(values) & (groups[begin : begin + _BLOCK] >= 0))
        if len(wrong):
            name = names[0] if names else "column 0"
            raise ValueError(
                f"{name} must be finite or missing, got {values[wrong[0]]} in row "
                f"{begin + wrong[0]}."
            )
        block[0] = np.clip(values, low, high, out=values)
        part = group_moments(block, groups[begin : begin + _BLOCK], n_groups, names=names)
        moments = [one + other for one, other in zip(moments, part.moments, strict=True)]
        missing = [one + other for one, other in zip(missing, part.missing, strict=True)]
    return Grouped(moments=tuple(moments), missing=tuple(missing))


def _blocks(
    values: Column, groups: NDArray[np.integer[Any]] | None
) -> Iterator[NDArray[np.uint64]]:
    """Give the known values of each block as whole numbers of the same order."""
    for begin in range(0, len(values), _BLOCK):
        block = values[begin : begin + _BLOCK].astype(np.float64)
        kept = ~np.isnan(block)
        if groups is not None:
            kept &= groups[begin : begin + _BLOCK] >= 0
        bits = (block[kept] + 0.0).view(np.uint64)  # -0.0 becomes 0.0
        yield np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _order_statistics(
    values: Column, groups: NDArray[np.integer[Any]] | None, ranks: Sequence[int]
) -> list[float]:
    """Give the values of ranks (from 0), 16 bits a pass from the highest on."""
    left = {rank: rank for rank in ranks}
    known = dict.fromkeys(ranks, 0)
    for settled in range(0, 64, _DIGIT):
        shift = np.uint64(64 - settled - _DIGIT)
        heads = sorted(set(known.values()))
        counts = {head: np.zeros(1 << _DIGIT, dtype=np.int64) for head in heads}
        for keys in _blocks(values, groups):
            digits = keys >> shift
            for head in heads:
                own = digits if settled == 0 else digits[digits >> np.uint64(_DIGIT) == head]
                low = (own & np.uint64((1 << _DIGIT) - 1)).astype(np.int64)
                counts[head] += np.bincount(low, minlength=1 << _DIGIT)
        for rank, head in known.items():
            sums = np.cumsum(counts[head])
            digit = int(np.searchsorted(sums, left[rank], side="right"))
            left[rank] -= int(sums[digit] - counts[head][digit])
            known[rank] = head << _DIGIT | digit
    keys = np.array([known[rank] for rank in ranks], dtype=np.uint64)
    found: list[float] = np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64).tolist()
    return found
