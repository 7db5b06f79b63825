from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.synth import Workflow, plots
from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.clock import GapLaw
from nextcall.synth.series import SeriesSettings, metric_series
from nextcall.synth.workflow import STATES


def draw(figure: Figure) -> Any:
    """Draw for real, so that warnings of matplotlib fail the test."""
    file = BytesIO()
    figure.savefig(file, format="png")
    assert 2_000 < len(file.getvalue()) < 400_000
    return figure


def test_matrices_count_the_cells_that_are_near() -> None:
    planted = Workflow().matrix
    found = planted.copy()
    found[0, 0] += 0.1
    found[0, 1] -= 0.1
    figure = draw(plots.plot_matrices(planted, found, np.full(len(STATES), 1000)))
    assert figure.get_suptitle().startswith(f"{planted.size - 2} of {planted.size} planted")
    off = np.asarray(figure.axes[2].images[0].get_array())
    error = np.sqrt(planted[0, 0] * (1 - planted[0, 0]) / 1000)
    assert off[0, 0] == pytest.approx(0.1 / error)


def test_a_certain_cell_has_no_error_to_count() -> None:
    planted = np.eye(len(STATES), len(STATES) + 1)
    planted[0, :2] = 0.5
    figure = draw(plots.plot_matrices(planted, planted, np.full(len(STATES), 10)))
    assert figure.get_suptitle().startswith("2 of 2 planted")


def test_lengths_and_gaps_lie_on_their_laws() -> None:
    rng = np.random.default_rng(0)
    law = GapLaw()
    shares = 0.5 ** np.arange(1, 40)
    lengths = rng.geometric(0.5, 20_000)
    gaps = law.draw(20_000, rng=rng)
    left, right = draw(plots.plot_lengths_and_gaps(lengths, shares, gaps, law)).axes
    assert "2.00 follow from the matrix" in left.get_title()
    line = np.asarray(left.lines[-1].get_ydata(), dtype=float)
    np.testing.assert_allclose(line, shares[shares >= 0.001])
    points = np.asarray(left.lines[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(points, line, atol=0.02)
    distance = float(right.get_title().split()[4])
    assert 0 < distance < 1.63 / np.sqrt(len(gaps))  # Kolmogorov's quantile of 99 %


def test_the_week_tells_how_many_hours_are_in_their_band() -> None:
    rates = np.full(168, 100.0)
    hours = np.repeat(np.arange(168), np.where(np.arange(168) < 42, 200, 100))
    panel = draw(plots.plot_week(hours, rates)).axes[0]
    assert panel.get_title().startswith("75% of the 168 hours")
    assert [text.get_text() for text in panel.texts][:2] == ["Mon", "Tue"]


def test_users_without_enough_gaps_have_no_pace() -> None:
    counts = np.array([60, 20, 12, 8])
    pace = np.array([1.0, 0.5, 2.0, 1.5])
    found = np.array([1.0, 0.5, 2.0, np.nan])
    left, right = draw(plots.plot_users(counts, counts, pace, found)).axes
    assert left.get_title().startswith("The most active tenth makes 60.0%")
    assert "correlation 1.000\n(3 users)" in right.get_title()
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.3", "0.5", "1", "2", "3"]


def test_rates_outside_their_interval_are_not_counted() -> None:
    table = pd.DataFrame(
        {
            "rate": ["errors", "retries"],
            "planted": [0.1, 0.8],
            "found": [0.11, 0.7],
            "low": [0.09, 0.65],
            "high": [0.13, 0.75],
        }
    )
    panel = draw(plots.plot_rates(table)).axes[0]
    assert panel.get_title().startswith("1 of 2 planted rates")
    assert [text.get_text() for text in panel.get_yticklabels()] == ["errors", "retries"]


def test_the_drift_is_found_where_the_evidence_is_largest() -> None:
    shares = pd.DataFrame({"view": [0.5, 0.5, 0.9, 0.9], "edit": [0.5, 0.5, 0.1, 0.1]})
    figure = draw(plots.plot_drift(shares, [np.nan, 1.0, 9.0, 2.0], planted=1.5))
    assert figure.axes[0].get_title() == "The drift that was planted on day 1.5 is found on day 2"


def test_every_fault_is_drawn_where_it_was_planted() -> None:
    rng = np.random.default_rng(0)
    knobs = SeriesSettings(level=300, entities=2)
    series = metric_series(60 * len(KINDS), rng=rng, settings=knobs)
    faulty, truth = plant_anomalies(series, rng=rng, kinds=KINDS[:-1])
    figure = draw(plots.plot_anomalies(faulty, truth))
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert [panel.get_title() for panel in shown] == list(KINDS[:-1])
    assert len(figure.axes) == len(KINDS)
    by_kind = truth.set_index("kind")
    for panel in shown:
        fault = by_kind.loc[panel.get_title()]
        marked = panel.patches[0].get_extents().transformed(panel.transData.inverted())
        assert marked.width == pytest.approx(fault["last"] - fault["first"] + 1)
        part = faulty[faulty["entity"] == fault["entity"]]["value"].to_numpy()
        minutes, values = panel.lines[1].get_data()
        at = list(minutes).index(0)
        assert values[at] == part[fault["first"]]
    inside = float(figure.get_suptitle().split()[5])
    beside = float(figure.get_suptitle().partition("beside them ")[2].split()[0])
    assert inside > 2 > beside


def test_intervals_that_miss_the_effect_are_counted() -> None:
    intervals = pd.DataFrame(
        {
            "metric": ["revenue"] * 3 + ["conversion"] * 3,
            "effect": [0.0, 1.0, 2.0, 0.1, 0.2, 0.9],
            "low": [-1.0, 0.5, 1.5, 0.0, 0.1, 0.5],
            "high": [1.0, 1.5, 2.5, 0.2, 0.3, 1.0],
        }
    )
    truth = pd.DataFrame({"metric": ["revenue", "conversion"], "absolute": [1.0, 0.15]})
    figure = draw(plots.plot_effects(intervals, truth))
    assert figure.get_suptitle() == "4 of 6 intervals (67%) hold the planted effect"
    assert [panel.get_title() for panel in figure.axes] == [
        "revenue: 2 of 3 hold it",
        "conversion: 2 of 3 hold it",
    ]
