"""Colours and axes that the pictures of the room share."""

from typing import Any, Final

from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by every kind of colour vision.
PALETTE: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
QUIET: Final = "#6B7280"


def single(height: float) -> tuple[Figure, Any]:
    """Give a figure of some height in inches, and its one panel."""
    figure = Figure(figsize=(9.0, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def label_axes(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)
