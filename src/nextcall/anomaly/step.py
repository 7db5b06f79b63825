"""One row of one key: three channels, one probability, the boundary and the rest, compiled.

The state of a key is one row of float64: five numbers of its own, then the three channels.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.channels import (
    ACTUAL,
    LEVEL_WIDTH,
    SAID_WIDTH,
    SHAPE_WIDTH,
    VALUE_WIDTH,
    level_change,
    shape_novelty,
    value_novelty,
)
from nextcall.anomaly.tails import Floats
from nextcall.compiling import compiled

CHANNEL_COUNT: Final = 3.0  # the strongest of three is three times as often strong (Bonferroni)
WARM_UP: Final = 100  # rows before the first possible alarm: both level windows and a few more
SHORT: Final = 5000.0  # history below which the boundary is raised: it cannot prove a rare event
SHORT_SLOPE: Final = 0.75  # 0: never raised, 1: as many alarms in every doubling of the history
MOST_GOAL: Final = 0.05  # the boundary is raised up to here
REST_SHARE: Final = 0.05  # of the rows seen: how long a key rests after an alarm
MOST_REST: Final = 200.0  # rows
REST_BUDGET: Final = 0.5  # a rest takes at most half of the rows between two alarms
RESTING_RISK: Final = 0.2  # factor on the risk while resting: below 0.5 whatever the row
GAIN: Final = 0.02  # decades by which an alarm lowers the boundary; the rows between raise it again
MOST_SHIFT: Final = 1.0  # decades by which that may move the boundary
ODD: Final = 0.05  # probability up to which a row is odd: so many of all are, by chance
LARGEST: Final = 1e290  # larger values count as this large: sums and moments stay finite

ROWS_SEEN: Final = 0
SHIFT: Final = 1
ROWS_SINCE_ALARM: Final = 2
MISSING: Final = 3
ODD_RUN: Final = 4
VALUE: Final = 5
SHAPE: Final = VALUE + VALUE_WIDTH
LEVEL: Final = SHAPE + SHAPE_WIDTH
STATE_WIDTH: Final = LEVEL + LEVEL_WIDTH

RISK: Final = 0
ENOUGH: Final = 1
RESTING: Final = 2
CHANNEL: Final = 3
ALSO: Final = 4  # other channels that reach the boundary: 1 value, 2 shape, 4 up, 8 down
ONCE_IN: Final = 5
ALARM_FROM: Final = 6
ODD_ROWS: Final = 7
SAID: Final = 8  # what the loudest channel says
RESULT_WIDTH: Final = SAID + SAID_WIDTH

CHANNELS: Final = ("", "value", "shape", "level up", "level down")
"""What may have spoken, by the number in `CHANNEL`; the first is nothing."""

OTHERS: Final = tuple(
    " and ".join(name for bit, name in enumerate(CHANNELS[1:]) if others >> bit & 1)
    for others in range(16)
)
"""Names of the channels in `ALSO`."""


@compiled()
def start(state: Floats) -> None:
    """Forget everything: the state of a key before its first row."""
    state[:] = 0.0
    state[ROWS_SINCE_ALARM] = 1e9


@compiled()
def boundary(state: Floats, rate: float) -> tuple[float, float, float]:
    """Tell from which probability a row is an alarm.

    Parameters
    ----------
    state : array of shape (STATE_WIDTH,)
        Not changed; `ROWS_SEEN` counts this row already.
    rate : float
        Alarms per row that are wanted.

    Returns
    -------
    goal : float
        Alarms per row that are wanted of a history of this length.
    rest : float
        Rows of a rest.
    bound : float
        The probability.
    """
    rows = state[ROWS_SEEN]
    goal = min(rate * max(1.0, SHORT / rows) ** SHORT_SLOPE, MOST_GOAL)
    rest = min(REST_SHARE * rows, MOST_REST, REST_BUDGET / goal)
    return goal, rest, goal / (1.0 - goal * rest) * 10.0 ** state[SHIFT]


@compiled()
def judge(
    state: Floats, probability: float, goal: float, rest: float, bound: float, result: Floats
) -> None:
    """Turn a probability into a risk, and keep the rate of alarms where it should be.

    Parameters
    ----------
    state : array of shape (STATE_WIDTH,)
        Changed in place; `ROWS_SEEN` counts this row already.
    probability : float
        That a row is at least this strange.
    goal, rest, bound : float
        As `boundary` gives them.
    result : array of shape (RESULT_WIDTH,)
        `RISK`, `ENOUGH`, `RESTING`, `ONCE_IN`, `ALARM_FROM` and `ODD_ROWS` are written.
    """
    risk = bound / (bound + probability)
    state[ROWS_SINCE_ALARM] += 1.0
    resting = state[ROWS_SINCE_ALARM] <= rest
    enough = state[ROWS_SEEN] > WARM_UP
    if not enough:
        risk = 0.0
    else:
        if resting:
            risk *= RESTING_RISK
        alarm = 0.0
        if risk >= 0.5:
            alarm = 1.0
            state[ROWS_SINCE_ALARM] = 0.0
        shift = state[SHIFT] + GAIN * (goal - alarm)
        state[SHIFT] = min(max(shift, -MOST_SHIFT), MOST_SHIFT)
    state[ODD_RUN] = state[ODD_RUN] + 1.0 if probability <= ODD else 0.0
    result[RISK] = risk
    result[ENOUGH] = 1.0 if enough else 0.0
    result[RESTING] = 1.0 if resting else 0.0
    result[ONCE_IN] = 1.0 / probability
    result[ALARM_FROM] = 1.0 / bound
    result[ODD_ROWS] = state[ODD_RUN]


@compiled()
def skip(state: Floats, result: Floats) -> None:
    """Count a row that is missing."""
    state[MISSING] += 1.0
    result[:] = 0.0
    result[ENOUGH] = 1.0 if state[ROWS_SEEN] >= WARM_UP else 0.0
    result[ONCE_IN] = 1.0
    result[ALARM_FROM] = math.nan
    result[SAID:] = math.nan


@compiled()
def step(state: Floats, value: float, rate: float, said: Floats, result: Floats) -> None:
    """Score one row and learn from it.

    Parameters
    ----------
    state : array of shape (STATE_WIDTH,)
        Of the row's key; changed in place. NaN changes nothing but `MISSING`.
    value : float
        The row.
    rate : float
        Alarms per row that are wanted.
    said : array of shape (3, SAID_WIDTH)
        Room to work in.
    result : array of shape (RESULT_WIDTH,)
        Overwritten.
    """
    if np.isnan(value):
        skip(state, result)
        return
    value = min(max(value, -LARGEST), LARGEST)
    rows = int(state[ROWS_SEEN])
    state[ROWS_SEEN] = rows + 1.0
    goal, rest, bound = boundary(state, rate)
    wanted = math.log10(CHANNEL_COUNT / bound)
    novelty = value_novelty(state[VALUE:SHAPE], value, rows, wanted, said[0])
    shape = shape_novelty(state[SHAPE:LEVEL], value, rows, wanted, said[1])
    level = level_change(state[LEVEL:], value, rows, wanted, said[2])
    strongest = max(novelty, shape, abs(level))
    judge(state, min(1.0, CHANNEL_COUNT * 10.0**-strongest), goal, rest, bound, result)
    loudest = 0
    if strongest > 0.0:
        loudest = 1 if novelty == strongest else 2 if shape == strongest else 3
        result[SAID:] = said[loudest - 1]
    else:
        result[SAID:] = math.nan
        result[SAID + ACTUAL] = value
    others = 0.0
    if novelty >= wanted and loudest != 1:
        others += 1.0
    if shape >= wanted and loudest != 2:
        others += 2.0
    if abs(level) >= wanted and loudest != 3:
        others += 4.0 if level > 0.0 else 8.0
    result[CHANNEL] = 4.0 if loudest == 3 and level < 0.0 else loudest
    result[ALSO] = others


@compiled()
def score_row(
    states: Floats, place: int, value: float, rate: float, said: Floats, result: Floats
) -> None:
    """Score a row of the key at `place`; as `step`."""
    step(states[place], value, rate, said, result)


@compiled()
def score_rows(
    states: Floats, places: NDArray[np.int64], values: Floats, rate: float, results: Floats
) -> None:
    """Score rows of many keys in their order.

    Parameters
    ----------
    states : array of shape (n_keys, STATE_WIDTH)
        Changed in place.
    places : array of shape (n_rows,)
        Row of `states` that holds the state of the key.
    values : array of shape (n_rows,)
        The rows.
    rate : float
        Alarms per row that are wanted.
    results : array of shape (n_rows, RESULT_WIDTH)
        Overwritten.
    """
    said = np.empty((3, SAID_WIDTH))
    for row in range(len(values)):
        step(states[places[row]], values[row], rate, said, results[row])
