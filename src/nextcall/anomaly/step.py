"""One row of one key: three channels, one probability, the boundary and the rest, compiled.

The state of a key is one row of float64: four numbers of its own, then the three channels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.channels import (
    LEVEL_WIDTH,
    MEDIAN,
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
LARGEST: Final = 1e290  # larger values count as this large: sums and moments stay finite

ROWS_SEEN: Final = 0
SHIFT: Final = 1
ROWS_SINCE_ALARM: Final = 2
MISSING: Final = 3
VALUE: Final = 4
SHAPE: Final = VALUE + VALUE_WIDTH
LEVEL: Final = SHAPE + SHAPE_WIDTH
STATE_WIDTH: Final = LEVEL + LEVEL_WIDTH

RISK: Final = 0
ENOUGH: Final = 1
RESTING: Final = 2
CHANNEL: Final = 3
EXPECTED: Final = 4
ONCE_IN: Final = 5
RESULT_WIDTH: Final = 6

CHANNELS: Final = ("", "value", "shape", "level up", "level down")
"""What may have spoken, by the number in `CHANNEL`; the first is nothing."""


@compiled()
def start(state: Floats) -> None:
    """Forget everything: the state of a key before its first row."""
    state[:] = 0.0
    state[ROWS_SINCE_ALARM] = 1e9


@compiled()
def judge(state: Floats, probability: float, rate: float, result: Floats) -> None:
    """Turn a probability into a risk, and keep the rate of alarms where it should be.

    Parameters
    ----------
    state : array of shape (STATE_WIDTH,)
        Changed in place; `ROWS_SEEN` counts this row already.
    probability : float
        That a row is at least this strange.
    rate : float
        Alarms per row that are wanted.
    result : array of shape (RESULT_WIDTH,)
        `RISK`, `ENOUGH` and `RESTING` are written.
    """
    rows = state[ROWS_SEEN]
    goal = min(rate * max(1.0, SHORT / rows) ** SHORT_SLOPE, MOST_GOAL)
    rest = min(REST_SHARE * rows, MOST_REST, REST_BUDGET / goal)
    bound = goal / (1.0 - goal * rest) * 10.0 ** state[SHIFT]
    risk = bound / (bound + probability)
    state[ROWS_SINCE_ALARM] += 1.0
    resting = state[ROWS_SINCE_ALARM] <= rest
    enough = rows > WARM_UP
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
    result[RISK] = risk
    result[ENOUGH] = 1.0 if enough else 0.0
    result[RESTING] = 1.0 if resting else 0.0


@compiled()
def step(state: Floats, value: float, rate: float, result: Floats) -> None:
    """Score one row and learn from it.

    Parameters
    ----------
    state : array of shape (STATE_WIDTH,)
        Of the row's key; changed in place. NaN changes nothing but `MISSING`.
    value : float
        The row.
    rate : float
        Alarms per row that are wanted.
    result : array of shape (RESULT_WIDTH,)
        Overwritten.
    """
    if np.isnan(value):
        state[MISSING] += 1.0
        result[:] = 0.0
        result[ENOUGH] = 1.0 if state[ROWS_SEEN] >= WARM_UP else 0.0
        result[EXPECTED] = np.nan
        result[ONCE_IN] = 1.0
        return
    value = min(max(value, -LARGEST), LARGEST)
    rows = int(state[ROWS_SEEN])
    middle = state[LEVEL + MEDIAN]
    novelty, nearest = value_novelty(state[VALUE:SHAPE], value, rows)
    shape = shape_novelty(state[SHAPE:LEVEL], value, rows)
    level = level_change(state[LEVEL:], value, rows)
    strongest = max(novelty, shape, abs(level))
    probability = min(1.0, CHANNEL_COUNT * 10.0**-strongest)
    state[ROWS_SEEN] = rows + 1.0
    judge(state, probability, rate, result)
    if strongest == 0.0:
        result[CHANNEL] = 0.0
        result[EXPECTED] = np.nan
    elif novelty == strongest:
        result[CHANNEL] = 1.0
        result[EXPECTED] = nearest
    elif shape == strongest:
        result[CHANNEL] = 2.0
        result[EXPECTED] = np.nan
    else:
        result[CHANNEL] = 3.0 if level > 0.0 else 4.0
        result[EXPECTED] = middle
    result[ONCE_IN] = 1.0 / probability


@compiled()
def score_row(states: Floats, place: int, value: float, rate: float, result: Floats) -> None:
    """Score a row of the key at `place`; as `step`."""
    step(states[place], value, rate, result)


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
    for row in range(len(values)):
        step(states[places[row]], values[row], rate, results[row])
