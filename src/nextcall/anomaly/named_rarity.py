"""How rare what the named detectors find together is in the history of a key, and since when.

Only points at which a detector passed its limit come here: an alarm names one, so the others count
as no news. The newest of them waits, that it is compared with those before it alone; how rare it
is, is told when it is asked, for that takes longer than all the detectors.
"""

from math import isfinite
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.state_file import check_counts
from nextcall.anomaly.tails import ROWS, TAIL_WIDTH, check_history, decades, learn
from nextcall.compiling import compiled, floats_at, singles_at

# Columns, counted from the first. Both numbers of points count what was learned.
STRENGTH, BOUND, FIRST_ODD, LAST_ODD, SINCE, TIMED = range(6)
TAIL: Final = TIMED + 1  # a history of `tails`, in floats of four bytes
RARITY_WIDTH: Final = TAIL + (TAIL_WIDTH + 1) // 2
_FLAG: Final = (0.0, 1.0)
_LEAST: Final = 1e-9  # strength above 1 that is told from none


@compiled()
def note_odd(address: int, strength: float, bound: float, points: float, when: float) -> None:
    """Note a point at which a detector passed its limit, and count the one before it.

    Parameters
    ----------
    address : int
        Of the columns.
    strength : float
        What the detectors have together; above 1, as one of them is.
    bound : float
        Strength from which a point is an alarm, at least 1.
    points : float
        How many the key has learned, this one included.
    when : float
        Seconds since 1970 in UTC; ``nan`` where no time is known.
    """
    own, tail = floats_at(address, RARITY_WIDTH), singles_at(address + 8 * TAIL, TAIL_WIDTH)
    if own[LAST_ODD] > 0:
        learn(tail, max(own[STRENGTH] - 1, _LEAST))
    between = points - 1 - own[LAST_ODD]
    tail[ROWS] += between
    if between > 0:
        own[FIRST_ODD] = points
        own[TIMED] = 1.0 if isfinite(when) else 0.0
        own[SINCE] = when if isfinite(when) else 0.0
    own[STRENGTH] = strength
    own[BOUND] = bound
    own[LAST_ODD] = points


@compiled()
def rarity_at(address: int) -> tuple[float, float]:
    """Tell how rare the newest point with an anomaly was.

    Parameters
    ----------
    address : int
        Of the columns.

    Returns
    -------
    once_in, alarm_from : float
        Points among which one as strange is expected, and those from which it is an alarm.
    """
    own, kept = floats_at(address, RARITY_WIDTH), singles_at(address + 8 * TAIL, TAIL_WIDTH)
    tail = np.empty(TAIL_WIDTH)
    for place in range(TAIL_WIDTH):
        tail[place] = kept[place]
    once_in = 10.0 ** decades(tail, max(own[STRENGTH] - 1, _LEAST))
    return once_in, 10.0 ** decades(tail, max(own[BOUND] - 1, _LEAST))


class Rarities(NamedTuple):
    """Of the newest point that each key learned; each array of shape (n_keys,)."""

    once_in: NDArray[np.float64]
    """1 where no detector passed its limit."""
    odd_rows: NDArray[np.int64]
    """Points in a row, this one the last, at which one did."""
    since: NDArray[np.float64]
    """Time of the first of them, in seconds since 1970 in UTC; ``nan`` where unknown."""


def newest_rarities(rows: NDArray[np.float64], points: NDArray[np.float64]) -> Rarities:
    """Tell of many keys how rare their newest point is, and since when.

    Parameters
    ----------
    rows : array of shape (n_keys, RARITY_WIDTH)
        The columns.
    points : array of shape (n_keys,)
        That the keys have learned.
    """
    odd = (rows[:, LAST_ODD] == points) & (points > 0)
    once_in = np.ones(len(rows))
    for key in np.flatnonzero(odd):
        once_in[key] = rarity_at(rows[key].ctypes.data)[0]
    in_a_row = np.where(odd, points - rows[:, FIRST_ODD] + 1, 0).astype(np.int64)
    return Rarities(once_in, in_a_row, np.where(odd & (rows[:, TIMED] > 0), rows[:, SINCE], np.nan))


def check_rarities(rows: NDArray[np.float64], points: NDArray[np.float64]) -> None:
    """Refuse columns that a file cannot have from `note_odd`; they are finite.

    Raises
    ------
    ValueError
        Where they cannot be.
    """
    check_counts(rows[:, [FIRST_ODD, LAST_ODD]])
    ordered = (rows[:, FIRST_ODD] <= rows[:, LAST_ODD]) & (rows[:, LAST_ODD] <= points)
    strengths = (rows[:, [STRENGTH, BOUND]] >= 0).all() and np.isin(rows[:, TIMED], _FLAG).all()
    if not (ordered.all() and strengths):
        raise ValueError("an anomaly of its state is none")
    tails = np.ascontiguousarray(rows[:, TAIL:]).view(np.float32)[:, :TAIL_WIDTH]
    if not np.isfinite(tails).all():
        raise ValueError("a history of its states is none")
    check_history(tails.astype(np.float64))
