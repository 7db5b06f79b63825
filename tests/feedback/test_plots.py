"""Drawings show what they are told."""

import numpy as np
import pandas as pd

from nextcall.feedback.plots import plot_learning


def test_a_panel_a_group_and_a_line_a_ranker() -> None:
    rows = [
        {
            "group": group,
            "ranker": ranker,
            "answers": n,
            "value": v,
            "low": v - 0.1,
            "high": v + 0.1,
        }
        for group in ("new users", "other services")
        for ranker, v in (("base", 0.25), ("adapted", 0.5))
        for n in (0, 10, 20)
    ]
    figure = plot_learning(pd.DataFrame(rows))
    assert [panel.get_title() for panel in figure.axes] == ["new users", "other services"]
    for panel in figure.axes:
        lines = {line.get_label(): line for line in panel.get_lines()}
        assert list(lines) == ["base", "adapted"]
        points = np.asarray(lines["adapted"].get_xydata(), np.float64)
        assert points.tolist() == [[0, 0.5], [10, 0.5], [20, 0.5]]
    assert figure.axes[0].get_ylabel() == "hit@1, 95 % interval"
