"""Moments of a table that lies in a database: the engine reduces it, in one query of one pass."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.few_clusters import FEW
from nextcall.abtest.measured import Measured, Summed, check_sums
from nextcall.abtest.metrics import Metric, Proportion, Quantile, Ratio
from nextcall.abtest.moments import Moments


def measure_table(
    table: Any, metrics: Sequence[Metric], *, variant: str, unit: str | None = None
) -> Measured:
    """Reduce an Ibis table (DuckDB, ClickHouse, Spark, BigQuery ...) to what the metrics need.

    Nothing but counts, means and covariances leaves the engine, and of a variant with fewer than
    40 units that have several rows the sums of each. They are as exact as it computes
    them: DuckDB's keep their digits where values are large beside their spread.

    Parameters
    ----------
    table : ibis.Table
    metrics : sequence of metric
    variant, unit : str
        Columns; without `unit` each row is a unit.

    Raises
    ------
    ValueError
        Where a column is missing or holds no numbers, a row has no variant or no unit, a unit is
        in two variants, a value is infinite, or a proportion's neither 0 nor 1; for a quantile,
        which needs the rows themselves.
    """
    check_sums(metrics)
    summed = [metric for metric in metrics if not isinstance(metric, Quantile)]
    columns = dict.fromkeys(name for metric in summed for name in metric.columns)
    wanted = [variant, *([unit] if unit is not None else []), *columns]
    for name in wanted:
        if name not in table.columns:
            raise ValueError(f"data must have a column {name!r}, got {list(table.columns)}.")
    for name in columns:
        kind = table[name].type()
        if not (kind.is_numeric() or kind.is_boolean()):
            raise ValueError(f"{name} must hold numbers, got values of type {kind}.")
    if unit is None:
        found: pd.DataFrame = _by_row(table, summed, variant).to_pandas()
    else:
        units = _units(table, summed, variant, unit)
        found = _by_unit(units, summed).to_pandas()
    if found["variant"].isna().any() or ("unknown" in found and found["unknown"].sum() > 0):
        raise ValueError(f"{variant} must be known for each row, got none in some.")
    found.index = found["variant"].astype(str)
    found = found.sort_index()
    if unit is not None:
        _check_units(found, unit)
    return Measured(
        n_rows=_counts(found["n_rows"]),
        n_units=_counts(found["n_units"]),
        grouped={
            metric: {
                str(name): _moments(row, place, metric, clustered=unit is not None)
                for name, row in found.iterrows()
            }
            for place, metric in enumerate(summed)
        },
        missing={
            metric: _counts(found["n_rows"] - found[f"rows_{place}"])
            for place, metric in enumerate(summed)
        },
        quantiles={},
        clustered=unit is not None,
        few={} if unit is None else _few(units, summed, found["n_units"]),
    )


def _by_row(table: Any, metrics: Sequence[Summed], variant: str) -> Any:
    wanted = {"n_rows": table.count(), "n_units": table.count()}
    for place, metric in enumerate(metrics):
        whole, wrong = _whole(table, metric), _wrong(table, metric)
        values = [table[name].cast("float64") for name in metric.columns]
        wanted[f"rows_{place}"] = whole.sum()
        wanted[f"wrong_{place}"] = wrong.sum()
        wanted |= _products(place, values, whole & ~wrong)
    return table.group_by(variant=table[variant]).aggregate(**wanted)


def _units(table: Any, metrics: Sequence[Summed], variant: str, unit: str) -> Any:
    """Sum over each unit's rows."""
    sums = {
        "n_rows": table.count(),
        "two": table[variant].nunique() > 1,  # noqa: PD101  # no pandas
        "unknown": table[variant].isnull().sum(),  # noqa: PD003  # no pandas
    }
    for place, metric in enumerate(metrics):
        whole, wrong = _whole(table, metric), _wrong(table, metric)
        sums[f"rows_{place}"] = whole.sum()
        sums[f"wrong_{place}"] = wrong.sum()
        for column, name in enumerate(metric.columns):
            value = table[name].cast("float64")
            sums[f"sum_{place}_{column}"] = value.sum(where=whole & ~wrong)
    return table.group_by(unit=table[unit]).aggregate(variant=table[variant].min(), **sums)


def _by_unit(units: Any, metrics: Sequence[Summed]) -> Any:
    wanted = {
        "n_rows": units.n_rows.sum(),
        "n_units": units.count(),
        "two": units.two.sum(),
        "unknown": units.unknown.sum(),
        "nameless": units.unit.isnull().sum(),  # noqa: PD003  # no pandas
    }
    for place, metric in enumerate(metrics):
        wanted[f"rows_{place}"] = units[f"rows_{place}"].sum()
        wanted[f"wrong_{place}"] = units[f"wrong_{place}"].sum()
        values = [units[name].cast("float64") for name in _summed_columns(place, metric)]
        wanted |= _products(place, values, units[f"rows_{place}"] > 0)
    return units.group_by(units.variant).aggregate(**wanted)


def _summed_columns(place: int, metric: Summed) -> list[str]:
    """Name a metric's columns among the sums over units: of a mean each with its rows."""
    names = []
    for column in range(len(metric.columns)):
        names.append(f"sum_{place}_{column}")
        if not isinstance(metric, Ratio):
            names.append(f"rows_{place}")
    return names


def _few(
    units: Any, metrics: Sequence[Summed], n_units: "pd.Series[Any]"
) -> dict[Summed, dict[str, NDArray[np.float64]]]:
    """Give the sums of each unit, of the variants that have few."""
    names = n_units.index[n_units < FEW].tolist()
    if not names:
        return {}
    frame: pd.DataFrame = units.filter(units.variant.cast("string").isin(names)).to_pandas()
    variants = frame["variant"].astype(str)
    found: dict[Summed, dict[str, NDArray[np.float64]]] = {}
    for place, metric in enumerate(metrics):
        own = _summed_columns(place, metric)
        known = frame[f"rows_{place}"] > 0
        found[metric] = {
            str(name): frame.loc[known & (variants == name), own].to_numpy(np.float64)
            for name in names
        }
    return found


def _whole(table: Any, metric: Summed) -> Any:
    """Say which rows have a value in each of the metric's columns."""
    whole = table[metric.columns[0]].notnull()  # noqa: PD004  # no pandas
    for name in metric.columns:
        whole &= table[name].notnull()  # noqa: PD004  # no pandas
        if table[name].type().is_floating():
            whole &= ~table[name].isnan()
    return whole


def _wrong(table: Any, metric: Summed) -> Any:
    """Say which rows have an infinite value, or a proportion's that is neither 0 nor 1."""
    wrong = table[metric.columns[0]].isnull() & False  # noqa: PD003  # no pandas
    for name in metric.columns:
        if table[name].type().is_floating():
            wrong |= table[name].isinf()
    if isinstance(metric, Proportion) and not table[metric.column].type().is_boolean():
        wrong |= table[metric.column].notin([0, 1])
    return wrong.fill_null(False)


def _products(place: int, values: Sequence[Any], where: Any) -> dict[str, Any]:
    wanted = {f"n_{place}": where.sum()}
    for column, one in enumerate(values):
        wanted[f"mean_{place}_{column}"] = one.mean(where=where)
        wanted[f"product_{place}_{column}_{column}"] = one.var(where=where, how="pop")
        for other in range(column):
            both = one.cov(values[other], where=where, how="pop")
            wanted[f"product_{place}_{column}_{other}"] = both
    return wanted


def _check_units(found: pd.DataFrame, unit: str) -> None:
    if found["nameless"].sum() > 0:
        raise ValueError(f"{unit} must be known for each row, got none in some.")
    if found["two"].sum() > 0:
        count = int(found["two"].sum())
        raise ValueError(f"{unit} must be in one variant each; {count} are in two.")


def _moments(row: "pd.Series[Any]", place: int, metric: Summed, *, clustered: bool) -> Moments:
    width = len(metric.columns)
    if clustered and not isinstance(metric, Ratio):
        width *= 2
    n = int(row[f"n_{place}"])
    if row[f"wrong_{place}"] > 0:
        rule = "0 and 1" if isinstance(metric, Proportion) else "finite values"
        count = int(row[f"wrong_{place}"])
        raise ValueError(f"{metric.name} must hold {rule}, got something else in {count} rows.")
    if n == 0:
        return Moments.empty(width)
    mean = np.array([row[f"mean_{place}_{column}"] for column in range(width)], dtype=np.float64)
    products = np.empty((width, width))
    for one in range(width):
        for other in range(one + 1):
            products[one, other] = products[other, one] = row[f"product_{place}_{one}_{other}"]
    return Moments(n=n, mean=mean, products=products * n)


def _counts(column: "pd.Series[Any]") -> Mapping[str, int]:
    return {str(name): int(count) for name, count in column.items()}
