"""What is read off the pictures is what the looks hold."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.abtest.analysis_path import analyze_path
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.look import LookPlan
from nextcall.abtest.look_plots import plot_path, plot_sample_ratio
from nextcall.abtest.metrics import Aim, Mean
from nextcall.abtest.sequential_srm import sample_ratio_path
from nextcall.abtest.srm import sample_ratio

Batches = Callable[[float, int], list[pd.DataFrame]]


def _drawn(figure: Figure) -> list[Any]:
    figure.savefig(BytesIO())
    return list(figure.axes)


def _heights(panel: Any, colour: str) -> list[list[float]]:
    return [np.asarray(each.get_ydata()).tolist() for each in panel.lines
            if each.get_color() == colour]  # fmt: skip


@pytest.fixture
def batches() -> Batches:
    def drawn(effect: float, looks: int) -> list[pd.DataFrame]:
        rng = np.random.default_rng(3)
        variant = np.resize(["A", "B"], 200)
        return [
            pd.DataFrame(
                {"variant": variant, "spent": rng.normal(10, 1, 200) + effect * (variant == "B")}
            )
            for _ in range(looks)
        ]

    return drawn


def test_the_path_shows_each_look_and_where_the_effect_is_first_shown(batches: Batches) -> None:
    plan = LookPlan(n=6_000)
    path = analyze_path(batches(0.2, 10), control="A", metrics=[Mean("spent")], plan=plan)
    upper, lower = _drawn(plot_path(path, plan=plan, truth=0.2))
    seen = [each.comparisons[0] for each in path]
    assert _heights(upper, "#0072B2") == [[each.difference.value for each in seen]]
    shown = [each.difference.pvalue <= 0.05 for each in seen]
    first = shown.index(True)
    assert f"shown at {200 * (first + 1):,} units" in upper.get_title(loc="left")
    assert _heights(upper, "#009E73") == [[seen[first].difference.value]]
    scores, bound = _heights(lower, "#0072B2")[0], _heights(lower, "#D55E00")[0]
    assert scores[first] > min(bound)
    assert lower.get_xlim()[1] > 6_000


def test_a_group_sequential_path_ends_where_it_stops_with_its_bounds(batches: Batches) -> None:
    plan = LookPlan(n=2_000, method="group-sequential")
    path = analyze_path(batches(0.2, 10), control="A", metrics=[Mean("spent")], plan=plan)
    assert len(path) < 10
    assert path[-1].verdict.decision == "winner"
    _, lower = _drawn(plot_path(path, plan=plan))
    times = [200 * (place + 1) / 2_000 for place in range(len(path))]
    bounds = np.array(spending_bounds(times).upper)
    assert _heights(lower, "#D55E00")[0] == pytest.approx(bounds[bounds <= 6])
    assert abs(_heights(lower, "#0072B2")[0][-1]) >= bounds[-1]


def test_nothing_shown_and_a_metric_with_a_margin(batches: Batches) -> None:
    plan = LookPlan(n=400)
    metrics = [Mean("spent", aim=Aim(margin=0.01))]
    path = analyze_path(batches(0.0, 30), control="A", metrics=metrics, plan=plan)
    upper, lower = _drawn(plot_path(path, plan=plan, metric="spent", treatment="B"))
    assert "nothing is shown" in upper.get_title(loc="left")
    assert lower.get_xlim()[1] > 6_000, "looks past the plan are in the picture"


def test_a_metric_that_does_not_vary_has_no_score(batches: Batches) -> None:
    plan = LookPlan(n=400)
    rows = [each.assign(spent=1.0) for each in batches(0.0, 2)]
    path = analyze_path(rows, control="A", metrics=[Mean("spent")], plan=plan)
    _, lower = _drawn(plot_path(path, plan=plan))
    assert np.isnan(_heights(lower, "#0072B2")[0]).all()


def test_what_is_not_there_is_refused(batches: Batches) -> None:
    plan = LookPlan(n=400)
    path = analyze_path(batches(0.0, 2), control="A", metrics=[Mean("spent")], plan=plan)
    with pytest.raises(ValueError, match="path must hold at least one look"):
        plot_path([], plan=plan)
    with pytest.raises(ValueError, match="got 'clicks' and None"):
        plot_path(path, plan=plan, metric="clicks")


def test_a_mismatch_has_another_shape_and_its_path() -> None:
    found = sample_ratio({"A": 4_000, "B": 5_000, "C": 4_480})
    places = np.repeat([0, 1, 2], [4_000, 5_000, 4_480])
    np.random.default_rng(0).shuffle(places)
    pvalues = sample_ratio_path(places, [1, 1, 1])
    left, right = _drawn(
        plot_sample_ratio(found, units=np.arange(1, len(places) + 1), pvalues=pvalues)
    )
    shapes = {
        int(each.get_ydata()[0]): each.get_marker()
        for each in left.lines
        if each.get_marker() in {"^", "v", "o"}
    }
    assert shapes == {0: "v", 1: "^", 2: "o"}
    assert "did not come as planned" in left.get_title(loc="left")
    assert right.lines[0].get_ydata()[-1] == pytest.approx(max(pvalues[-1], 1e-12))


def test_without_units_or_with_one_panel_nothing_breaks() -> None:
    (panel,) = _drawn(plot_sample_ratio(sample_ratio({"A": 0, "B": 0})))
    assert "came as planned" in panel.get_title(loc="left")
    with pytest.raises(ValueError, match="as many, got 2 and 0"):
        plot_sample_ratio(sample_ratio([1, 1]), units=[1, 2])
