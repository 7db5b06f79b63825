"""Colours and axes that the pictures of the room share."""

from typing import Any, Final

import numpy as np
from matplotlib import dates, ticker
from numpy.typing import NDArray

# Okabe & Ito (2008): told apart by every kind of colour vision.
VALUE: Final = "#0072B2"
ALARMING: Final = "#D55E00"
HIT: Final = "#009E73"
WINDOW: Final = "#F6D7A8"
MISSED: Final = "#F2C4DE"
BAND: Final = "#C9DFEC"
QUIET: Final = "#6B7280"
SAME: Final = "#9A9A9A"
PROBATION: Final = "#EEEEEE"


def brief_axes(panel: Any, times: NDArray[Any]) -> None:
    """Write times as briefly as they can be read, and large values as 20M."""
    if np.issubdtype(np.asarray(times).dtype, np.datetime64):
        known: Any = dates  # untyped in part
        locator = known.AutoDateLocator(minticks=3, maxticks=8)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(known.ConciseDateFormatter(locator))
    panel.yaxis.set_major_locator(ticker.MaxNLocator(5))
    if max(map(abs, panel.get_ylim())) >= 1e5:
        panel.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))


def count(number: int, noun: str) -> str:
    """Say how many, with the noun in its number."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def label(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)
