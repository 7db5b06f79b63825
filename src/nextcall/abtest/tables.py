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
from nextcall.abtest.parts import NONE, check_parts, stratified


def measure_table(
    table: Any,
    metrics: Sequence[Metric],
    *,
    variant: str,
    unit: str | None = None,
    strata: str | None = None,
) -> Measured:
    """Reduce an Ibis table (DuckDB, ClickHouse, Spark, BigQuery ...) to what the metrics need.

    Nothing but counts, means and covariances leaves the engine, and of a variant with fewer than
    40 units that have several rows the sums of each. They are as exact as it computes
    them: DuckDB's keep their digits where values are large beside their spread.

    Parameters
    ----------
    table : ibis.Table
    metrics : sequence of metric
    variant, unit, strata : str
        Columns; without `unit` each row is a unit.

    Raises
    ------
    ValueError
        Where a column is missing or holds no numbers, a row has no variant or no unit, a unit is
        in two variants or strata, there are more than 1,000 strata, a value is infinite, or a
        proportion's neither 0 nor 1; for a quantile, which needs the rows themselves.
    """
    check_sums(metrics)
    summed = [metric for metric in metrics if not isinstance(metric, Quantile)]
    columns = dict.fromkeys(name for metric in summed for name in metric.columns)
    wanted = [variant, *(each for each in (unit, strata) if each is not None), *columns]
    for name in wanted:
        if name not in table.columns:
            raise ValueError(f"data must have a column {name!r}, got {list(table.columns)}.")
    for name in columns:
        kind = table[name].type()
        if not (kind.is_numeric() or kind.is_boolean()):
            raise ValueError(f"{name} must hold numbers, got values of type {kind}.")
    parts = {} if strata is None else {"part": table[strata].cast("string").fill_null(NONE)}
    if unit is None:
        grouped, plan = table, _by_row(table, summed, variant, parts)
    else:
        grouped = _units(table, summed, variant, unit, parts)
        plan = _by_unit(grouped, summed)
    found: pd.DataFrame = plan.to_pandas()
    if found["variant"].isna().any() or ("unknown" in found and found["unknown"].sum() > 0):
        raise ValueError(f"{variant} must be known for each row, got none in some.")
    found["variant"] = found["variant"].astype(str)
    if strata is None:
        found["part"] = NONE
    if unit is not None:
        _check_units(found, unit, strata)
    few = {} if unit is None else _few(grouped, summed, found[found["n_units"] < FEW])
    if strata is None:
        return _measured(found, summed, few.get(NONE, {}), unit)
    check_parts(strata, found["part"].nunique())
    return stratified(
        {
            str(name): _measured(own, summed, few.get(str(name), {}), unit)
            for name, own in found.groupby("part", sort=True)
        }
    )


def _measured(
    found: pd.DataFrame,
    metrics: Sequence[Summed],
    few: Mapping[Summed, Mapping[str, NDArray[np.float64]]],
    unit: str | None,
) -> Measured:
    """Read the answer; a row a variant."""
    found = found.set_index("variant").sort_index()
    return Measured(
        n_rows=_counts(found["n_rows"]),
        n_units=_counts(found["n_units"]),
        grouped={
            metric: {
                str(name): _moments(row, place, metric, clustered=unit is not None)
                for name, row in found.iterrows()
            }
            for place, metric in enumerate(metrics)
        },
        missing={
            metric: _counts(found["n_rows"] - found[f"rows_{place}"])
            for place, metric in enumerate(metrics)
        },
        quantiles={},
        clustered=unit is not None,
        few=few,
    )


def _by_row(table: Any, metrics: Sequence[Summed], variant: str, parts: Mapping[str, Any]) -> Any:
    wanted = {"n_rows": table.count(), "n_units": table.count()}
    for place, metric in enumerate(metrics):
        whole, wrong = _whole(table, metric), _wrong(table, metric)
        values = [table[name].cast("float64") for name in metric.columns]
        wanted[f"rows_{place}"] = whole.sum()
        wanted[f"wrong_{place}"] = wrong.sum()
        wanted |= _products(place, values, whole & ~wrong)
    return table.group_by(variant=table[variant], **parts).aggregate(**wanted)


def _units(
    table: Any, metrics: Sequence[Summed], variant: str, unit: str, parts: Mapping[str, Any]
) -> Any:
    """Sum over each unit's rows."""
    table = table.mutate(**parts)
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
    if parts:
        crossed = table.part.nunique() > 1  # noqa: PD101  # no pandas
        sums |= {"part": table.part.min(), "crossed": crossed}
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
    if "part" not in units.columns:
        return units.group_by("variant").aggregate(**wanted)
    wanted["crossed"] = units.crossed.sum()
    return units.group_by(["variant", "part"]).aggregate(**wanted)


def _summed_columns(place: int, metric: Summed) -> list[str]:
    """Name a metric's columns among the sums over units: of a mean each with its rows."""
    names = []
    for column in range(len(metric.columns)):
        names.append(f"sum_{place}_{column}")
        if not isinstance(metric, Ratio):
            names.append(f"rows_{place}")
    return names


def _few(
    units: Any, metrics: Sequence[Summed], small: pd.DataFrame
) -> dict[str, dict[Summed, dict[str, NDArray[np.float64]]]]:
    """Give the sums of each unit, of the variants that have few in a part; of each part."""
    if len(small) == 0:
        return {}
    key, wanted = units.variant.cast("string"), small["variant"]
    if "part" in units.columns:
        key, wanted = key + "\n" + units.part, wanted + "\n" + small["part"]
    frame: pd.DataFrame = units.filter(key.isin(wanted.tolist())).to_pandas()
    if "part" not in frame:
        frame["part"] = NONE
    found: dict[str, dict[Summed, dict[str, NDArray[np.float64]]]] = {}
    frame["variant"] = frame["variant"].astype(str)
    for (part, name), rows in frame.groupby(["part", "variant"]):
        for place, metric in enumerate(metrics):
            known = rows.loc[rows[f"rows_{place}"] > 0, _summed_columns(place, metric)]
            sums = found.setdefault(str(part), {}).setdefault(metric, {})
            sums[str(name)] = known.to_numpy(np.float64)
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


def _check_units(found: pd.DataFrame, unit: str, strata: str | None) -> None:
    if found["nameless"].sum() > 0:
        raise ValueError(f"{unit} must be known for each row, got none in some.")
    if found["two"].sum() > 0:
        count = int(found["two"].sum())
        raise ValueError(f"{unit} must be in one variant each; {count} are in two.")
    if strata is not None and found["crossed"].sum() > 0:
        count = int(found["crossed"].sum())
        raise ValueError(f"{strata} must be one for each unit; {count} have two.")


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
