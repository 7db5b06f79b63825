"""What is read off the pictures is what the results hold."""

from dataclasses import replace
from io import BytesIO
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.effect import Arm
from nextcall.abtest.effect_plots import plot_effects, plot_segments
from nextcall.abtest.metrics import Aim, Mean, Proportion
from nextcall.abtest.segments import compare_segments


def _drawn(figure: Figure) -> list[Any]:
    figure.savefig(BytesIO())  # what cannot be laid out warns, and a warning is an error
    return list(figure.axes)


def _points(panel: Any, shape: str) -> list[tuple[float, float]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in panel.lines
        if line.get_marker() == shape
    ]


@pytest.fixture
def analysis() -> Analysis:
    rng = np.random.default_rng(0)
    variant = np.resize(["A", "B", "C"], 9_000)
    rows = pd.DataFrame({"variant": variant, "bought": rng.random(9_000) < 0.3})
    rows["spent"] = rng.normal(10, 3, 9_000) + (variant == "B") - (variant == "C")
    rows["wait"] = rng.normal(100, 5, 9_000)
    rows["fee"] = rng.normal(100, 1, 9_000)
    rows["balance"] = rng.normal(0, 1, 9_000)
    return analyze(
        rows,
        control="A",
        metrics=[
            Mean("spent"),
            Proportion("bought", aim=Aim(margin=0.05)),
            Mean("wait", aim=Aim(better="lower", margin=0.02, guardrail=True)),
            Mean("fee", aim=Aim(equivalence=0.01)),
            Mean("balance"),
        ],
    )


def test_each_comparison_is_drawn_where_it_lies(analysis: Analysis) -> None:
    truth = {("spent", "B"): 0.1, ("spent", "C"): -0.1}
    figure = plot_effects(analysis, truth=truth)
    (panel,) = _drawn(figure)
    first, second = analysis.comparisons[:2]
    assert _points(panel, "^") == [(first.relative.value, 0.0)]
    assert _points(panel, "v") == [(second.relative.value, 1.0)]
    assert [x for x, _ in _points(panel, "*")] == [0.1, -0.1]
    names = [each.get_text() for each in panel.get_yticklabels()]
    assert names[0] == "spent: B"
    assert names[4] == "wait: B\n(guardrail, less is better)"
    assert f"{first.relative.value:+.1%}" in panel.texts[0].get_text()
    keys = [each.get_text() for each in figure.legends[0].get_texts()]
    assert {"margin", "counts as equal", "truth"} <= set(keys)
    edges = [line.get_xdata()[0] for line in panel.lines if line.get_color() == "#E69F00"]
    assert edges.count(-0.05) == 2
    assert edges.count(0.02) == 2, "less is better: the margin is above"


def test_an_interval_far_wider_than_the_others_ends_in_arrows(analysis: Analysis) -> None:
    (panel,) = _drawn(plot_effects(analysis))
    low, high = panel.get_xlim()
    assert _points(panel, "<")[0][0] == low
    assert _points(panel, ">")[0][0] == high
    assert high < 1


def test_what_is_no_share_of_control_is_said(analysis: Analysis) -> None:
    first = analysis.comparisons[0]
    unknown = replace(first.relative, value=nan, se=nan, ci_lower=-inf, ci_upper=inf)
    alone = replace(analysis, comparisons=(replace(first, relative=unknown),))
    (panel,) = _drawn(plot_effects(alone))
    assert panel.texts[0].get_text() == "no share of control"
    assert [each.get_text() for each in panel.get_yticklabels()] == ["spent"]
    assert not _points(panel, "<")


def test_segments_show_both_effects_in_their_order() -> None:
    arms = {
        name: (Arm(n=400, estimate=1.0, variance=1.0), Arm(n=400, estimate=b, variance=1.0))
        for name, b in (("phone", 1.1), ("desktop", 1.9), ("tablet", 1.2))
    }
    arms["watch"] = (Arm(n=1, estimate=1.0, variance=nan), Arm(n=1, estimate=1.0, variance=nan))
    found = compare_segments(arms)
    figure = plot_segments(found, truth={"phone": 0.1})
    (panel,) = _drawn(figure)
    names = [each.get_text() for each in panel.get_yticklabels()]
    assert names == ["desktop", "tablet", "phone", "watch"]
    assert [x for x, _ in _points(panel, "o")] == [
        found.segments[name].effect.value for name in names
    ]
    assert [x for x, _ in _points(panel, "D")] == [found.segments[name].shrunk for name in names]
    assert [x for x, _ in _points(panel, "*")] == [0.1]
    assert "Effects differ" in panel.get_title(loc="left")


def test_segments_without_errors_have_no_mean() -> None:
    arm = Arm(n=1, estimate=1.0, variance=nan)
    (panel,) = _drawn(plot_segments(compare_segments({"one": (arm, arm)}), what="spent"))
    assert panel.get_xlabel() == "spent"
    assert panel.texts[0].get_text() == "no p"
