from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.synth import Workflow, session_plots
from nextcall.synth.clock import GapLaw
from nextcall.synth.workflow import STATES


def test_matrices_count_the_cells_that_are_near(draw: Callable[[Figure], Any]) -> None:
    planted = Workflow().matrix
    found = planted.copy()
    found[0, 0] += 0.1
    found[0, 1] -= 0.1
    figure = draw(session_plots.plot_matrices(planted, found, np.full(len(STATES), 1000)))
    assert figure.get_suptitle().startswith(f"{planted.size - 2} of {planted.size} planted")
    off = np.asarray(figure.axes[2].images[0].get_array())
    error = np.sqrt(planted[0, 0] * (1 - planted[0, 0]) / 1000)
    assert off[0, 0] == pytest.approx(0.1 / error)


def test_a_certain_cell_has_no_error_to_count(draw: Callable[[Figure], Any]) -> None:
    planted = np.eye(len(STATES), len(STATES) + 1)
    planted[0, :2] = 0.5
    figure = draw(session_plots.plot_matrices(planted, planted, np.full(len(STATES), 10)))
    assert figure.get_suptitle().startswith("2 of 2 planted")


def test_lengths_and_gaps_lie_on_their_laws(draw: Callable[[Figure], Any]) -> None:
    rng = np.random.default_rng(0)
    law = GapLaw()
    shares = 0.5 ** np.arange(1, 40)
    lengths = rng.geometric(0.5, 20_000)
    gaps = law.draw(20_000, rng=rng)
    left, right = draw(session_plots.plot_lengths_and_gaps(lengths, shares, gaps, law)).axes
    assert "2.00 follow from the matrix" in left.get_title()
    line = np.asarray(left.lines[-1].get_ydata(), dtype=float)
    np.testing.assert_allclose(line, shares[shares >= 0.001])
    points = np.asarray(left.lines[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(points, line, atol=0.02)
    distance = float(right.get_title().split()[4])
    assert 0 < distance < 1.63 / np.sqrt(len(gaps))  # Kolmogorov's quantile of 99 %


def test_the_week_tells_how_many_hours_are_in_their_band(draw: Callable[[Figure], Any]) -> None:
    rates = np.full(168, 100.0)
    hours = np.repeat(np.arange(168), np.where(np.arange(168) < 42, 200, 100))
    panel = draw(session_plots.plot_week(hours, rates)).axes[0]
    assert panel.get_title().startswith("75% of the 168 hours")
    assert [text.get_text() for text in panel.texts][:2] == ["Mon", "Tue"]


def test_users_without_enough_gaps_have_no_pace(draw: Callable[[Figure], Any]) -> None:
    counts = np.array([60, 20, 12, 8])
    pace = np.array([1.0, 0.5, 2.0, 1.5])
    found = np.array([1.0, 0.5, 2.0, np.nan])
    left, right = draw(session_plots.plot_users(counts, counts, pace, found)).axes
    assert left.get_title().startswith("The most active tenth makes 60.0%")
    assert "correlation 1.000\n(3 users)" in right.get_title()
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.3", "0.5", "1", "2", "3"]


def test_rates_outside_their_interval_are_not_counted(draw: Callable[[Figure], Any]) -> None:
    table = pd.DataFrame(
        {
            "rate": ["errors", "retries"],
            "planted": [0.1, 0.8],
            "found": [0.11, 0.7],
            "low": [0.09, 0.65],
            "high": [0.13, 0.75],
        }
    )
    panel = draw(session_plots.plot_rates(table)).axes[0]
    assert panel.get_title().startswith("1 of 2 planted rates")
    assert [text.get_text() for text in panel.get_yticklabels()] == ["errors", "retries"]


def test_the_drift_is_found_where_the_evidence_is_largest(draw: Callable[[Figure], Any]) -> None:
    shares = pd.DataFrame({"view": [0.5, 0.5, 0.9, 0.9], "edit": [0.5, 0.5, 0.1, 0.1]})
    figure = draw(session_plots.plot_drift(shares, [np.nan, 1.0, 9.0, 2.0], planted=1.5))
    assert figure.axes[0].get_title() == "The drift that was planted on day 1.5 is found on day 2"
