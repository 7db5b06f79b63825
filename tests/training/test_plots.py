"""Pictures are drawn for real; what is read off them is what the tables hold."""

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.training import plots
from nextcall.training.misses import OUTCOMES, outcome_shares


def draw(figure: Figure) -> Any:
    """Draw for real, so that warnings of matplotlib fail the test."""
    file = BytesIO()
    figure.savefig(file, format="png")
    assert 2_000 < len(file.getvalue()) < 400_000
    return figure


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("whole", "whole", 0.0, 0.0, 0.0),
        ("features", "no words", -0.02, -0.03, -0.01),
        ("features", "no ranks", 0.001, -0.004, 0.006),
        ("trees", "400", 0.01, 0.005, 0.015),
    ]
    columns = ["family", "variant", "difference", "difference_low", "difference_high"]
    one = pd.DataFrame(rows, columns=columns)
    return pd.concat([one.assign(task="cold"), one.assign(task="after_calls")])


def test_a_dot_stands_at_every_difference_and_a_line_over_its_interval(table: pd.DataFrame) -> None:
    figure = draw(plots.plot_differences(table, {"cold": "prompt alone"}))
    (panel,) = figure.axes
    drawn = [line for line in panel.lines if line.get_marker() == "o"]
    assert sorted(float(line.get_xdata()[0]) for line in drawn) == [-0.02, 0.001, 0.01]
    colour = {float(line.get_xdata()[0]): line.get_color() for line in drawn}
    assert len(set(colour.values())) == 3  # worse, the same, better
    assert "no words (-0.020)" in panel.get_title()
    assert [text.get_text() for text in panel.texts] == ["features", "trees"]
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        "no words",
        "no ranks",
        "400",
    ]


def test_there_is_a_panel_a_task(table: pd.DataFrame) -> None:
    headings = {"cold": "prompt alone", "after_calls": "after two calls"}
    figure = draw(plots.plot_differences(table, headings))
    assert [panel.get_title().split("\n")[0] for panel in figure.axes] == list(headings.values())


def test_the_learning_curve_says_what_the_last_doubling_gave() -> None:
    curve = pd.DataFrame(
        {
            "task": ["cold"] * 3,
            "prompts": [100.0, 200.0, 400.0],
            "mean": [0.6, 0.7, 0.72],
            "low": [0.5, 0.65, 0.70],
            "high": [0.7, 0.75, 0.74],
        }
    )
    figure = draw(plots.plot_learning_curve(curve, {"cold": "prompt alone"}))
    (panel,) = figure.axes
    assert "+0.020 prompt alone" in panel.get_title()
    assert [label.get_text() for label in panel.get_xticklabels()] == ["100", "200", "400"]


@pytest.fixture
def answers() -> pd.DataFrame:
    outcomes = ["right"] * 6 + ["twin", "twin", "right service", "other service"]
    return pd.DataFrame(
        {
            "outcome": outcomes,
            "confidence": [0.9] * 6 + [0.8, 0.2, 0.1, 0.3],
            "action": ["list", "read"] * 5,
        }
    )


def test_bars_are_as_long_as_the_shares(answers: pd.DataFrame) -> None:
    shares = outcome_shares(answers, "action")
    figure = draw(plots.plot_outcomes(shares, "action", what="AWS"))
    (panel,) = figure.axes
    widths = [[bar.get_width() for bar in bars] for bars in panel.containers]
    present = [kind for kind in OUTCOMES if (shares[kind] > 0).any()]
    for kind, drawn in zip(present, widths, strict=True):
        assert drawn == pytest.approx(shares[kind].tolist())
    assert "40% of the first answers are wrong, 50% of these are twins" in panel.get_title()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [OUTCOMES[kind] for kind in present]


def test_the_histogram_counts_answers_by_confidence(answers: pd.DataFrame) -> None:
    figure = draw(plots.plot_confidence(answers, what="AWS"))
    (panel,) = figure.axes
    assert (
        "25% of the wrong first answers came with a confidence of 0.5 or more" in panel.get_title()
    )
    tops = [bar.get_y() + bar.get_height() for bars in panel.containers for bar in bars]
    assert max(tops) == 6


def test_nothing_wrong_is_drawn_too(answers: pd.DataFrame) -> None:
    right = answers[answers["outcome"] == "right"]
    assert "0% of the wrong" in draw(plots.plot_confidence(right, what="A")).axes[0].get_title()
    shares = outcome_shares(right, "action")
    assert (
        "0% of the first"
        in draw(plots.plot_outcomes(shares, "action", what="A")).axes[0].get_title()
    )


def test_the_heat_map_says_means_and_colours_gains() -> None:
    rows = [
        ("BM25", "a", 0.5, 0.5), ("fusion", "b", 0.6, 0.6),
        ("packaged model", "a", 0.7, 0.5), ("packaged model", "b", 0.5, 0.6),
        ("a", "a", 0.8, 0.5), ("b", "a", 0.4, 0.5), ("b", "b", 0.9, 0.6),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["source", "target", "mean", "best"])
    table["gain"] = table["mean"] - table["best"]
    figure = draw(plots.plot_transfer(table, what="whole tasks"))
    panel = figure.axes[0]
    drawn: Any = np.ma.filled(panel.images[0].get_array(), np.nan)
    expected = np.array([[0, 0], [0.2, -0.1], [0.3, np.nan], [-0.1, 0.3]])
    np.testing.assert_allclose(drawn, expected, atol=1e-9)
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["best baseline", "packaged model", "a", "b"]
    bold = [text.get_text() for text in panel.texts if text.get_fontweight() == "bold"]
    assert bold == ["0.80", "0.90"]
    assert "farthest goes: packaged model, +0.050" in panel.get_title()
