"""Effects by segment, from rows."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from nextcall.abtest.metrics import Mean, Proportion
from nextcall.abtest.segment_analysis import analyze_segments
from nextcall.abtest.segments import Heterogeneity


def frame(n: int = 3000, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "variant": np.resize(["A", "B", "C"], n),
            "country": rng.choice(["de", "fr", "it"], n),
            "user": np.arange(n),
            "before": rng.normal(10, 2, n),
        }
    )
    gain = (rows["variant"] == "B") & (rows["country"] == "fr")
    rows["spent"] = rows["before"] + rng.normal(size=n) + gain
    return rows


def run(rows: Any, **options: Any) -> Heterogeneity:
    asked: dict[str, Any] = {
        "segment": "country",
        "metric": Mean("spent", covariate="before"),
        "control": "A",
        "treatment": "B",
        **options,
    }
    return analyze_segments(rows, **asked)


def test_a_planted_effect_is_found_in_its_segment() -> None:
    rows = frame()
    found = run(rows)
    assert list(found.segments) == ["de", "fr", "it"]
    assert found.pvalue < 1e-6
    assert [each.adjusted_pvalue < 0.05 for each in found.segments.values()] == [False, True, False]
    assert not found.reversed
    plain = run(rows, metric=Mean("spent")).segments["de"].effect
    one, other = (
        rows.loc[(rows["country"] == "de") & (rows["variant"] == name), "spent"] for name in "AB"
    )
    assert plain.pvalue == pytest.approx(stats.ttest_ind(other, one, equal_var=False).pvalue)


def test_arrow_and_units_say_the_same() -> None:
    rows = frame()
    expected = run(rows)
    for data, unit in ((pa.Table.from_pandas(rows), None), (rows, "user")):
        found = run(data, unit=unit)
        assert found.q == pytest.approx(expected.q)


def test_segments_of_several_rows_a_unit_are_clustered() -> None:
    rows = frame(600)
    copied = pd.concat([rows] * 4, ignore_index=True)
    once = run(rows, metric=Mean("spent"))
    found = run(copied, metric=Mean("spent"), unit="user")
    for name, each in once.segments.items():
        assert found.segments[name].effect.se == pytest.approx(each.effect.se)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"segment": "town"}, "data must have a column 'town'"),
        ({}, {"metric": Proportion("bought")}, "data must have a column 'bought'"),
        ({}, {"treatment": "Z"}, "data must have rows of 'A' and 'Z', got .'A'."),
        ({"country": None}, {}, "country must be known for each row"),
        ({"country": "de"}, {}, "country must have two segments or more, got .'de'."),
        ({"country": "by variant"}, {}, "segment 'A' must have rows of 'A' and 'B'"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    rows = frame(300)
    for name, value in change.items():
        rows[name] = rows["variant"] if value == "by variant" else value
    with pytest.raises(ValueError, match=message):
        run(rows, **options)


def test_other_data_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a pandas frame or an Arrow table, got list"):
        run([1])
