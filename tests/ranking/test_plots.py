"""What the pictures of evaluations show is what their frames hold."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.plots import (
    plot_gains,
    plot_importance,
    plot_recall,
    plot_reliability,
    plot_results,
    plot_slices,
)


def _spans(panel: Axes) -> list[tuple[float, float]]:
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in panel.patches]  # type: ignore[attr-defined]  # rectangles


def _points(line: Line2D) -> list[tuple[float, float]]:
    return [(x, y) for x, y in np.asarray(line.get_xydata(), dtype=np.float64).tolist()]


def _labels(panel: Axes) -> list[str]:
    return [label.get_text() for label in panel.get_yticklabels()]


def test_every_system_has_its_mean_its_interval_and_its_colour() -> None:
    summary = pd.DataFrame(
        {
            "system": [RANKER, "bm25", "popular"],
            "ndcg@10": [0.8, 0.6, 0.1],
            "ndcg@10.low": [0.7, 0.5, 0.05],
            "ndcg@10.high": [0.9, 0.65, 0.2],
        }
    )
    figure = plot_results({"Prompts": summary, "Next calls": summary.iloc[:2]})
    first, second = figure.axes
    assert _labels(first) == ["popular", "bm25", RANKER]  # the best on top
    assert _labels(second) == ["bm25", RANKER]
    assert [width for _, width in _spans(first)] == [0.1, 0.6, 0.8]
    assert [_points(line) for line in first.lines] == [
        [(0.05, 0), (0.2, 0)],
        [(0.5, 1), (0.65, 1)],
        [(0.7, 2), (0.9, 2)],
    ]
    assert [(text.get_text(), text.get_position()[0]) for text in first.texts] == [
        ("0.100", pytest.approx(0.215)),  # beside a bar that is too short for it
        ("0.600", 0.015),
        ("0.800", 0.015),
    ]
    colours = [bar.get_facecolor() for bar in first.patches]
    assert len(set(colours)) == 3  # ours, the best of the others, the rest
    assert first.get_title() == "Prompts\n+0.200 on the best baseline"


def test_a_gain_stands_beside_its_interval_and_a_loss_is_of_another_colour() -> None:
    table = pd.DataFrame(
        {
            "set": ["shop", "films", "shop"],
            "task": ["prompts", "prompts", "next calls"],
            "best": ["bm25", "vectors", "bm25"],
            "gain": [0.2, -0.1, 0.3],
            "low": [0.1, -0.2, 0.25],
            "high": [0.3, 0.05, 0.35],
        }
    )
    prompts, calls = plot_gains(table).axes
    assert _labels(prompts) == ["films (vectors)", "shop (bm25)"]
    assert [_points(line) for line in prompts.lines[:-1]] == [
        [(-0.2, 0), (0.05, 0)],
        [(-0.1, 0)],
        [(0.1, 1), (0.3, 1)],
        [(0.2, 1)],
    ]
    assert prompts.lines[1].get_color() != prompts.lines[3].get_color()
    assert prompts.get_title() == "prompts: +0.050 on average"
    assert calls.get_title() == "next calls: +0.300 on average"


def test_slices_stand_weakest_first_and_those_that_lost_are_counted() -> None:
    table = pd.DataFrame(
        {"service": ["s3", "sqs"], "n_queries": [7, 5], RANKER: [0.4, 0.9], "bm25": [0.5, 0.6]}
    )
    (panel,) = plot_slices(table, "service", baseline="bm25").axes
    assert panel.get_title() == "Weakest service: s3 at 0.40; 1 of 2 below bm25"
    assert _labels(panel) == ["s3 (7)", "sqs (5)"]
    assert {line.get_label(): _points(line) for line in panel.lines} == {
        "bm25": [(0.5, 1), (0.6, 0)],  # the weakest on top
        RANKER: [(0.4, 1), (0.9, 0)],
    }


def test_what_was_promised_is_beside_what_was_kept() -> None:
    confidence = np.repeat([0.2, 0.8], 100)
    correct = np.r_[np.arange(100) < 30, np.arange(100) < 80]
    (panel,) = plot_reliability(correct, confidence, bins=2).axes
    assert panel.get_title().startswith("Promised and kept differ by 0.050 on average")
    (bars,) = (each for each in panel.containers if isinstance(each, ErrorbarContainer))
    points, _, (lines,) = bars.lines
    assert points is not None
    assert points.get_xydata() == pytest.approx(np.array([[0.2, 0.3], [0.8, 0.8]]))
    lengths = [np.ptp(segment[:, 1]) / 2 for segment in lines.get_segments()]
    assert lengths == pytest.approx([1.96 * (0.21 / 100) ** 0.5, 1.96 * (0.16 / 100) ** 0.5])


def test_recall_is_drawn_for_each_k_and_said_of_the_first_answer() -> None:
    curves = {"popular": [0.1, 0.2], RANKER: [0.7, 0.9], "bm25": [0.5, 0.8]}
    (panel,) = plot_recall(curves, ks=[1, 10]).axes
    assert panel.get_title() == (
        "The first answer is right for 70% of the prompts, that of bm25 for 50%"
    )
    drawn = {line.get_label(): _points(line) for line in panel.lines}
    assert drawn == {name: [(1, low), (10, high)] for name, (low, high) in curves.items()}
    assert len({line.get_color() for line in panel.lines}) == 3


def test_importance_is_a_share_of_each_rankers_gain() -> None:
    gains = [[2, 6, 2], [40, 40, 20]]  # shares 0.2, 0.6, 0.2 and 0.4, 0.4, 0.2
    (panel,) = plot_importance(["a", "b", "c"], gains, first=2).axes
    assert _labels(panel) == ["a", "b"]
    assert [width for _, width in _spans(panel)] == pytest.approx([0.3, 0.5])
    (lines,) = (each for each in panel.collections if isinstance(each, LineCollection))
    assert lines.get_segments()[1][:, 0] == pytest.approx([0.4, 0.6])  # least and most
    assert panel.get_title() == "b carries 50% of the gain, the 2 features shown 80%"
