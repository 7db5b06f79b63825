from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nextcall.catalog import Catalog
from nextcall.synth import simulate
from nextcall.synth.clock import week_profile
from nextcall.synth.series import SeriesSettings, count_events, metric_series


def test_counts_are_poisson_around_their_mean(rng: np.random.Generator) -> None:
    series = metric_series(2000, rng=rng)
    assert (series["value"] == series["value"].round()).all()
    np.testing.assert_allclose(series["sigma"] ** 2, series["expected"])
    surplus = ((series["value"] - series["expected"]) ** 2 / series["expected"]).sum()
    assert 0.0005 < stats.chi2.cdf(surplus, 2000) < 0.9995


def test_latencies_are_log_normal_around_their_mean(rng: np.random.Generator) -> None:
    settings = SeriesSettings(kind="latency", level=80.0)
    series = metric_series(5000, rng=rng, settings=settings)
    surplus = (series["value"] - series["expected"]) / series["sigma"]
    # Mean 0 and standard deviation 1, to four standard errors (kurtosis of a log-normal of 0.25).
    assert abs(surplus.mean()) < 4 / np.sqrt(5000)
    assert surplus.std() == pytest.approx(1.0, abs=4 * np.sqrt((4.1 - 1) / 4 / 5000))
    whole = metric_series(7 * 1440, rng=rng, settings=settings)
    assert whole["expected"].mean() == pytest.approx(80.0, rel=0.01)


def test_the_season_is_the_weeks_profile() -> None:
    rng = np.random.default_rng(0)
    start = datetime(2026, 1, 9, 13, tzinfo=UTC)  # a Friday
    series = metric_series(7 * 1440, rng=rng, settings=SeriesSettings(start=start, level=50.0))
    at_hours = series[series["time"].dt.minute == 0].set_index("time")["expected"]
    hour = at_hours.index.day_of_week * 24 + at_hours.index.hour
    np.testing.assert_allclose(at_hours, 50.0 * week_profile()[hour])
    assert series["expected"].mean() == pytest.approx(50.0, rel=0.001)
    flat = metric_series(60, rng=rng, settings=SeriesSettings(season=0.0))
    assert (flat["expected"] == 100.0).all()


def test_entities_share_the_counts() -> None:
    settings = SeriesSettings(entities=12, level=60.0, season=0.0)
    series = metric_series(10, rng=np.random.default_rng(0), settings=settings)
    assert series["entity"].drop_duplicates().tolist() == [f"e{n:02d}" for n in range(12)]
    assert series.groupby("time")["expected"].sum().to_numpy() == pytest.approx(60.0)
    assert series.groupby("entity")["time"].is_monotonic_increasing.all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "price"}, "kind must be 'count' or 'latency', got 'price'"),
        ({"level": 0.0}, "level must be above 0"),
        ({"season": 2.0}, r"season must be in \[0, 1\]"),
        ({"entities": 0}, "entities must be at least 1"),
    ],
)
def test_series_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SeriesSettings(**settings)  # type: ignore[arg-type]  # the error


def test_a_series_has_a_minute(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="minutes must be at least 1, got 0"):
        metric_series(0, rng=rng)


def test_events_are_counted_for_every_entity_and_span(
    shop: Catalog, rng: np.random.Generator
) -> None:
    sessions = simulate(shop, n_sessions=40, rng=rng).sessions
    counts = count_events(sessions, by="operation_id", every="1h")
    wide = counts.pivot_table(index="time", columns="entity", values="value", aggfunc="sum")
    assert wide.to_numpy().sum() == len(sessions)
    assert len(counts) == wide.size
    assert (wide.index.to_series().diff().dropna() == pd.Timedelta("1h")).all()
    for _, call in sessions.head(20).iterrows():
        same = (sessions["operation_id"] == call["operation_id"]) & (
            sessions["time"].dt.floor("1h") == call["time"].floor("1h")
        )
        assert wide.loc[call["time"].floor("1h"), call["operation_id"]] == same.sum()
