"""Moments of many groups of rows in one pass over columns, at the speed of the memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.moments import LEAST_SQUARE, Moments
from nextcall.compiling import compiled, floats_at

Column = NDArray[np.number[Any]] | NDArray[np.bool_]

_PART: Final = 1 << 16  # rows that share a shift, and are converted at once where they must be
_CUBED: Final = 200_000  # rows of which cubes are taken
_BLOCK: Final = 512  # rows whose columns stay in the first cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Moments of groups of rows.

    Parameters
    ----------
    moments : tuple of Moments
        Of each group, over the rows without a missing value.
    missing : tuple of int
        Rows of each group with one.
    """

    moments: tuple[Moments, ...]
    missing: tuple[int, ...]


def group_moments(
    columns: Sequence[Column],
    groups: NDArray[np.integer[Any]],
    n_groups: int,
    *,
    names: Sequence[str] = (),
) -> Grouped:
    """Reduce columns to the moments of each group.

    Parameters
    ----------
    columns : sequence of arrays of shape (n_rows,)
        ``nan`` is missing: the row counts for no column.
    groups : array of shape (n_rows,)
        Each row's group, from 0 to `n_groups` - 1; below 0 the row is left out.
    names : sequence of str, optional
        Of the columns, for errors.

    Raises
    ------
    ValueError
        Where a value or its square is infinite, or values differ by so little that the squares are
        lost; it names the column.

    Examples
    --------
    >>> found = group_moments([np.array([1.0, 2.0, np.nan])], np.array([0, 0, 1]), 2)
    >>> found.moments[0].mean.tolist(), found.missing
    ([1.5], (0, 1))
    """
    n_columns, n_rows = len(columns), len(groups)
    counts, missing = np.zeros(n_groups, dtype=np.int64), np.zeros(n_groups, dtype=np.int64)
    means, rests = np.zeros((n_groups, n_columns)), np.zeros((n_groups, n_columns))
    products = np.zeros((n_groups, n_columns, n_columns))
    for begin in range(0, n_rows, _PART):
        end = min(begin + _PART, n_rows)
        part = [np.ascontiguousarray(each[begin:end], dtype=np.float64) for each in columns]
        codes = np.ascontiguousarray(groups[begin:end])
        places = np.array([each.ctypes.data for each in part], dtype=np.int64)
        if not add_rows(places, codes, counts, means, rests, products):
            gone = _missing(part, codes, begin, names)
            missing += np.bincount(codes[gone & (codes >= 0)], minlength=n_groups)
            add_rows(places, np.where(gone, -1, codes), counts, means, rests, products)
    wrong = np.argwhere(~np.isfinite(products))
    if len(wrong):
        name = names[wrong[0][1]] if names else f"column {wrong[0][1]}"
        raise ValueError(f"{name} must have finite squares: values must be below 1e150.")
    for group, column in np.argwhere(products.diagonal(axis1=1, axis2=2) < LEAST_SQUARE):
        if _differ(columns, int(column), groups == group):
            name = names[column] if names else f"column {column}"
            raise ValueError(f"{name} must have squares that are floats: scale its values.")
    return Grouped(
        moments=tuple(
            Moments(n=int(n), mean=mean, products=product, rest=rest)
            for n, mean, product, rest in zip(counts, means, products, rests, strict=True)
        ),
        missing=tuple(missing.tolist()),
    )


def with_cubes(
    grouped: Grouped, columns: Sequence[Column], groups: NDArray[np.integer[Any]]
) -> Grouped:
    """Add the cubes of the first column, where there are at most 200,000 rows.

    They are for telling whether units are enough for the skewness; of more rows they nearly are.

    Parameters
    ----------
    columns : sequence of arrays of shape (n_rows,)
        Those by which rows with a missing value are told; the first is cubed.
    groups : array of shape (n_rows,)
    """
    if len(groups) > _CUBED:
        return grouped
    whole = groups >= 0
    for column in columns:
        whole &= ~np.isnan(column.astype(np.float64))
    codes = groups[whole]
    means = np.array([each.mean[0] for each in grouped.moments])
    off = columns[0][whole].astype(np.float64) - means[codes]
    with np.errstate(over="ignore"):  # `skewness` is not told of such values
        cubes = np.bincount(codes, off**3, minlength=len(means)).tolist()
    moments = tuple(
        replace(each, cubes=cube) for each, cube in zip(grouped.moments, cubes, strict=True)
    )
    return Grouped(moments=moments, missing=grouped.missing)


def _differ(columns: Sequence[Column], column: int, own: NDArray[np.bool_]) -> bool:
    """Say whether a column differs between some of a group's rows without a missing value."""
    first: Any = None
    for begin in range(0, len(own), _PART):
        part = [each[begin : begin + _PART] for each in columns]
        whole = own[begin : begin + _PART].copy()
        for each in part:
            whole &= each == each  # noqa: PLR0124  # not nan
        values = part[column][whole]
        first = values[0] if first is None and len(values) else first
        if (values != first).any():
            return True
    return False


def _missing(
    part: Sequence[NDArray[np.float64]],
    codes: NDArray[np.integer[Any]],
    begin: int,
    names: Sequence[str],
) -> NDArray[np.bool_]:
    """Say which rows have a missing value; refuse an infinite one."""
    gone = np.zeros(len(codes), dtype=np.bool_)
    for column, values in enumerate(part):
        wrong = np.flatnonzero(np.isinf(values) & (codes >= 0))
        if len(wrong):
            name = names[column] if names else f"column {column}"
            raise ValueError(
                f"{name} must be finite or missing, got {values[wrong[0]]} in row "
                f"{begin + wrong[0]}."
            )
        gone |= np.isnan(values)
    return gone


@compiled(any_order=True)
def add_rows(
    places: NDArray[np.int64],
    codes: NDArray[np.integer[Any]],
    counts: NDArray[np.int64],
    means: NDArray[np.float64],
    rests: NDArray[np.float64],
    products: NDArray[np.float64],
) -> bool:
    """Add rows to what is known of the groups, if all their values are finite.

    Sums are of what is off the mean so far, block by block of rows, group by group.

    Parameters
    ----------
    places : array of shape (n_columns,)
        Addresses of columns of as many floats as there are codes.
    codes : array of shape (n_rows,)
        Below 0 the row is left out.
    counts : array of shape (n_groups,)
    means, rests : arrays of shape (n_groups, n_columns)
        A mean is the sum of both: what rounds off is not lost.
    products : array of shape (n_groups, n_columns, n_columns)

    Returns
    -------
    bool
        Whether they were; nothing was added where not.
    """
    n_groups = len(counts)
    shifts, seen = means.copy(), counts > 0
    sums, squares = np.zeros_like(means), np.zeros_like(products)
    added, ends = np.zeros_like(counts), np.zeros(n_groups + 2, dtype=np.int64)
    order, off = np.empty(_BLOCK, dtype=np.int64), np.empty((len(places), _BLOCK))
    for begin in range(0, len(codes), _BLOCK):
        sort_block(codes, begin, ends, order)
        for group in range(n_groups):
            rows = order[ends[group] : ends[group + 1]]
            if len(rows) > 0:
                if not seen[group]:
                    for column in range(len(places)):
                        shifts[group, column] = floats_at(places[column], len(codes))[rows[0]]
                    seen[group] = True
                added[group] += len(rows)
                add_block(places, rows, off, shifts[group], sums[group], squares[group])
    if not np.isfinite(np.sum(sums)) or not np.isfinite(np.sum(shifts)):
        return False
    for group in range(n_groups):
        if added[group] > 0:
            share = counts[group] / (counts[group] + added[group])
            sums[group] /= added[group]
            if counts[group] == 0:
                means[group] = shifts[group]
            off_old = sums[group] - rests[group]
            merge(added[group], share, sums[group], off_old, squares[group], products[group])
            counts[group] += added[group]
            step = rests[group] + (1 - share) * off_old
            means[group] += step
            rests[group] = step - (means[group] - shifts[group])
    return True


@compiled()
def sort_block(
    codes: NDArray[np.integer[Any]], begin: int, ends: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    """Order the rows of a block by group; `ends` says where in `order` each group begins."""
    end = min(begin + _BLOCK, len(codes))
    ends[:] = 0
    for row in range(begin, end):
        ends[max(codes[row], -1) + 1] += 1
    place = 0
    for slot in range(len(ends)):
        place, ends[slot] = place + ends[slot], place
    for row in range(begin, end):
        slot = max(codes[row], -1) + 1
        order[ends[slot]] = row
        ends[slot] += 1


@compiled(any_order=True)
def add_block(
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    off: NDArray[np.float64],
    shift: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Add what rows of a group are off its shift, and the products of that."""
    n, n_rows = len(rows), rows[len(rows) - 1] + 1
    for column in range(len(places)):
        values, deviations = floats_at(places[column], n_rows), off[column]
        total = 0.0
        for place in range(n):
            deviation = values[rows[place]] - shift[column]
            deviations[place] = deviation
            total += deviation
        sums[column] += total
        for other in range(column + 1):
            product, others = 0.0, off[other]
            for place in range(n):
                product += deviations[place] * others[place]
            squares[column, other] += product


@compiled()
def merge(
    n: int,
    share: float,
    mean: NDArray[np.float64],
    step: NDArray[np.float64],
    squares: NDArray[np.float64],
    products: NDArray[np.float64],
) -> None:
    """Add to a group's products those of new rows: around their mean, and between the means.

    Parameters
    ----------
    n : int
        New rows.
    share : float
        Of the rows, new and old, that are old.
    mean, step : arrays of shape (n_columns,)
        Mean of the new rows, from the shift and from the old mean.
    """
    for column in range(len(mean)):
        for other in range(column + 1):
            around = squares[column, other] - n * mean[column] * mean[other]
            value = products[column, other] + around + n * share * step[column] * step[other]
            products[column, other] = products[other, column] = value
