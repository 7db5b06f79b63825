"""Pictures are drawn for real; what is read off them is what the tables hold."""

from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from nextcall.anomaly import plots
from nextcall.anomaly.nab import LabelledSeries, label_series
from nextcall.anomaly.nab_files import file_points
from nextcall.anomaly.oddities import alarm_table, score_oddities


def draw(figure: Figure) -> Any:
    """Draw for real, so that warnings of matplotlib fail the test; all that is written is seen."""
    canvas: Any = FigureCanvasAgg(figure)
    file = BytesIO()
    figure.savefig(file, format="png")
    assert 2_000 < len(file.getvalue()) < 900_000
    known: Any = figure
    renderer = canvas.get_renderer()
    written = [text for panel in known.axes for text in (*panel.texts, panel.title)]
    for text in [*written, *known.texts]:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            assert box.x0 >= -2, text
            assert box.y0 >= -2, text
            assert box.x1 <= known.bbox.x1 + 2, text
            assert box.y1 <= known.bbox.y1 + 2, text
    for legend in known.legends:  # beside the panels, never over them
        own = legend.get_window_extent(renderer)
        assert not any(own.overlaps(panel.get_window_extent(renderer)) for panel in known.axes)
    return known


def _scored(rows: int = 900, spikes: tuple[int, ...] = (400, 700), *, key: str = "cpu") -> Any:
    rng = np.random.default_rng(len(key) + rows)
    values = rng.normal(100, 5, rows)
    values[list(spikes)] += 80
    times = pd.date_range("2026-01-05", periods=rows, freq="5min", tz="UTC")
    return score_oddities(pd.DataFrame({"key": key, "time": times, "value": values}))


def _marks(panel: Any, marker: str) -> list[tuple[Any, float]]:
    lines = [line for line in panel.lines if line.get_marker() == marker]
    return [(x, float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)]


def test_alarms_are_marked_and_their_reasons_told() -> None:
    scored = _scored()
    alarms = alarm_table(scored)
    windows = [(scored["time"].iloc[395], scored["time"].iloc[410])]
    figure = draw(plots.plot_series(scored, what="cpu", windows=windows, most=3))
    upper, lower = figure.axes
    assert sorted(y for _, y in _marks(upper, "o")) == sorted(alarms["value"])
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


def test_long_reasons_are_wrapped_within_the_picture() -> None:
    reason = "level down, mean of 48 points 4.4667e+08, before 7.2237e+05 (usual at least 0); " * 4
    scored = _scored().assign(explanation=reason)
    told = draw(plots.plot_series(scored, what="cpu", most=2)).get_supxlabel()
    assert reason.strip() in " ".join(told.split())


def test_numbers_of_near_alarms_do_not_touch() -> None:
    scored = _scored().assign(risk=0.0)
    scored.loc[range(300, 324, 3), "risk"] = 0.9
    figure = draw(plots.plot_series(scored, what="cpu"))
    boxes = [text.get_bbox_patch().get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 8
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_a_band_is_drawn_where_there_is_one() -> None:
    scored = _scored()
    plain = scored.drop(columns=["low", "high"])
    assert len(draw(plots.plot_series(plain, what="cpu")).axes[0].collections) == 0
    banded = scored.assign(low=90.0, high=110.0)
    figure = draw(plots.plot_series(banded, what="cpu"))
    assert len(figure.axes[0].collections) == 2
    (legend,) = figure.legends
    assert "expected" in [text.get_text() for text in legend.get_texts()]


def test_nothing_wrong_is_said_plainly() -> None:
    calm = pd.DataFrame({"key": "flat", "time": np.arange(300), "value": np.full(300, 2e6)})
    figure = draw(plots.plot_series(score_oddities(calm), what="flat"))
    assert figure.get_supxlabel() == "Nothing is wrong."
    assert figure.axes[0].get_title() == "flat: no alarm"


def test_rows_without_times_are_numbered() -> None:
    scored = _scored().assign(time=np.arange(900))
    told = draw(plots.plot_series(scored, what="cpu")).get_supxlabel()
    assert "row 400" in told


def test_the_grid_shows_the_oddest_first_on_one_screen() -> None:
    rng = np.random.default_rng(0)
    parts = [_scored(600, (500,), key="odd")]
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
    figure = draw(plots.plot_grid(scored, what="machines", windows=windows))
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


def test_200_series_fit_the_same_screen_and_more_are_counted() -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"a-name-that-is-far-too-long-for-a-cell-{n}" for n in range(203)], 300)
    scored = pd.DataFrame({"key": names, "value": rng.normal(size=len(names)), "risk": 0.0})
    figure = draw(plots.plot_grid(scored, what="many"))
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
def test_a_grid_of_nothing_or_of_too_many_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match=f"most must be from 1 to 400, got {most}"):
        plots.plot_grid(_scored(), what="cpu", most=most)


def test_extreme_values_are_drawn_without_overflow() -> None:
    values = np.array([-1e308, 1e308, 0.0, np.nan] * 100)
    scored = pd.DataFrame({"key": "huge", "value": values, "risk": 0.0})
    (panel,) = draw(plots.plot_grid(scored, what="huge")).axes
    path = panel.collections[0].get_paths()[0].vertices
    assert np.isfinite(path).all()
    assert (path[:, 1].min(), path[:, 1].max()) == pytest.approx((0.0, 0.62))


def test_small_pictures_keep_every_extreme() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    values[[1234, 15_001]] = 50, -50
    rows = plots._thinned(values, 100)
    assert len(rows) <= 100
    assert {1234, 15_001} <= set(rows)


def test_the_heat_map_says_every_score() -> None:
    rows = [
        (detector, profile, category, score)
        for detector, score in (("one", 80.0), ("two", -0.2))
        for profile in ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
        for category in ("all", "realAWSCloudwatch")
    ]
    table = pd.DataFrame(rows, columns=["detector", "profile", "category", "score"])
    figure = draw(plots.plot_scores(table))
    panels = figure.axes[:3]
    for panel in panels:
        assert [text.get_text() for text in panel.texts] == ["80", "80", "0", "0"]
        bold = [text.get_fontweight() for text in panel.texts]
        assert bold == ["bold", "bold", "normal", "normal"]
    assert "one leads with 80.0" in figure.get_suptitle()
    labels = [label.get_text().replace("\n", " ") for label in panels[0].get_xticklabels()]
    assert labels == ["all", "real AWS Cloudwatch"]


def test_published_scores_stand_among_the_others() -> None:
    rows = [
        ("ours", "nextcall", "standard", "best", 70.0, 60.0, 80.0),
        ("ours", "nextcall", "standard", "own", 65.0, 55.0, 75.0),
        ("theirs", "river", "standard", "best", 30.0, 10.0, 50.0),
        ("theirs", "river", "standard", "own", -900.0, -990.0, -800.0),
    ]
    columns = ["detector", "origin", "profile", "threshold", "score", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    figure = draw(plots.plot_overall(table, pd.Series({"paper": 75.9})))
    (panel,) = figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["paper (published)", "ours", "theirs"]
    assert [float(x) for x, _ in _marks(panel, "o")] == [70.0, 30.0]
    assert [float(x) for x, _ in _marks(panel, "D")] == [75.9]
    assert [float(x) for x, _ in _marks(panel, "|")] == [65.0]  # below 0 is not drawn
    assert panel.get_title() == "paper (published) leads with 75.9 of 100"


def _labelled() -> dict[str, LabelledSeries]:
    times = [f"2014-04-01 {row // 60:02}:{row % 60:02}:00" for row in range(600)]
    values = 1e6 * np.random.default_rng(0).normal(5, 1, 600)
    spans = [(times[200], times[260]), (times[400], times[450])]
    return {
        "real/cpu.csv": label_series(times, values, spans),
        "real/none.csv": label_series(times, values, []),
        "real/disk.csv": label_series(times, values, spans[:1]),
    }


def test_hits_misses_and_false_alarms_are_told_apart() -> None:
    corpus = _labelled()
    scores = {name: np.zeros(600) for name in corpus}
    scores["real/cpu.csv"][[10, 210, 300, 350]] = 1.0  # the first is not scored
    files = file_points(corpus, scores, threshold=0.5)
    figure = draw(plots.plot_outcomes(corpus, scores, files, threshold=0.5, what="files"))
    panels = figure.axes
    assert [panel.get_visible() for panel in panels] == [True, True, True, False]
    assert len(_marks(panels[0], "^")) == 1
    assert len(_marks(panels[0], "x")) == 2
    assert "1 of 2 windows, 2 false alarms" in panels[0].get_title()
    assert "0 of 0 windows, 0 false alarms, +0.00 of 0 points" in panels[1].get_title()
    colours = {patch.get_facecolor() for patch in panels[0].patches}
    assert len(colours) == 3  # not scored, hit, missed
