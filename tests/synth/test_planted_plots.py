from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.synth import planted_plots
from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series


def test_every_fault_is_drawn_where_it_was_planted(draw: Callable[[Figure], Any]) -> None:
    rng = np.random.default_rng(0)
    knobs = SeriesSettings(level=300, entities=2)
    series = metric_series(60 * len(KINDS), rng=rng, settings=knobs)
    faulty, truth = plant_anomalies(series, rng=rng, kinds=KINDS[:-1])
    figure = draw(planted_plots.plot_anomalies(faulty, truth))
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


def test_intervals_that_miss_the_effect_are_counted(draw: Callable[[Figure], Any]) -> None:
    intervals = pd.DataFrame(
        {
            "metric": ["revenue"] * 3 + ["conversion"] * 3,
            "effect": [0.0, 1.0, 2.0, 0.1, 0.2, 0.9],
            "low": [-1.0, 0.5, 1.5, 0.0, 0.1, 0.5],
            "high": [1.0, 1.5, 2.5, 0.2, 0.3, 1.0],
        }
    )
    truth = pd.DataFrame({"metric": ["revenue", "conversion"], "absolute": [1.0, 0.15]})
    figure = draw(planted_plots.plot_effects(intervals, truth))
    assert figure.get_suptitle() == "4 of 6 intervals (67%) hold the planted effect"
    assert [panel.get_title() for panel in figure.axes] == [
        "revenue: 2 of 3 hold it",
        "conversion: 2 of 3 hold it",
    ]
