from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.metrics import RankQuality
from nextcall.abtest.paired import compare_rankers
from nextcall.abtest.ranker_plots import plot_paired, plot_users, plot_values
from nextcall.abtest.users_needed import needed_users


def test_slices_stand_the_worst_first_in_three_colours() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"old": rng.random(300), "part": np.repeat(["bad", "same", "good"], 100)})
    data["new"] = data["old"] + np.repeat([-0.2, 0.0, 0.3], 100) + rng.normal(0, 0.05, 300)
    paired = compare_rankers(data, RankQuality("old", "new", by="part"), rng=rng, resamples=99)
    figure = plot_paired(paired, data["new"] - data["old"], what="NDCG")
    figure.savefig(BytesIO())
    each, parts = figure.axes
    assert [one.get_text() for one in parts.get_yticklabels()] == [
        "bad (100)",
        "same (100)",
        "good (100)",
    ]
    assert [one.get_marker() for one in parts.lines if one.get_marker() in {"v", "^", "o"}] == [
        "v",
        "o",
        "^",
    ]
    assert each.get_ylabel() == "difference in NDCG"
    assert parts.get_title(loc="left").startswith("All: +0.03")


@pytest.mark.parametrize(("worlds", "panels"), [(1, 1), (2, 2), (3, 4)])
def test_every_world_has_a_panel(worlds: int, panels: int) -> None:
    known = {"A/B": [[1.0, 16.0], [1.1, 15.0]], "drafts": [[1.0, 4.0], [0.9, 5.0]]}
    table = needed_users(known, against="A/B")
    figure = plot_users({f"world {number}": table for number in range(worlds)})
    figure.savefig(BytesIO())
    assert len(figure.axes) == panels
    assert sum(panel.get_visible() for panel in figure.axes) == worlds
    dots = [line for line in figure.axes[0].lines if line.get_marker() in {"o", "s"}]
    shown = [float(np.asarray(dot.get_xdata())[0]) for dot in dots if len(dot.get_xdata()) == 1]  # type: ignore[arg-type]
    assert shown == pytest.approx(table["users"].tolist())
    (legend,) = figure.legends
    assert [each.get_text() for each in legend.get_texts()] == ["A/B", "drafts"]


def test_estimates_that_miss_the_truth_or_are_warned_of_look_otherwise() -> None:
    rows = [
        {"policy": name, "method": method, "value": value, "low": value - 0.1, "high": value + 0.1,
         "warned": warned}
        for name, method, value, warned in (
            ("near", "IPS", 0.5, False), ("near", "DR", 0.8, False), ("far", "IPS", 0.9, True))
    ]  # fmt: skip
    figure = plot_values(pd.DataFrame(rows), truth={"near": 0.55, "far": 0.5}, what="clicks")
    figure.savefig(BytesIO())
    near, far = figure.axes
    assert [line.get_marker() for line in near.lines if line.get_marker() in {"o", "X"}] == [
        "o",
        "X",
    ]
    assert [line.get_marker() for line in far.lines if line.get_marker() in {"o", "X"}] == ["X"]
    keys = [each.get_text() for each in figure.legends[0].get_texts()]
    assert keys == ["holds the truth", "misses it", "misses it, warned of", "truth"]
