"""Pictures are drawn for real; what is read off them is what the tables hold."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from nextcall.anomaly import grid_plots
from nextcall.anomaly.oddities import score_oddities


def test_the_grid_shows_the_oddest_first_on_one_screen(
    draw: Callable[[Figure], Any], score_noise: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(0)
    parts = [score_noise(600, (500,), key="odd")]
    flat = pd.DataFrame({"key": "flat", "time": parts[0]["time"], "value": 7.0})
    parts.append(score_oddities(flat))
    gaps = parts[0].assign(key="gaps", value=np.nan, risk=0.0, once_in=0.0)
    parts.append(gaps)
    for number in range(30):
        noise = pd.DataFrame(
            {"key": f"a/noise_{number}.csv", "time": np.arange(600), "value": rng.normal(size=600)}
        )
        parts.append(score_oddities(noise))
    scored = pd.concat(parts)
    windows = pd.DataFrame({"key": ["odd"], "first": [490], "last": [510]})
    figure = draw(grid_plots.plot_grid(scored, what="machines", windows=windows))
    (panel,) = figure.axes
    names = [text.get_text() for text in panel.texts]
    assert len(names) == 33
    alarms = (scored["risk"] >= 0.5).groupby(scored["key"]).sum()
    rarest = scored.groupby("key")["once_in"].max()
    order = sorted(alarms.index, key=lambda key: (alarms[key] > 0, rarest[key]), reverse=True)
    shown = [name.split(" · ")[0] for name in names]
    loud = [key.rpartition("/")[2].removesuffix(".csv") for key in order if alarms[key]]
    assert shown[: len(loud)] == loud
    assert all(
        name.endswith(f" · {alarms[key]}") for name, key in zip(names, order, strict=False)
        if alarms[key]
    )  # fmt: skip
    assert f"{len(loud)} of 33 series have alarms" in panel.get_title()
    assert len(panel.patches) == 1
    width, height = figure.get_size_inches()
    assert width / height == pytest.approx(16 / 9)


def test_200_series_fit_the_same_screen_and_more_are_counted(draw: Callable[[Figure], Any]) -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"a-name-that-is-far-too-long-for-a-cell-{n}" for n in range(203)], 300)
    scored = pd.DataFrame({"key": names, "value": rng.normal(size=len(names)), "risk": 0.0})
    figure = draw(grid_plots.plot_grid(scored, what="many"))
    (panel,) = figure.axes
    assert "0 of 203 series have alarms; 3 less odd ones are not drawn" in panel.get_title()
    assert len(panel.texts) == 200
    assert len({text.get_text() for text in panel.texts}) == 200  # shortened in the middle
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in panel.texts]
    rows = len({round(box.y0) for box in boxes})
    columns = -(-200 // rows)
    for left, right in pairwise(boxes):
        assert left.y0 != right.y0 or left.x1 <= right.x0
    assert columns * rows >= 200
    (lines,) = [part for part in panel.collections if isinstance(part, LineCollection)]
    assert len(lines.get_paths()) == 200


@pytest.mark.parametrize("most", [0, 401])
def test_a_grid_of_nothing_or_of_too_many_is_refused(
    score_noise: Callable[..., Any], most: int
) -> None:
    with pytest.raises(ValueError, match=f"most must be from 1 to 400, got {most}"):
        grid_plots.plot_grid(score_noise(), what="cpu", most=most)


def test_extreme_values_are_drawn_without_overflow(draw: Callable[[Figure], Any]) -> None:
    values = np.array([-1e308, 1e308, 0.0, np.nan] * 100)
    scored = pd.DataFrame({"key": "huge", "value": values, "risk": 0.0})
    (panel,) = draw(grid_plots.plot_grid(scored, what="huge")).axes
    path = panel.collections[0].get_paths()[0].vertices
    assert np.isfinite(path).all()
    assert (path[:, 1].min(), path[:, 1].max()) == pytest.approx((0.0, 0.62))


def test_small_pictures_keep_every_extreme() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    values[[1234, 15_001]] = 50, -50
    rows = grid_plots._thinned(values, 100)
    assert len(rows) <= 100
    assert {1234, 15_001} <= set(rows)
