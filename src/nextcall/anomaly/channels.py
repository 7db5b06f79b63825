"""Three residuals of a series, each large where a row is strange, each with its own history.

A channel is a slice of float64 that holds what it remembers; all are zero before the first row.
Each answers with its evidence, the decades of `nextcall.anomaly.tails`, and writes what it compared
with what; the band of the usual too where the evidence is what an alarm wants, for the band costs
more than the row.
"""

import math
from typing import Final

from nextcall.anomaly.tails import TAIL_WIDTH, Floats, weigh
from nextcall.compiling import compiled

# What a channel says of a row, in the unit of the rows.
ACTUAL: Final = 0  # what it compared ...
EXPECTED: Final = 1  # ... and with what; NaN where it remembers nothing
LOW: Final = 2  # from here ...
HIGH: Final = 3  # ... to here it would be no alarm; NaN where it is none
SAID_WIDTH: Final = 4

# Novelty of the value: the distance to the nearest value remembered.
REGULAR: Final = 96  # every 12th row, so the last 1,152; scores differ little in 64..200 and 5..16
REGULAR_EVERY: Final = 12
FILLING: Final = 48  # the first rows are all kept ...
FIRST_DISTANCE: Final = 12  # ... and distances count from here: from an empty memory all is far
SURPRISING: Final = 64  # rows kept because they surprised: a spike seen before is no news
SURPRISE: Final = 1.2  # decades at which a row is kept: once in 16 rows

REGULAR_KEPT: Final = 0
SURPRISING_KEPT: Final = 1
VALUE_TAIL: Final = 2
REGULAR_VALUES: Final = VALUE_TAIL + TAIL_WIDTH
SURPRISING_VALUES: Final = REGULAR_VALUES + REGULAR
VALUE_WIDTH: Final = SURPRISING_VALUES + SURPRISING

# Novelty of the shape: the distance of two neighbouring means to the third-nearest pair.
MEAN_ROWS: Final = 3  # rows in a mean
PAIRS: Final = 64
PAIRS_EVERY: Final = 10

PAIRS_KEPT: Final = 0
LAST_VALUES: Final = 1
SHAPE_TAIL: Final = LAST_VALUES + 2 * MEAN_ROWS
PAIR_VALUES: Final = SHAPE_TAIL + TAIL_WIDTH
SHAPE_WIDTH: Final = PAIR_VALUES + 2 * PAIRS

# Level change: the mean of the last 48 rows less the mean of the 48 before.
HALF: Final = 24  # means of two rows in either window
CLIP: Final = 5.0  # scales at which a row is cut: one spike is no level
SCALE_TO_SIGMA: Final = 1.25  # sqrt(pi / 2): mean absolute deviation to sigma, for a Gaussian
LEAST_GAIN: Final = 0.005  # of median and scale: they follow within 200 rows
SETTLING: Final = 10  # rows before the median moves by steps
TWO_SIDES: Final = 0.30103  # log10 2: up and down are two tests

MEDIAN: Final = 0
SCALE: Final = 1
WAITING: Final = 2  # the first row of a pair
MEANS_KEPT: Final = 3
UP_TAIL: Final = 4
DOWN_TAIL: Final = UP_TAIL + TAIL_WIDTH
MEANS: Final = DOWN_TAIL + TAIL_WIDTH
LEVEL_WIDTH: Final = MEANS + 2 * HALF


@compiled()
def say(said: Floats, actual: float, expected: float, below: float, above: float) -> None:
    """Write what was compared, and the band that reaches so far below and above the expected."""
    said[ACTUAL] = actual
    said[EXPECTED] = expected
    said[LOW] = expected - below
    said[HIGH] = expected + above


@compiled()
def value_novelty(channel: Floats, value: float, rows: int, wanted: float, said: Floats) -> float:
    """Score a value by its distance to the nearest one remembered, and remember it if due.

    Parameters
    ----------
    channel : array of shape (VALUE_WIDTH,)
        Changed in place.
    value : float
        The row.
    rows : int
        Rows before this one.
    wanted : float
        Evidence from which the band is told.
    said : array of shape (SAID_WIDTH,)
        Overwritten: the row, the nearest value, and the band around that.

    Returns
    -------
    float
        Evidence.
    """
    regular = int(channel[REGULAR_KEPT])
    surprising = int(channel[SURPRISING_KEPT])
    distance = 1e300
    nearest = math.nan
    for place in range(min(regular, REGULAR)):
        away = abs(value - channel[REGULAR_VALUES + place])
        if away < distance:
            distance = away
            nearest = channel[REGULAR_VALUES + place]
    for place in range(min(surprising, SURPRISING)):
        away = abs(value - channel[SURPRISING_VALUES + place])
        if away < distance:
            distance = away
            nearest = channel[SURPRISING_VALUES + place]
    evidence, away = 0.0, math.nan
    if rows >= FIRST_DISTANCE:
        evidence, away = weigh(channel[VALUE_TAIL:REGULAR_VALUES], distance, wanted)
    say(said, value, nearest, away, away)
    if rows % REGULAR_EVERY == 0 or rows < FILLING:
        channel[REGULAR_VALUES + regular % REGULAR] = value
        channel[REGULAR_KEPT] = regular + 1
    elif evidence >= SURPRISE:
        channel[SURPRISING_VALUES + surprising % SURPRISING] = value
        channel[SURPRISING_KEPT] = surprising + 1
    return evidence


@compiled()
def third_nearest(pairs: Floats, kept: int, newer: float, older: float) -> tuple[float, int]:
    """Give the distance to the third-nearest of the pairs that are kept, and its number."""
    first = 1e300
    second = 1e300
    third = 1e300
    nearest = 0
    next_nearest = 0
    like = 0
    for place in range(kept):
        away = abs(newer - pairs[2 * place]) + abs(older - pairs[2 * place + 1])
        if away < first:
            third, like = second, next_nearest
            second, next_nearest = first, nearest
            first, nearest = away, place
        elif away < second:
            third, like = second, next_nearest
            second, next_nearest = away, place
        elif away < third:
            third, like = away, place
    return third, like


@compiled()
def shape_novelty(channel: Floats, value: float, rows: int, wanted: float, said: Floats) -> float:
    """Score the last six rows, as two means, by the third-nearest pair of means remembered.

    The third and not the nearest: one odd memory must not excuse a row.

    Parameters
    ----------
    channel : array of shape (SHAPE_WIDTH,)
        Changed in place.
    value : float
        The row.
    rows : int
        Rows before this one.
    wanted : float
        Evidence from which the band is told.
    said : array of shape (SAID_WIDTH,)
        Overwritten: the mean of the last three rows, that of the third-nearest pair, and what the
        three rows before leave of the band around that.

    Returns
    -------
    float
        Evidence.
    """
    say(said, value, math.nan, math.nan, math.nan)
    for place in range(2 * MEAN_ROWS - 1, 0, -1):
        channel[LAST_VALUES + place] = channel[LAST_VALUES + place - 1]
    channel[LAST_VALUES] = value
    if rows < 2 * MEAN_ROWS - 1:
        return 0.0
    newer = 0.0
    older = 0.0
    for place in range(MEAN_ROWS):
        newer += channel[LAST_VALUES + place]
        older += channel[LAST_VALUES + MEAN_ROWS + place]
    newer /= MEAN_ROWS
    older /= MEAN_ROWS
    kept = int(channel[PAIRS_KEPT])
    third, like = third_nearest(channel[PAIR_VALUES:], min(kept, PAIRS), newer, older)
    if rows < 2 * MEAN_ROWS:
        evidence = 0.0
    elif kept < 3:
        evidence, _ = weigh(channel[SHAPE_TAIL:PAIR_VALUES], 0.0, wanted)
    else:
        evidence, usual = weigh(channel[SHAPE_TAIL:PAIR_VALUES], third, wanted)
        known = PAIR_VALUES + 2 * like
        left = max(usual - abs(older - channel[known + 1]), 0.0)
        say(said, newer, channel[known], left, left)
    if rows % PAIRS_EVERY == 0 or rows == 2 * MEAN_ROWS - 1:
        place = kept % PAIRS
        channel[PAIR_VALUES + 2 * place] = newer
        channel[PAIR_VALUES + 2 * place + 1] = older
        channel[PAIRS_KEPT] = kept + 1
    return evidence


@compiled()
def cut(channel: Floats, value: float, rows: int) -> float:
    """Tell a value in scales around the running median, cut at `CLIP`, and move both.

    Parameters
    ----------
    channel : array of shape (LEVEL_WIDTH,)
        Changed in place.
    value : float
        The row.
    rows : int
        Rows before this one.

    Returns
    -------
    float
        Between -CLIP and CLIP.
    """
    if rows == 0:
        channel[MEDIAN] = value
    median: float = channel[MEDIAN]
    deviation = value - median
    size = abs(deviation)
    scale: float = max(channel[SCALE], 1e-9 * max(abs(median), 1e-3))
    gain = max(1.0 / (rows + 1.0), LEAST_GAIN)
    if rows > SETTLING:
        side = 1.0 if deviation > 0 else (-1.0 if deviation < 0 else 0.0)
        channel[MEDIAN] += gain * 2.0 * scale * side
        channel[SCALE] += gain * (min(size, 6.0 * channel[SCALE]) - channel[SCALE])
    else:
        channel[MEDIAN] += deviation / (rows + 1.0)
        channel[SCALE] += gain * (size - channel[SCALE])
    return max(min(deviation / (SCALE_TO_SIGMA * scale), CLIP), -CLIP)


@compiled()
def level_change(channel: Floats, value: float, rows: int, wanted: float, said: Floats) -> float:
    """Score the difference of the means of the last two windows of 48 cut rows.

    Parameters
    ----------
    channel : array of shape (LEVEL_WIDTH,)
        Changed in place.
    value : float
        The row.
    rows : int
        Rows before this one.
    wanted : float
        Evidence from which the band is told.
    said : array of shape (SAID_WIDTH,)
        Overwritten: the newer mean, the older mean and the band around that, as scales of today
        around the running median of today.

    Returns
    -------
    float
        Evidence, below zero for a change downwards; 0 until both windows are full.
    """
    say(said, value, math.nan, math.nan, math.nan)
    row = cut(channel, value, rows)
    if rows % 2 == 0:
        channel[WAITING] = row
    else:
        kept = int(channel[MEANS_KEPT])
        channel[MEANS + kept % (2 * HALF)] = 0.5 * (channel[WAITING] + row)
        channel[MEANS_KEPT] = kept + 1
    kept = int(channel[MEANS_KEPT])
    if kept < 2 * HALF:
        return 0.0
    newer = 0.0
    older = 0.0
    oldest = kept % (2 * HALF)
    for place in range(2 * HALF):
        age = place - oldest
        if age < 0:
            age += 2 * HALF
        if age < HALF:
            older += channel[MEANS + place]
        else:
            newer += channel[MEANS + place]
    change = (newer - older) / HALF
    up, above = weigh(channel[UP_TAIL:DOWN_TAIL], change, wanted + TWO_SIDES)
    down, below = weigh(channel[DOWN_TAIL:MEANS], -change, wanted + TWO_SIDES)
    sigma = SCALE_TO_SIGMA * channel[SCALE]
    actual = channel[MEDIAN] + newer / HALF * sigma
    say(said, actual, channel[MEDIAN] + older / HALF * sigma, below * sigma, above * sigma)
    evidence = max(max(up, down) - TWO_SIDES, 0.0)
    return -evidence if down > up else evidence
