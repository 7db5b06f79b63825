"""A table in DuckDB says what its rows say in memory."""

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.measured import Summed, measure
from nextcall.abtest.metrics import Mean, Proportion, Ratio
from nextcall.abtest.rows import read_rows
from nextcall.abtest.tables import measure_table

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'future.infer_string' option:DeprecationWarning"  # DuckDB asks pandas for it
)

METRICS: tuple[Summed, ...] = (
    Mean("revenue", covariate=("before", "visits")),
    Proportion("bought"),
    Proportion("flag"),
    Ratio("clicks", "visits"),
)


def frame(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    user = rng.integers(0, n // 3, n)
    revenue = rng.normal(size=n) + 1e8
    revenue[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "variant": np.array(["A", "B"])[user % 2],
            "user": user,
            "revenue": revenue,
            "before": rng.normal(size=n),
            "visits": rng.integers(1, 9, n),
            "bought": rng.random(n) < 0.3,
            "flag": rng.integers(0, 2, n),
            "clicks": rng.integers(0, 9, n),
        }
    )


def table(rows: pd.DataFrame) -> Any:
    connection = ibis.duckdb.connect()
    connection.con.register("frame", rows)
    connection.raw_sql("CREATE TABLE rows AS SELECT * FROM frame")
    return connection.table("rows")


@pytest.mark.parametrize("unit", [None, "user"])
def test_the_engine_reduces_to_the_same_moments(unit: str | None) -> None:
    rows = frame()
    names = [name for metric in METRICS for name in metric.columns]
    expected = measure(read_rows(rows, variant="variant", columns=names, unit=unit), METRICS)
    found = measure_table(table(rows), METRICS, variant="variant", unit=unit)
    assert found.n_rows == expected.n_rows
    assert found.n_units == expected.n_units
    assert found.missing == expected.missing
    for metric in METRICS:
        for variant in "AB":
            one, other = found.grouped[metric][variant], expected.grouped[metric][variant]
            assert one.n == other.n
            np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12)
            scale = np.sqrt(np.outer(np.diag(other.products), np.diag(other.products))) + 1e-9
            assert np.abs((one.products - other.products) / scale).max() < 1e-6
    both = found + expected  # of the engine and of memory
    assert both.n_rows["A"] == 2 * found.n_rows["A"]


def test_a_variant_without_values_is_empty() -> None:
    rows = frame()
    rows.loc[rows["variant"] == "A", "revenue"] = np.nan
    for unit in (None, "user"):
        found = measure_table(table(rows), METRICS, variant="variant", unit=unit)
        assert found.grouped[METRICS[0]]["A"].n == 0
        assert found.missing[METRICS[0]]["A"] == (rows["variant"] == "A").sum()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"visits": "many"}, "visits must hold numbers, got values of type string"),
        (
            {"revenue": [np.inf] + [0.0] * 499},
            "revenue must hold finite values, got something else in 1 rows",
        ),
        ({"flag": 2}, "flag must hold 0 and 1, got something else in .* rows"),
        ({"variant": None}, "variant must be known for each row"),
        ({"user": None}, "user must be known for each row"),
        ({"user": 1}, "user must be in one variant each; 1 are in two"),
    ],
)
def test_what_cannot_be_is_refused(columns: dict[str, Any], message: str) -> None:
    rows = frame()
    if columns.get("variant", "") is None:
        rows.loc[3, "variant"] = None
    elif columns.get("user", "") is None:
        rows["user"] = rows["user"].astype("Int64")
        rows.loc[3, "user"] = pd.NA
    else:
        rows = rows.assign(**columns)
    with pytest.raises(ValueError, match=message):
        measure_table(table(rows), METRICS, variant="variant", unit="user")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="data must have a column 'revenue'"):
        measure_table(table(frame().drop(columns="revenue")), METRICS, variant="variant")
