"""Colours and axes that the pictures of the room share."""

from typing import Any, Final

from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by every kind of colour vision.
FOUND: Final = "#0072B2"
PLANTED: Final = "#D55E00"
MARK: Final = "#F6D7A8"
QUIET: Final = "#6B7280"


def single(height: float) -> tuple[Figure, Any]:
    """Give a figure of some height in inches, and its one panel."""
    figure = Figure(figsize=(9.0, height), dpi=100, layout="constrained")
    return figure, figure.subplots()


def label_axes(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)
