"""Pictures are drawn for real; what is read off them is what the tables hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nextcall.anomaly import series_plots
from nextcall.anomaly.oddities import alarm_table, score_oddities


def test_alarms_are_marked_and_their_reasons_told(
    draw: Callable[[Figure], Any],
    marks: Callable[[Any, str], list[tuple[Any, float]]],
    score_noise: Callable[..., Any],
) -> None:
    scored = score_noise()
    alarms = alarm_table(scored)
    windows = [(scored["time"].iloc[395], scored["time"].iloc[410])]
    figure = draw(series_plots.plot_series(scored, what="cpu", windows=windows, most=3))
    upper, lower = figure.axes
    assert sorted(y for _, y in marks(upper, "o")) == sorted(alarms["value"])
    told = figure.get_supxlabel()
    for row in alarms.nlargest(3, "risk").to_dict("records"):
        assert f"{row['time']:%Y-%m-%d %H:%M}" in told
        assert row["explanation"] in " ".join(told.split())
    assert f"and {len(alarms) - 3} alarm" in told
    assert f"cpu: {len(alarms)} alarms in 900 rows" in upper.get_title()
    assert lower.get_ylim()[1] >= 1
    assert [text.get_text() for text in upper.texts] == ["1", "2", "3"]
    (legend,) = figure.legends
    assert "known to be odd" in [text.get_text() for text in legend.get_texts()]


def test_long_reasons_are_wrapped_within_the_picture(
    draw: Callable[[Figure], Any], score_noise: Callable[..., Any]
) -> None:
    reason = "level down, mean of 48 points 4.4667e+08, before 7.2237e+05 (usual at least 0); " * 4
    scored = score_noise().assign(explanation=reason)
    told = draw(series_plots.plot_series(scored, what="cpu", most=2)).get_supxlabel()
    assert reason.strip() in " ".join(told.split())


def test_numbers_of_near_alarms_do_not_touch(
    draw: Callable[[Figure], Any], score_noise: Callable[..., Any]
) -> None:
    scored = score_noise().assign(risk=0.0)
    scored.loc[range(300, 324, 3), "risk"] = 0.9
    figure = draw(series_plots.plot_series(scored, what="cpu"))
    boxes = [text.get_bbox_patch().get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 8
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_a_band_is_drawn_where_there_is_one(
    draw: Callable[[Figure], Any], score_noise: Callable[..., Any]
) -> None:
    scored = score_noise()
    plain = scored.drop(columns=["low", "high"])
    assert len(draw(series_plots.plot_series(plain, what="cpu")).axes[0].collections) == 0
    banded = scored.assign(low=90.0, high=110.0)
    figure = draw(series_plots.plot_series(banded, what="cpu"))
    assert len(figure.axes[0].collections) == 2
    (legend,) = figure.legends
    assert "expected" in [text.get_text() for text in legend.get_texts()]


def test_nothing_wrong_is_said_plainly(draw: Callable[[Figure], Any]) -> None:
    calm = pd.DataFrame({"key": "flat", "time": np.arange(300), "value": np.full(300, 2e6)})
    figure = draw(series_plots.plot_series(score_oddities(calm), what="flat"))
    assert figure.get_supxlabel() == "Nothing is wrong."
    assert figure.axes[0].get_title() == "flat: no alarm"


def test_rows_without_times_are_numbered(
    draw: Callable[[Figure], Any], score_noise: Callable[..., Any]
) -> None:
    scored = score_noise().assign(time=np.arange(900))
    told = draw(series_plots.plot_series(scored, what="cpu")).get_supxlabel()
    assert "row 400" in told


def test_the_largest_numbers_are_drawn(
    draw: Callable[[Figure], Any],
    marks: Callable[[Any, str], list[tuple[Any, float]]],
    score_noise: Callable[..., Any],
) -> None:
    scored = score_noise().assign(risk=0.0, low=-np.inf, high=1.0)
    scored.loc[[300, 301], "risk"] = 0.9
    scored.loc[[300, 301], "value"] = 1e308, -1e308
    upper, _ = draw(series_plots.plot_series(scored, what="cpu")).axes
    assert [y for _, y in marks(upper, "o")] == [1e150, -1e150]
