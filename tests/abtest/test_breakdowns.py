"""Effects by segment and over the days: planted ones are found, and each is that of its rows."""

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from nextcall.abtest.analysis import analyze
from nextcall.abtest.breakdowns import (
    TimeEffects,
    effects_by_segment,
    effects_over_time,
    read_days,
)
from nextcall.abtest.metrics import Mean, Metric, Proportion, Quantile, Ratio

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'future.infer_string' option:DeprecationWarning"  # DuckDB asks pandas for it
)
VARIANTS = ("A", "B", "C")


def frame(n: int = 1500, *, seed: int = 0, days: int = 8) -> pd.DataFrame:
    """Give users who come back for some days; B wears off, C is the better the later the day."""
    rng = np.random.default_rng(seed)
    visits = rng.integers(1, days + 1, n)
    user = np.repeat(np.arange(n), visits)
    exposure = np.concatenate([np.arange(each) for each in visits])
    variant = np.array(VARIANTS)[user % 3]
    start = rng.integers(0, 14, n)[user]
    lift = np.select([variant == "B", variant == "C"], [2.0 * 0.6**exposure, 0.3 * exposure], 0.0)
    country = np.array(["de", "fr", "us"], dtype=object)[rng.integers(0, 3, n)[user]]
    return pd.DataFrame(
        {
            "variant": variant,
            "user": user,
            "country": country,
            "day": pd.Timestamp("2026-01-05") + pd.to_timedelta(start + exposure, unit="D"),
            "spent": 10 + lift + rng.normal(size=len(user)) + (country == "us") * (variant == "C"),
            "bought": rng.random(len(user)) < 0.3,
            "visits": rng.poisson(3, len(user)) + 1,
        }
    )


def over_time(rows: Any, *, metric: Metric | None = None, unit: str | None = "user") -> TimeEffects:
    metric = metric or Mean("spent")
    found = effects_over_time(rows, time="day", metric=metric, variants=VARIANTS, unit=unit)
    assert [each.treatment for each in found] == ["B", "C"]
    return found[0]


@pytest.mark.parametrize("metric", [Mean("spent"), Ratio("spent", "visits"), Proportion("bought")])
@pytest.mark.parametrize("unit", [None, "user"])
def test_each_segment_is_analysed_as_its_rows_alone(metric: Metric, unit: str | None) -> None:
    rows = frame(300)
    found = effects_by_segment(rows, segment="country", metric=metric, variants=VARIANTS, unit=unit)
    for place, treatment in enumerate("BC"):
        assert found[place].treatment == treatment
        for name, own in rows.groupby("country"):
            alone = analyze(own, control="A", metrics=[metric], unit=unit).comparisons[place]
            each = found[place].heterogeneity.segments[str(name)].effect
            assert each.value == pytest.approx(alone.difference.value)
            if not isinstance(metric, Proportion):
                assert each.se == pytest.approx(alone.difference.se)


def test_every_way_in_gives_the_same_segments() -> None:
    rows = frame(300)
    rows.loc[rows["country"] == "us", "country"] = None
    frames = [
        effects_by_segment(
            data, segment="country", metric=Mean("spent"), variants=VARIANTS, unit="user"
        )[1].to_frame()
        for data in (rows, pa.Table.from_pandas(rows), ibis.memtable(rows))
    ]
    assert set(frames[0]["country"]) == {"de", "fr", "(none)"}
    first, *others = (each.set_index("country").sort_index() for each in frames)
    for each in others:
        pd.testing.assert_frame_equal(each, first)


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    found = effects_by_segment(
        frame(), segment="country", metric=Mean("spent"), variants=VARIANTS, unit="user"
    )
    assert found[0].heterogeneity.pvalue > 0.01
    assert found[1].heterogeneity.pvalue < 1e-6
    quantile = effects_by_segment(
        frame(), segment="country", metric=Quantile("spent", 0.5), variants=VARIANTS, unit="user"
    )
    assert quantile[1].heterogeneity.pvalue < 1e-3


def test_a_covariate_and_copied_rows_change_no_segment_but_its_error() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"variant": np.resize(["A", "B"], 900), "user": np.arange(900)})
    rows["country"] = rng.choice(["de", "fr", "it"], 900)
    rows["before"] = rng.normal(10, 2, 900)
    gain = (rows["variant"] == "B") & (rows["country"] == "fr")
    rows["spent"] = rows["before"] + rng.normal(size=900) + gain

    def ask(data: Any, metric: Metric, unit: str | None = None) -> Any:
        (found,) = effects_by_segment(
            data, segment="country", metric=metric, variants=("A", "B"), unit=unit
        )
        return found.heterogeneity.segments

    plain, helped = ask(rows, Mean("spent")), ask(rows, Mean("spent", covariate="before"))
    assert [each.adjusted_pvalue < 0.05 for each in helped.values()] == [False, True, False]
    copied = ask(pd.concat([rows] * 4, ignore_index=True), Mean("spent"), "user")
    for name, own in rows.groupby("country"):
        one, other = (own.loc[own["variant"] == each, "spent"] for each in "AB")
        expected = stats.ttest_ind(other, one, equal_var=False).pvalue
        assert plain[name].effect.pvalue == pytest.approx(expected)
        assert copied[name].effect.se == pytest.approx(plain[name].effect.se)
        assert helped[name].effect.se < 0.6 * plain[name].effect.se


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segment": "town"}, "'town'"),
        ({"metric": Mean("cost")}, "'cost'"),
        ({"variants": ("A", "Z")}, "each variant must have rows; .'Z'. have none"),
    ],
)
def test_segments_that_cannot_be_asked_for(options: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"segment": "country", "metric": Mean("spent"), "variants": VARIANTS}
    with pytest.raises(ValueError, match=message):
        effects_by_segment(frame(30), **{**asked, **options}, unit="user")


def test_a_segment_that_lacks_a_variant_says_nothing_of_it() -> None:
    rows = frame(300)
    rows.loc[rows["variant"] == "B", "country"] = "fr"
    rows = rows[(rows["variant"] != "A") | (rows["country"] != "us")]
    found = effects_by_segment(
        rows, segment="country", metric=Mean("spent"), variants=VARIANTS, unit="user"
    )
    assert list(found[0].heterogeneity.segments) == ["fr"]
    assert list(found[1].heterogeneity.segments) == ["de", "fr"]
    lost = rows.assign(spent=rows["spent"].where(rows["country"] == "fr"))
    found = effects_by_segment(
        lost, segment="country", metric=Mean("spent"), variants=VARIANTS, unit="user"
    )
    assert list(found[1].heterogeneity.segments) == ["fr"]
    never = rows.assign(country=rows["variant"])
    assert not effects_by_segment(
        never, segment="country", metric=Mean("spent"), variants=VARIANTS, unit="user"
    )


def test_an_effect_that_wears_off_has_a_slope_against_it() -> None:
    rows = frame()
    found = over_time(rows)
    assert (found.clock, found.trend.days) == ("first exposure", tuple(range(8)))
    assert found.trend.slope.value < 0 < found.trend.first
    assert found.trend.slope.pvalue < 0.01
    exposure = (
        rows["day"].dt.day_of_year - rows.groupby("user")["day"].transform("min").dt.day_of_year
    )
    for day, effect in zip(found.trend.days, found.trend.effects, strict=True):
        own = rows[exposure == day]
        alone = analyze(own, control="A", metrics=[Mean("spent")]).comparisons[0]
        assert effect.value == pytest.approx(alone.difference.value)
    assert over_time(rows, metric=Ratio("spent", "visits")).trend.slope.value < 0


def test_without_users_who_come_back_days_are_the_calendars() -> None:
    rows = frame()
    rows["weekend"] = rows["day"].dt.day_of_week >= 5
    rows["spent"] += 3.0 * (rows["weekend"] & (rows["variant"] == "B"))
    found = over_time(rows, unit=None)
    assert (found.clock, len(found.trend.days)) == ("calendar", 21)
    assert found.weekdays is not None
    assert next(iter(found.weekdays.segments)) == "Monday"
    assert found.weekdays.pvalue < 1e-6
    saturday = analyze(rows[rows["day"].dt.day_of_week == 5], control="A", metrics=[Mean("spent")])
    expected = saturday.comparisons[0].difference.value
    assert found.weekdays.segments["Saturday"].effect.value == pytest.approx(expected)
    once = over_time(rows.drop_duplicates("user"))
    assert once.clock == "calendar"
    same_day = rows.assign(day=rows.groupby("user")["day"].transform("first"))
    assert over_time(same_day).clock == "calendar"


@pytest.mark.parametrize("kind", ["text", "time", "arrow", "number", "zone"])
def test_days_are_read_from_what_there_is(kind: str) -> None:
    days = pd.Series(pd.to_datetime(["2026-03-02 23:59", "2026-03-01 00:00", "2026-03-02 00:00"]))
    expected = [20514, 20513, 20514]
    frames: dict[str, Any] = {
        "text": pd.DataFrame({"day": days.dt.strftime("%Y-%m-%dT%H:%M:%S")}),
        "time": pd.DataFrame({"day": days}),
        "arrow": pa.table({"day": pa.array(days).cast(pa.date32(), safe=False)}),
        "number": pd.DataFrame({"day": expected}),
        "zone": pd.DataFrame({"day": days.dt.tz_localize("UTC")}),
    }
    found, dated = read_days(frames[kind], "day")
    assert found.tolist() == expected
    assert dated == (kind != "number")


def test_numbers_of_days_have_no_weekday() -> None:
    rows = frame(300)
    assert over_time(rows.assign(day=rows["day"].dt.day_of_year)).weekdays is None
    empty = rows[:0]
    assert effects_over_time(empty, time="day", metric=Mean("spent"), variants=VARIANTS) == []


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([None, "2026-01-01"], "day must be known for each row, got none in row 0"),
        (["x", "y"], "day must hold days: "),
        ([0.5, 1.5], "day must hold days, got float64"),
    ],
)
def test_what_is_no_day_is_refused(days: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_days(pd.DataFrame({"day": days}), "day")


def test_more_than_a_thousand_days_are_refused() -> None:
    rows = pd.DataFrame({"variant": ["A", "B"] * 600, "spent": 1.0, "day": np.arange(1200)})
    with pytest.raises(ValueError, match="day must hold at most 1,000 days, got 1,200"):
        effects_over_time(rows, time="day", metric=Mean("spent"), variants=("A", "B"))
