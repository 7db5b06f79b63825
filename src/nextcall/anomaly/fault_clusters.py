"""How strong the strange stretches of a series usually are, and what a fault has to exceed.

Sums of scores take rows for independent. Where large rows come in bursts, one burst is evidence of
e^30 of them, and the boundary of independent rows is passed by every one. So strange stretches are
told apart and remembered, each with the most evidence that it had, and the boundary is raised to
what stretches exceed no more often than the rate and some.

A stretch begins with an alarm, or a row whose evidence reaches the boundary of independent rows,
and is over when `GAP` rows in succession did not. Remembered is the natural log of its evidence
over that boundary, as if no alarm had set the sums back; where rows are independent that is
exponential.

Faults are stretches too, and must not become usual within days. So after one that is remembered
none is for `APART` times the rows between two alarms that are wanted. How often stretches begin is
counted over the rows in which the next would be remembered.
"""

import math
from typing import Final

from nextcall.anomaly.tails import SMALLEST, TAIL_WIDTH, Floats, decades, learn
from nextcall.compiling import compiled

GAP: Final = 30.0  # rows: a sum for half a deviation falls to a fortieth
APART: Final = 2.0
PRIOR: Final = 15.0  # stretches that the law of independent rows is worth
EXCESS: Final = 1.3  # of the rate, from which the boundary is raised: chance alone gives as much
MOST: Final = 200.0  # natural logs over the boundary: what is stronger tells nothing more
DOUBLINGS: Final = 10.0  # of a rest
MEMORY: Final = 100.0  # alarms wanted in the rows counted, before half of all is forgotten
_EXACT: Final = 0.01  # of a natural log

# Columns, from where the slice begins.
RAISED: Final = 0  # natural logs of the boundary over that of independent rows
CARRIED: Final = 1  # natural log of what the sums of this stretch held when alarms set them back
PEAK: Final = 2  # of this stretch; 0 outside
QUIET: Final = 3  # rows since the last that reached the boundary
SINCE: Final = 4  # rows since the last stretch that was remembered
COUNTED: Final = 5  # rows in which one would have been
TAUGHT: Final = 6  # 1 where this stretch is to be remembered
ALARMED: Final = 7  # alarms of this stretch
KNOWN: Final = 8  # the history of stretches
CLUSTER_WIDTH: Final = KNOWN + TAIL_WIDTH


@compiled()
def expected_stretches(own: Floats, excess: float) -> float:
    """Give how many stretches have exceeded the boundary so far, the prior's among them."""
    seen = 0.0
    if own[KNOWN] > 0:
        seen = own[KNOWN] * 10.0 ** -decades(own[KNOWN:], excess)
    return float(PRIOR * math.exp(-excess) + seen)


@compiled()
def raise_boundary(own: Floats, rate: float) -> None:
    """Move the boundary to where stretches begin no more often than the rate and some."""
    wanted = EXCESS * (PRIOR + rate * own[COUNTED])
    low, high = 0.0, MOST
    if PRIOR + own[KNOWN] <= wanted:
        high = 0.0
    while high - low > _EXACT:
        middle = 0.5 * (low + high)
        if expected_stretches(own, middle) > wanted:
            low = middle
        else:
            high = middle
    own[RAISED] = high


@compiled()
def count_quiet(own: Floats, rate: float) -> None:
    """Count a row outside of stretches; forget half when there are many."""
    own[COUNTED] += 1
    if rate * own[COUNTED] > MEMORY:
        own[COUNTED] *= 0.5
        own[KNOWN] *= 0.5
        own[KNOWN + 2 :] *= 0.5  # all but the highest bin


@compiled()
def next_rest(own: Floats, rest: float) -> float:
    """Give the rows to rest after an alarm: each of a stretch twice those of the one before."""
    alarms = own[ALARMED]
    own[ALARMED] += 1
    return float(rest * 2.0 ** min(alarms, DOUBLINGS))


@compiled()
def learn_stretch(
    own: Floats,
    evidence: float,
    summed: float,
    alarm: bool,  # noqa: FBT001  # kernels take no keywords
    usual: float,
    rate: float,
) -> bool:
    """Count a row, and remember a stretch that is over; say whether none goes on.

    Parameters
    ----------
    own : array of shape (CLUSTER_WIDTH,)
        Changed in place.
    evidence : float
        Of the row, in rows.
    summed : float
        What the sums hold of it.
    alarm : bool
        Whether the sums are set back after this row.
    usual : float
        Boundary of independent rows.
    rate : float
        Alarms per row that are wanted.
    """
    own[SINCE] += 1
    due = own[SINCE] > APART / rate
    strange = alarm or evidence >= usual
    if own[PEAK] == 0:
        if not strange:
            if due:
                count_quiet(own, rate)
            return True
        own[TAUGHT] = 1.0 if due else 0.0
        own[CARRIED] = 0.0
    own[QUIET] = 0.0 if strange else own[QUIET] + 1
    sums = own[CARRIED] + math.log(max(summed, 1.0))
    peak = max(math.log(evidence), sums) - math.log(usual)
    own[PEAK] = min(max(own[PEAK], peak, 2 * SMALLEST), MOST)
    if alarm:
        own[CARRIED] = min(sums, 2 * MOST)
    if own[QUIET] < GAP:
        return False
    if own[TAUGHT] > 0:
        learn(own[KNOWN:], own[PEAK])
        own[SINCE] = 0.0
        raise_boundary(own, rate)
    own[PEAK] = own[ALARMED] = 0.0
    return True
