"""Colours, marks and axes that the pictures of the room share."""

from typing import Any, Final, NamedTuple

from matplotlib import ticker

from nextcall.abtest.comparison import Outcome

# Okabe & Ito (2008): told apart by every kind of colour vision.
BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
RED: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
QUIET: Final = "#6B7280"
LINE: Final = "#374151"
WIDE: Final = "#C9DFEC"
NARROW: Final = "#F6D7A8"
SERIES: Final = (BLUE, RED, GREEN, PURPLE, ORANGE, "#56B4E9", "#000000")
MARKS: Final = "osD^vP*"


class Mark(NamedTuple):
    """How an outcome is drawn: in a colour, and in a shape for those who do not see it."""

    colour: str
    shape: str
    filled: bool


OUTCOMES: Final[dict[Outcome, Mark]] = {
    "better": Mark(GREEN, "^", filled=True),
    "worse": Mark(RED, "v", filled=True),
    "not worse": Mark(BLUE, "s", filled=True),
    "equal": Mark(BLUE, "D", filled=True),
    "no difference": Mark(QUIET, "o", filled=True),
    "undecided": Mark(QUIET, "o", filled=False),
    "unknown": Mark(QUIET, "X", filled=False),
}


def marker(mark: Mark, size: float = 8.0) -> dict[str, Any]:
    """Give the mark as matplotlib's options."""
    return {
        "color": mark.colour,
        "marker": mark.shape,
        "markerfacecolor": mark.colour if mark.filled else "white",
        "markeredgecolor": mark.colour,
        "markeredgewidth": 1.5,
        "markersize": size,
    }


def label(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11, loc="left")
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)


def units_axis(axis: Any) -> None:
    """Write units as 5,000 or, where they are many, as 20M."""
    axis.set_major_locator(ticker.MaxNLocator(6))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: count(value)))


def count(number: float) -> str:
    """Say how many, briefly.

    Examples
    --------
    >>> count(5000), count(2.5e6), count(1e9)
    ('5,000', '2.5M', '1000M')
    """
    return f"{number:,.0f}" if abs(number) < 1e6 else f"{number / 1e6:g}M"
