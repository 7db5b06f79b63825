"""Rows of a test in parts (strata, segments, days), each reduced by itself in the same pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.measured import Measured, Summed, measure
from nextcall.abtest.metrics import Metric, Quantile
from nextcall.abtest.quantiles import QuantileArm
from nextcall.abtest.rows import Rows, read_column

NONE: Final = "(none)"
"""The part of rows that lack a value."""

MOST: Final = 1_000
"""Parts; more are no strata or segments, but a number that was taken for a name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Which part each row is of.

    Parameters
    ----------
    column : str
    names : tuple of str
    codes : array of shape (n_rows,)
        Each row's place in `names`.
    """

    column: str
    names: tuple[str, ...]
    codes: NDArray[np.integer[Any]]


def read_parts(data: Any, column: str) -> Parts:
    """Read a column of names; rows that lack one are a part of their own, ``(none)``.

    Parameters
    ----------
    data : pandas.DataFrame or pyarrow.Table

    Raises
    ------
    ValueError
        Where the column is missing or holds more than 1,000 values.

    Examples
    --------
    >>> found = read_parts(pd.DataFrame({"country": ["fr", "de", None, "fr"]}), "country")
    >>> found.names, found.codes.tolist()
    (('de', 'fr', '(none)'), [1, 0, 2, 1])
    """
    codes, found = pd.factorize(read_column(data, column), sort=True)
    check_parts(column, len(found))
    names = [str(each) for each in found]
    if len(codes) and codes.min() < 0:
        codes = np.where(codes < 0, len(names), codes)
        names.append(NONE)
    return Parts(column=column, names=tuple(names), codes=codes.astype(np.int32))


def check_parts(column: str, count: int) -> None:
    """Refuse a column of too many values.

    Raises
    ------
    ValueError
        Where there are more than 1,000.
    """
    if count > MOST:
        raise ValueError(f"{column} must hold at most {MOST:,} values, got {count:,}.")


def measure_parts(rows: Rows, parts: Parts, metrics: Sequence[Metric]) -> dict[str, Measured]:
    """Reduce each part of the rows to what the metrics need.

    Raises
    ------
    ValueError
        Where a unit is in two parts, and as `measure`.
    """
    _check_units(rows, parts)
    width = len(rows.variants)
    together = replace(
        rows,
        variants=tuple(str(place) for place in range(width * len(parts.names))),
        codes=parts.codes * width + rows.codes,
    )
    found = measure(together, metrics)
    return {
        name: _part(found, {str(place * width + k): each for k, each in enumerate(rows.variants)})
        for place, name in enumerate(parts.names)
    }


def measure_strata(rows: Rows, parts: Parts, metrics: Sequence[Metric]) -> Measured:
    """Reduce rows to what the metrics need, and each stratum of them; quantiles have no strata."""
    summed: list[Summed] = [each for each in metrics if not isinstance(each, Quantile)]
    whole = stratified(measure_parts(rows, parts, summed))
    if len(summed) == len(metrics):
        return whole
    quantiles = measure(rows, [each for each in metrics if isinstance(each, Quantile)])
    return replace(
        whole,
        quantiles=quantiles.quantiles,
        missing={each: {**whole.missing, **quantiles.missing}[each] for each in metrics},
    )


def stratified(strata: Mapping[str, Measured]) -> Measured:
    """Add strata up, and keep each."""
    return replace(reduce(add, strata.values()), strata=dict(strata))


def _part(found: Measured, names: Mapping[str, str]) -> Measured:
    """Keep what was measured of some groups, under other names."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[key] for key, name in names.items() if key in values}

    quantiles: dict[Quantile, Mapping[str, QuantileArm]] = {
        metric: kept(each) for metric, each in found.quantiles.items()
    }
    return replace(
        found,
        n_rows=kept(found.n_rows),
        n_units=kept(found.n_units),
        grouped={metric: kept(each) for metric, each in found.grouped.items()},
        missing={metric: kept(each) for metric, each in found.missing.items()},
        quantiles=quantiles,
        few={metric: kept(each) for metric, each in found.few.items()},
    )


def _check_units(rows: Rows, parts: Parts) -> None:
    if rows.units is None:
        return
    first = np.empty(int(rows.units.max()) + 1, dtype=np.int64)
    first[rows.units[::-1]] = parts.codes[::-1]
    crossed = np.flatnonzero(first[rows.units] != parts.codes)
    if len(crossed):
        row = int(crossed[0])
        both = sorted({parts.names[first[rows.units[row]]], parts.names[parts.codes[row]]})
        count = len(np.unique(rows.units[crossed]))
        raise ValueError(
            f"{parts.column} must be one for each unit; {count} have two, such as "
            f"{both[0]!r} and {both[1]!r}."
        )
