from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nextcall.catalog import graph_plots


def test_producers_are_stacked_by_whom_they_feed(draw: Callable[[Figure], Any]) -> None:
    table = pd.DataFrame({"operation": ["a:List", "b:Get"], "own": [5, 1], "others": [2, 0]})
    panel = draw(graph_plots.plot_producers(table)).axes[0]
    own, others = ([bar.get_width() for bar in bars] for bars in panel.containers)
    assert (own, others) == ([5, 1], [2, 0])
    assert panel.get_title() == "a:List feeds 7 operations"


@pytest.mark.parametrize("last", [2, -1])
def test_flow_stands_in_columns_by_depth(last: int, draw: Callable[[Figure], Any]) -> None:
    edges = np.zeros((4, 4))
    edges[0, 1] = edges[1, 2] = edges[1, 3] = 0.5
    edges[3, 2] = 0.2
    names = ["List", "Get", "Delete", "Stop"]
    panel = draw(graph_plots.plot_flow(names, [0, 1, last, last], edges, what="shop")).axes[0]
    places = {text.get_text(): text.get_position()[0] for text in panel.texts if text.get_text()}
    assert places == {"List": 0, "Get": 1, "Delete": 2, "Stop": 2}
    labels = [tick.get_text() for tick in panel.get_xticklabels()]
    assert labels == ["0", "1", "2" if last == 2 else "never learnt"]
    assert panel.get_title() == "shop: 3 of 4 operations take what others give back"


def test_precision_names_what_is_found_half_right(draw: Callable[[Figure], Any]) -> None:
    curve = pd.DataFrame({"recall": [0.2, 0.6, 0.9], "precision": [0.9, 0.5, 0.3]})
    figure = draw(graph_plots.plot_precision({"AWS": curve, "Google": curve}, {"AWS": (0.1, 0.8)}))
    panel = figure.axes[0]
    assert panel.get_title().startswith("AWS: 60% of what")
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert labels == ["AWS", "AWS, same name only", "Google"]


def test_found_counts_ranks_within_each_length(draw: Callable[[Figure], Any]) -> None:
    panel = draw(graph_plots.plot_found({"words": [0, 9, 10, np.inf], "graph": [0, 0, 1, 2]})).axes[
        0
    ]
    words, graph = (line.get_ydata() for line in panel.lines[:2])
    assert [words[0], words[9], words[10], words[-1]] == [0.25, 0.5, 0.75, 0.75]
    assert [graph[0], graph[2]] == [0.5, 1.0]
    assert panel.get_title() == "Within the first ten: 50% by words, 100% by graph"
