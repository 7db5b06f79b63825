"""One row of one key: a residual, its normal score, what sums of scores say, and the boundary.

Ten tests run side by side on normal scores z: the row alone, a shift up or down by 1/2, 1, 2 and 3
standard deviations since some row before (Shiryaev-Roberts: R = (1 + R) exp(d z - d^2 / 2)), and a
spread of three times the variance. Each R is divided by the constant that makes it "once in R rows"
where nothing is wrong; then they are added, for whatever raises one of them is news. The sum is
held against the boundary, 1 / rate, which moves slowly so that the rate holds whatever the noise,
and is raised where strange rows usually come in clusters (`fault_clusters`).

References
----------
Pollak (1987), Annals of Statistics 15(2): the constant. Shiryaev (1963), Theory of Probability and
Its Applications 8(1).
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nextcall.anomaly.fault_clusters import CLUSTER_WIDTH, GAP, RAISED, learn_stretch, next_rest
from nextcall.anomaly.fault_forecast import (
    FORECAST_WIDTH,
    expect,
    learn_forecast,
    residual,
    spread,
)
from nextcall.anomaly.tails import TAIL_WIDTH, Floats, decades, learn
from nextcall.compiling import compiled


def _overshoot(shift: float) -> float:
    """Give A / (mean rows to a false alarm at R = A) for a shift in standard deviations."""
    rows = np.arange(1, 20_000)
    return float(2 / shift**2 * np.exp(-2 * np.sum(ndtr(-shift * np.sqrt(rows) / 2) / rows)))


SHIFTS: Final = (0.5, 1.0, 2.0, 3.0)
SUM_COUNT: Final = 4
_OVERSHOOT: Final = tuple(_overshoot(shift) for shift in SHIFTS)
_RATIO: Final = 3.0  # variance over the usual one
_SUM_WEIGHT: Final = 0.1  # of a sum: a row alone is the only chance to find a spike
_SPREAD_WEIGHT: Final = 1.0
_SPREAD_MOST: Final = 4.0  # standard deviations that count there
_HIGHEST: Final = 20.0  # boundaries that a sum may hold: it must come down again
_MOST: Final = 8.0  # normal scores
_DEGREES: Final = 8.0  # of Student's t: the law of residuals before it is learned
_LAW_WEIGHT: Final = 300.0  # rows that this guess is worth
_LAW_ROWS: Final = 100.0  # before the own law speaks
_CENTRE_ROWS: Final = 5_000.0  # rows that weigh in the mean score: of few numbers it is not 0
_CENTRE_MOST: Final = 3.0  # scores that teach it
WARM: Final = 100  # rows before the first possible alarm
_FIRST: Final = 30  # rows before the first residual
_FADE: Final = 0.9  # of a suspicion, a row
_STEADY: Final = 5.0  # calm rows that weigh as one suspicious row
_PATIENCE: Final = 720.0  # suspicious rows after which what is there is the new normal
_ODD: Final = 4.0  # normal score from which a row teaches a quarter
_START: Final = 1.0  # natural log of boundary x rate: ten tests alarm oftener than one
_LOWEST_START: Final = -0.5  # how far that may move down ...
_MOST_START: Final = 5.0  # ... and up
_TRUST: Final = 40.0  # alarms that the start is worth
_APART: Final = 0.5  # of the rows between two alarms: alarms closer than that count once
LARGEST: Final = 1e100  # larger values count as this large: squares stay finite
_LAW_APART: Final = 2.0  # the same, for rows with an alarm that the law of residuals learns

# Columns of the state.
(
    ROWS_SEEN, MISSING, LATE, ALARMS, TIME, RISK, DOUBT, SUSPECT, MOVED, EXPOSED, ALONE, UNLEARNED,
    RESTING, CENTRE,
) = range(14)  # fmt: skip
UP: Final = 14
DOWN: Final = UP + SUM_COUNT
UP_SINCE: Final = DOWN + SUM_COUNT
DOWN_SINCE: Final = UP_SINCE + SUM_COUNT
SPREAD: Final = DOWN_SINCE + SUM_COUNT
SPREAD_SINCE: Final = SPREAD + 1
ABOVE: Final = SPREAD_SINCE + 1
BELOW: Final = ABOVE + TAIL_WIDTH
FORECAST: Final = BELOW + TAIL_WIDTH
CLUSTER: Final = FORECAST + FORECAST_WIDTH
STATE_WIDTH: Final = CLUSTER + CLUSTER_WIDTH

# Columns of a result.
RESULT: Final = ("risk", "enough_data", "resting", "reason", "expected", "sigma", "once_in", "rows")
RESULT_WIDTH: Final = len(RESULT)
REASONS: Final = ("", "high", "low", "higher since", "lower since", "restless")
"""What was strange: the row, the mean of the last rows, or their spread."""


@compiled()
def start(own: Floats) -> None:
    """Forget everything: the state of a key before its first row."""
    own[:] = 0.0
    own[TIME] = -np.inf
    own[ALONE] = own[UNLEARNED] = 1e9


@compiled()
def normal_quantile(tail_decades: float) -> float:
    """Give z with P(Z >= z) = 10 ** -tail_decades, at least 0, for a standard normal Z.

    References
    ----------
    Abramowitz & Stegun (1964), 26.2.23: the error is below 0.00045.
    """
    if tail_decades <= 0.30103:
        return 0.0
    root: float = math.sqrt(2 * math.log(10.0) * tail_decades)
    above = 2.515517 + root * (0.802853 + root * 0.010328)
    return float(root - above / (1 + root * (1.432788 + root * (0.189269 + root * 0.001308))))


@compiled()
def normal_score(own: Floats, off: float) -> float:
    """Turn a residual into a normal score by the law of those before it."""
    tail = own[ABOVE:BELOW] if off > 0 else own[BELOW:FORECAST]
    guess = math.sqrt(_DEGREES * math.log1p(off * off / _DEGREES))
    rows = tail[0]
    if rows > _LAW_ROWS:
        known = rows / (rows + _LAW_WEIGHT)
        guess = known * normal_quantile(decades(tail, abs(off))) + (1 - known) * guess
    return float(math.copysign(min(guess, _MOST), off))


@compiled()
def add_up(own: Floats, score: float, most: float) -> tuple[float, float, int, float]:
    """Add a normal score to the sums; give evidence in rows (all, of this alone), reason and rows.

    Parameters
    ----------
    own : array of shape (STATE_WIDTH,)
        Changed in place.
    score : float
        Of the row.
    most : float
        Boundary.
    """
    alone = 1 / math.erfc(abs(score) / math.sqrt(2.0))
    evidence, strongest = alone, alone
    reason, since = 1 if score > 0 else 2, 1.0
    centred = score - own[CENTRE]
    for place in range(SUM_COUNT):
        shift, part = SHIFTS[place], _OVERSHOOT[place]
        for side in range(2):
            moved = centred if side == 0 else -centred
            column = (UP if side == 0 else DOWN) + place
            own[column] = (1 + own[column]) * math.exp(shift * (moved - shift / 2))
            own[column] = min(own[column], _HIGHEST * most * part)
            rows = column + UP_SINCE - UP
            own[rows] = own[rows] + 1 if own[column] > 1 else 0.0
            weighted = _SUM_WEIGHT * own[column] / part
            evidence += weighted
            if weighted > strongest:
                strongest, since = weighted, own[rows]
                reason = 3 + side if since > 1 else 1 + side
    square = min(abs(score), _SPREAD_MOST) ** 2
    own[SPREAD] = (1 + own[SPREAD]) * math.exp(square / 2 * (1 - 1 / _RATIO)) / math.sqrt(_RATIO)
    own[SPREAD] = min(own[SPREAD], _HIGHEST * most)
    own[SPREAD_SINCE] = own[SPREAD_SINCE] + 1 if own[SPREAD] > 1 else 0.0
    evidence += _SPREAD_WEIGHT * own[SPREAD]
    if _SPREAD_WEIGHT * own[SPREAD] > strongest:
        reason, since = 5, own[SPREAD_SINCE]
    return evidence, alone, reason, since


@compiled()
def judge(own: Floats, evidence: float, bound: float, rate: float, rest: float) -> bool:
    """Write the risk, say whether it is an alarm, and move the boundary."""
    if own[ROWS_SEEN] <= WARM:
        own[RISK] = 0.0
        return False
    own[RISK] = evidence / (evidence + bound)
    alarm = bool(own[RISK] >= 0.5)
    if own[RESTING] > 0:
        own[RESTING] -= 1
        own[RISK] *= 0.5
    elif alarm:
        own[ALARMS] += 1
        own[RESTING] = next_rest(own[CLUSTER:], rest)
    own[ALONE] += 1
    if own[ALONE] > _APART / rate:
        own[EXPOSED] += 1
        gain = 1 / (_TRUST + rate * own[EXPOSED])
        moved = own[MOVED] + gain * ((1.0 if alarm else 0.0) - rate)
        own[MOVED] = min(max(moved, _LOWEST_START - _START), _MOST_START - _START)
        if alarm:
            own[ALONE] = 0.0
    if alarm:
        own[UP:UP_SINCE] = 0.0
        own[SPREAD] = 0.0
    return alarm


@compiled()
def trust(own: Floats, evidence: float, rate: float) -> float:
    """Give what a row may teach: less where the rows before it raised a suspicion."""
    doubt = own[DOUBT] * rate
    share: float = 1 / (1 + doubt * doubt)
    own[SUSPECT] = own[SUSPECT] + 1 if doubt > 1 else max(own[SUSPECT] - _STEADY, 0.0)
    if own[SUSPECT] > _PATIENCE:
        own[SUSPECT] = min(own[SUSPECT], 3 * _PATIENCE)
        share = 1.0
    own[DOUBT] = max(min(evidence, _HIGHEST / rate), own[DOUBT] * _FADE)
    return share


@compiled()
def step(own: Floats, value: float, when: float, rate: float, rest: float, result: Floats) -> None:
    """Score one row and learn from it.

    Parameters
    ----------
    own : array of shape (STATE_WIDTH,)
        State of the row's key; changed in place.
    value : float
        NaN and infinities are counted as missing: risk 0, nothing learned.
    when : float
        Seconds since 1970, ``nan`` where unknown. A row that is not later than the newest of its
        key is counted as late: risk 0, nothing learned.
    rate : float
        Alarms per row that are wanted.
    rest : float
        Rows after the first alarm of a stretch without another.
    result : array of shape (RESULT_WIDTH,)
        Overwritten.
    """
    rows = int(own[ROWS_SEEN])
    forecast, cluster = own[FORECAST:CLUSTER], own[CLUSTER:]
    result[:] = 0.0
    result[1] = 1.0 if rows >= WARM else 0.0
    result[4] = result[5] = np.nan
    result[6] = 1.0
    own[RISK] = 0.0
    if not math.isfinite(value):
        own[MISSING] += 1
        return
    if math.isfinite(when):
        if when <= own[TIME]:
            own[LATE] += 1
            return
        own[TIME] = when
    value = min(max(value, -LARGEST), LARGEST)
    own[ROWS_SEEN] = rows + 1.0
    expected = expect(forecast, when) if rows > 0 else value
    sigma, power = spread(forecast, expected)
    off = residual(forecast, value, expected, sigma, power) if rows >= _FIRST else 0.0
    score = normal_score(own, off)
    usual = math.exp(_START + own[MOVED] + cluster[RAISED])
    result[2] = 1.0 if own[RESTING] > 0 else 0.0
    evidence, alone, reason, since = add_up(own, score, usual / rate)
    alarm = judge(own, evidence, usual / rate, rate, rest)
    first = math.exp(_START) / rate
    if rows >= WARM and learn_stretch(cluster, evidence, evidence - alone, alarm, first, rate):
        own[RESTING] = min(own[RESTING], max(rest - GAP, 0.0))
    share = trust(own, evidence, rate)
    own[UNLEARNED] += 1
    lesson = not alarm
    if alarm and own[UNLEARNED] > _LAW_APART / rate:
        lesson = True
        own[UNLEARNED] = 0.0
    if lesson and share > 0.5 and rows >= _FIRST:
        learn(own[ABOVE:BELOW], off)
        learn(own[BELOW:FORECAST], -off)
        gain = 1 / min(own[ABOVE], _CENTRE_ROWS)
        own[CENTRE] += gain * (min(max(score, -_CENTRE_MOST), _CENTRE_MOST) - own[CENTRE])
    share *= 0.25 if abs(score) > _ODD else 1.0
    learn_forecast(forecast, value, when, rows, expected, sigma, share)
    result[0] = own[RISK]
    result[3] = reason
    result[4] = expected
    result[5] = sigma
    result[6] = evidence / usual
    result[7] = since


@compiled()
def step_rows(
    states: Floats,
    places: NDArray[np.int64],
    values: Floats,
    times: Floats,
    rate: float,
    rest: float,
    results: Floats,
) -> None:
    """Score rows of many keys in their order; `places` says where in `states` each key stands."""
    for row in range(len(values)):
        step(states[places[row]], values[row], times[row], rate, rest, results[row])


@compiled()
def step_at(
    states: Floats, place: int, value: float, when: float, rate: float, rest: float, result: Floats
) -> None:
    """Score a row of the key at `place`; as `step`."""
    step(states[place], value, when, rate, rest, result)
