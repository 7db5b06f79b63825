from io import BytesIO
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from nextcall.abtest import plots
from nextcall.abtest.validity_plots import plot_pvalues, plot_shares


@pytest.mark.parametrize(
    ("bad", "shapes"), [("above", ["o", "^", "D"]), ("below", ["o", "D", "v"])]
)
def test_a_broken_promise_has_another_shape(
    bad: Literal["above", "below"], shapes: list[str]
) -> None:
    table = pd.DataFrame(
        [
            {"method": name, "group": "normal", "share": s, "low": s - 0.01, "high": s + 0.01}
            for name, s in (("kept", 0.059), ("often", 0.1), ("seldom", 0.01))
        ]
    )
    figure = plot_shares(table, level=0.05, within=0.007, what="errors", bad=bad)
    figure.savefig(BytesIO())
    (panel,) = figure.axes
    found = [line.get_marker() for line in panel.lines if line.get_marker() in {"o", "^", "v", "D"}]
    assert found == shapes
    assert [each.get_text() for each in panel.get_yticklabels()] == ["kept", "often", "seldom"]


def test_what_is_never_seen_is_not_in_the_legend() -> None:
    row = {"method": "one", "group": "all", "share": 0.05, "low": 0.04, "high": 0.06}
    figure = plot_shares(pd.DataFrame([row]), level=0.05, within=0.007, what="errors")
    keys = [each.get_text() for each in figure.legends[0].get_texts()]
    assert keys == ["as promised", "0.05 ± 0.007 (lines: 95 % intervals)"]


def test_uniform_pvalues_stay_in_their_band_and_small_ones_leave_it() -> None:
    rng = np.random.default_rng(0)
    figure = plot_pvalues({"well": rng.random(2_000), "small": rng.random(4_000) ** 2}, most=0.5)
    figure.savefig(BytesIO())
    (panel,) = figure.axes
    well, small = (line for line in panel.lines if len(line.get_xdata()) == 401)  # type: ignore[arg-type]
    assert np.abs(np.asarray(well.get_ydata(), float)).max() < 1.358 / np.sqrt(2_000)
    assert np.asarray(small.get_ydata(), float).max() == pytest.approx(0.25, abs=0.03)


def test_the_room_shows_its_pictures_in_one_place() -> None:
    assert {name for name in dir(plots) if name.startswith("plot_")} == set(plots.__all__)
