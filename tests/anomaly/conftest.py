"""What tests of several pictures ask."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nextcall.anomaly.oddities import score_oddities


def _drawn(figure: Figure) -> Any:
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


@pytest.fixture
def draw() -> Callable[[Figure], Any]:
    """Draw for real."""
    return _drawn


@pytest.fixture
def score_noise() -> Callable[..., Any]:
    """Score noise with spikes."""
    return _scored


@pytest.fixture
def marks() -> Callable[[Any, str], list[tuple[Any, float]]]:
    """Give the points of a panel that have a marker."""
    return _marks
