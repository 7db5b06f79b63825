"""Pictures are drawn for real; what is read off them is what the tables hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nextcall.anomaly import nab_plots
from nextcall.anomaly.nab import LabelledSeries, label_series
from nextcall.anomaly.nab_files import file_points


def test_the_heat_map_says_every_score(draw: Callable[[Figure], Any]) -> None:
    rows = [
        (detector, profile, category, score)
        for detector, score in (("one", 80.0), ("two", -0.2))
        for profile in ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
        for category in ("all", "realAWSCloudwatch")
    ]
    table = pd.DataFrame(rows, columns=["detector", "profile", "category", "score"])
    figure = draw(nab_plots.plot_scores(table))
    panels = figure.axes[:3]
    for panel in panels:
        assert [text.get_text() for text in panel.texts] == ["80", "80", "0", "0"]
        bold = [text.get_fontweight() for text in panel.texts]
        assert bold == ["bold", "bold", "normal", "normal"]
    assert "one leads with 80.0" in figure.get_suptitle()
    labels = [label.get_text().replace("\n", " ") for label in panels[0].get_xticklabels()]
    assert labels == ["all", "real AWS Cloudwatch"]


def test_published_scores_stand_among_the_others(
    draw: Callable[[Figure], Any], marks: Callable[[Any, str], list[tuple[Any, float]]]
) -> None:
    rows = [
        ("ours", "nextcall", "standard", "best", 70.0, 60.0, 80.0),
        ("ours", "nextcall", "standard", "own", 65.0, 55.0, 75.0),
        ("theirs", "river", "standard", "best", 30.0, 10.0, 50.0),
        ("theirs", "river", "standard", "own", -900.0, -990.0, -800.0),
    ]
    columns = ["detector", "origin", "profile", "threshold", "score", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    figure = draw(nab_plots.plot_overall(table, pd.Series({"paper": 75.9})))
    (panel,) = figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["paper (published)", "ours", "theirs"]
    assert [float(x) for x, _ in marks(panel, "o")] == [70.0, 30.0]
    assert [float(x) for x, _ in marks(panel, "D")] == [75.9]
    assert [float(x) for x, _ in marks(panel, "|")] == [65.0]  # below 0 is not drawn
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


def test_hits_misses_and_false_alarms_are_told_apart(
    draw: Callable[[Figure], Any], marks: Callable[[Any, str], list[tuple[Any, float]]]
) -> None:
    corpus = _labelled()
    scores = {name: np.zeros(600) for name in corpus}
    scores["real/cpu.csv"][[10, 210, 300, 350]] = 1.0  # the first is not scored
    files = file_points(corpus, scores, threshold=0.5)
    figure = draw(nab_plots.plot_outcomes(corpus, scores, files, threshold=0.5, what="files"))
    panels = figure.axes
    assert [panel.get_visible() for panel in panels] == [True, True, True, False]
    assert len(marks(panels[0], "^")) == 1
    assert len(marks(panels[0], "x")) == 2
    assert "1 of 2 windows, 2 false alarms" in panels[0].get_title()
    assert "0 of 0 windows, 0 false alarms, +0.00 of 0 points" in panels[1].get_title()
    colours = {patch.get_facecolor() for patch in panels[0].patches}
    assert len(colours) == 3  # not scored, hit, missed
