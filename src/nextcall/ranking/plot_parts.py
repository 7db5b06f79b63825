"""Colours and axes that the pictures of the room share."""

from typing import Final

from matplotlib.axes import Axes

RULE: Final = "#CCCCCC"


def bare_axes(panel: Axes) -> None:
    """Leave only the axes that are read."""
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
