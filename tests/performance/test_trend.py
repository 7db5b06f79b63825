"""Runs over time: by simulation, by hand, and by an ordinary regression."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from nextcall.performance.plots import plot_parts, plot_room
from nextcall.performance.trend import (
    LEAST_EARLIER,
    compare_newest,
    promises_frame,
    runs_frame,
    weekly_change,
)

PARTS = ("guard", "ranking")
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def run(
    at: datetime, p50: dict[str, float | None], *, source: str = "cli", memory: float | None = 4e8
) -> dict[str, Any]:
    figures = {"errors": 0, "count": 100, "rate": 10.0}
    slower = {"p95": 2.0, "p99": 3.0, "mean": 1.1}
    return {
        "at": at.isoformat(),
        "version": "0.1.0",
        "model_version": "m",
        "source": source,
        "parts": {
            name: {
                **figures,
                "p50": one,
                **{key: None if one is None else by * one for key, by in slower.items()},
            }
            for name, one in p50.items()
        },
        "promises": [
            {
                "part": "service",
                "name": "memory",
                "unit": "bytes",
                "value": memory,
                "limit": 1e9,
                "room": None if memory is None else 1e9 - memory,
                "status": "unknown" if memory is None else "met" if memory <= 1e9 else "missed",
            }
        ],
    }


def daily(values: dict[str, list[float]]) -> pd.DataFrame:
    days = range(len(next(iter(values.values()))))
    runs = [
        run(START + timedelta(days=day), {name: own[day] for name, own in values.items()})
        for day in days
    ]
    return runs_frame(reversed(runs))  # as a history gives them


def test_runs_become_rows_by_time() -> None:
    frame = daily({"guard": [1.0, 2.0, 4.0], "ranking": [3.0, 3.0, 3.0]})
    assert list(frame["part"]) == ["guard", "ranking"] * 3
    assert list(frame.loc[frame["part"] == "guard", "p95"]) == [2.0, 4.0, 8.0]
    assert frame["at"].is_monotonic_increasing
    assert frame["at"].iloc[0] == pd.Timestamp(START)


def test_no_runs_give_empty_frames() -> None:
    assert runs_frame([]).empty
    assert promises_frame([]).empty
    assert compare_newest(runs_frame([])).empty
    assert weekly_change(runs_frame([])).empty


def test_room_is_a_share_of_the_limit() -> None:
    days = [START + timedelta(days=day) for day in range(3)]
    told = [
        run(at, {"guard": 1.0}, memory=m) for at, m in zip(days, (4e8, None, 1.2e9), strict=True)
    ]
    frame = promises_frame(told)
    np.testing.assert_allclose(frame["room"], [0.6, np.nan, -0.2])
    assert list(frame["status"]) == ["met", "unknown", "missed"]


def test_the_newest_is_told_slower_faster_or_the_same() -> None:
    before = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    frame = daily({"a": [*before, 2.0], "b": [*before, 0.4], "c": [*before, 1.05]})
    found = compare_newest(frame).set_index("part")
    assert list(found["outcome"]) == ["worse", "better", "same"]
    assert found["ratio"]["a"] == pytest.approx(2 / np.exp(np.mean(np.log(before))))
    assert set(found["earlier"]) == {6}


def test_a_run_like_the_others_is_rarely_told_to_have_changed() -> None:
    rng, alarms = np.random.default_rng(5), 0
    for _ in range(400):
        values = np.exp(rng.normal(0, 0.3, (8, 12)))
        frame = daily({f"part {i}": list(own) for i, own in enumerate(values)})
        alarms += bool((compare_newest(frame)["outcome"] != "same").any())
    assert 0.02 <= alarms / 400 <= 0.08  # 0.05 is promised


def test_of_few_runs_or_without_a_figure_nothing_is_said() -> None:
    few = daily({"a": [1.0] * LEAST_EARLIER})
    assert list(compare_newest(few)["outcome"]) == ["unknown"]
    runs = [run(START + timedelta(days=day), {"a": 1.0}) for day in range(9)]
    runs.append(run(START + timedelta(days=9), {"a": None}))
    assert list(compare_newest(runs_frame(runs))["outcome"]) == ["unknown"]
    assert np.isnan(weekly_change(few.iloc[1:])["change"].item())


def test_sources_do_not_mix() -> None:
    mixed = runs_frame(run(START, {"a": 1.0}, source=source) for source in ("cli", "route"))
    with pytest.raises(ValueError, match=r"^frame must be of one source, got \['cli', 'route'\]"):
        compare_newest(mixed)


@pytest.mark.parametrize("confidence", [0, 1, -1])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"^confidence must be above 0 and below 1"):
        compare_newest(daily({"a": [1.0]}), confidence=confidence)


@given(st.floats(-0.3, 0.3), st.integers(LEAST_EARLIER, 30))
def test_a_steady_growth_is_found(weekly: float, days: int) -> None:
    values = list((1 + weekly) ** (np.arange(days) / 7))
    (found,) = weekly_change(daily({"a": values})).itertuples()
    assert found.days == days
    told = np.array([found.change, found.ci_lower, found.ci_upper], float)
    np.testing.assert_allclose(told, weekly, atol=1e-9)


def test_a_day_counts_once_and_an_odd_day_bends_nothing() -> None:
    values = [1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0]
    frame = daily({"a": values})
    twice = runs_frame(
        run(START + timedelta(days=day, hours=hour), {"a": value})
        for day, value in enumerate(values)
        for hour in range(3)
    )
    for each in (frame, twice):
        (found,) = weekly_change(each).itertuples()
        assert (found.days, found.change) == (7, 0.0)


def test_what_is_drawn_is_what_the_frames_hold() -> None:
    days = [START + timedelta(days=day) for day in range(3)]
    told = [
        run(at, {"a": 1.0, "b": 2.0}, memory=m) for at, m in zip(days, (4e8, 5e8, 2e9), strict=True)
    ]
    panels = [each for each in plot_parts(runs_frame(told)).axes if each.get_visible()]
    assert [panel.get_title() for panel in panels] == ["a", "b"]
    np.testing.assert_array_equal(panels[1].lines[0].get_ydata(), [2.0, 2.0, 2.0])
    (panel,) = plot_room(promises_frame(told)).axes
    (bar,) = panel.patches
    assert isinstance(bar, Rectangle)
    assert bar.get_width() == -1.0
    np.testing.assert_allclose(np.asarray(panel.lines[0].get_xdata(), float), [0.6, 0.5])
    assert panel.get_xlim() == (-1.0, 1.0)
