"""Scores of plain formulas and of published detectors, where these are installed, for comparison.

A peer takes the values of one series, in order, and gives each a score, higher for stranger, that
depends on that value and those before it (PyOD's ECOD ranks a day's rows among each other too). The
file needs numpy alone and runs as a script, in an environment with other libraries than ours;
`benchmarks/planted_faults.py` asks it there.
"""

import importlib
import importlib.util
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Peer = Callable[[Floats], Floats]

_DAY: Final = 1440  # rows: the peers are told that a row is a minute
_HOUR: Final = 60
_WEEK_HOURS: Final = 168
_WINDOW: Final = 60  # rows of the rolling formulas
_MAD_TO_SIGMA: Final = 1.4826  # 1 / Phi^-1(3/4)
_FIT: Final = 2 * _DAY  # rows that PyOD's detectors learn from, anew every day
_LAGS: Final = 3  # values in a row of theirs
_SPOT_START: Final = 2_000  # rows that libspot begins with
_SPOT_RISK: Final = 1e-4  # its own default
_ADWIN_DELTAS: Final = tuple(10.0 ** (-power / 2) for power in range(1, 17))


def z_score(values: Floats) -> Floats:
    """Distance to the mean of all values before, in their standard deviations."""
    scores = np.zeros(len(values))
    mean = squares = 0.0
    for row, value in enumerate(values.tolist()):
        if row > 1 and squares > 0:
            scores[row] = abs(value - mean) / math.sqrt(squares / row)
        off = value - mean
        mean += off / (row + 1)
        squares += off * (value - mean)
    return scores


def ewma_z_score(values: Floats) -> Floats:
    """As `z_score`, with mean and variance exponentially weighted over 60 rows."""
    scores = np.zeros(len(values))
    mean, variance = float(values[0]), 0.0
    for row, value in enumerate(values.tolist()):
        off = value - mean
        if variance > 0:
            scores[row] = abs(off) / math.sqrt(variance)
        weight = 1 / min(row + 1, _WINDOW)
        mean += weight * off
        variance = (1 - weight) * (variance + weight * off * off)
    return scores


def hampel(values: Floats) -> Floats:
    """Distance to the median of the 60 values before, in median deviations."""
    scores = np.zeros(len(values))
    if len(values) > _WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], _WINDOW)
        middle = np.median(windows, axis=1)
        spread = _MAD_TO_SIGMA * np.median(np.abs(windows - middle[:, None]), axis=1)
        scores[_WINDOW:] = np.abs(values[_WINDOW:] - middle) / np.maximum(spread, 1e-9)
    return scores


def hour_of_week(values: Floats) -> Floats:
    """Distance to the mean of all values before in that hour of the week, in their deviations."""
    scores = np.zeros(len(values))
    count, mean, squares = (np.zeros(_WEEK_HOURS) for _ in range(3))
    for row, value in enumerate(values.tolist()):
        slot = row // _HOUR % _WEEK_HOURS
        if count[slot] > 1 and squares[slot] > 0:
            scores[row] = abs(value - mean[slot]) / math.sqrt(squares[slot] / count[slot])
        count[slot] += 1
        off = value - mean[slot]
        mean[slot] += off / count[slot]
        squares[slot] += off * (value - mean[slot])
    return scores


def river_gaussian(values: Floats, *, window: int | None) -> Floats:
    """River's GaussianScorer over all values before, or a window of them: 2 |Phi - 1/2|."""
    scorer = _take("river.anomaly").GaussianScorer(window_size=window)
    scores = np.zeros(len(values))
    for row, value in enumerate(values.tolist()):
        with suppress(TypeError):  # a flat window's variance may be below 0, its root complex
            scores[row] = scorer.score_one(None, value)
        scorer.learn_one(None, value)
    return scores


def river_trees(values: Floats, *, seed: int = 0) -> Floats:
    """River's HalfSpaceTrees, of values scaled by the range of those before."""
    model = _take("river.preprocessing").MinMaxScaler() | _take("river.anomaly").HalfSpaceTrees(
        seed=seed
    )
    scores = np.zeros(len(values))
    for row, value in enumerate(values.tolist()):
        scores[row] = model.score_one({"value": value})
        model.learn_one({"value": value})
    return scores


def _river_forecast(values: Floats) -> Floats:
    # Its score ends at 1 where the squared error passes `n_std` deviations: too low to rank by.
    detector = _take("river.anomaly").PredictiveAnomalyDetection(
        _take("river.time_series").SNARIMAX(p=4, d=0, q=0), n_std=1e3, warmup_period=100
    )
    scores = np.zeros(len(values))
    scale = float(np.std(values[:_DAY])) or 1.0  # its gradient descent leaves at plain counts
    for row, value in enumerate((values / scale).tolist()):
        scores[row] = detector.score_one(None, value)
        detector.learn_one(None, value)
    return np.nan_to_num(scores, nan=0.0)


def _river_page_hinkley(values: Floats) -> Floats:
    """Its two sums, in the deviation of the first day; it starts anew where they pass 50."""
    detector = _take("river.drift").PageHinkley(delta=0.5, threshold=50.0, alpha=1.0)
    scale = float(np.std(values[:_DAY])) or 1.0
    scores = np.zeros(len(values))
    for row, value in enumerate((values / scale).tolist()):
        detector.update(value)
        own = vars(detector)  # the sums have no public name
        rise = own["_sum_increase"] - own["_min_increase"]
        scores[row] = max(rise, own["_max_decrease"] - own["_sum_decrease"])
    return scores


def _river_adwin(values: Floats) -> Floats:
    """How many of 16 detectors, each ten to the half stricter, see a change at this value."""
    make = _take("river.drift").ADWIN
    detectors = [make(delta=delta, clock=1, grace_period=10) for delta in _ADWIN_DELTAS]
    scale = float(np.std(values[:_DAY])) or 1.0
    scores = np.zeros(len(values))
    for row, value in enumerate((values / scale).tolist()):
        for level, detector in enumerate(detectors):
            detector.update(value)
            if detector.drift_detected:
                scores[row] = level + 1
    return scores


def libspot_tails(values: Floats, *, first: int, q: float) -> Floats:
    """Give libspot's probability of a value as far out, the smaller of its two tails.

    Parameters
    ----------
    values : array of shape (n_rows,)
    first : int
        Rows to begin with; they are not scored.
    q : float
        Probability below which it takes a value for an anomaly, and does not learn it.

    Returns
    -------
    array of shape (n_rows,)
        1 where a value is in no tail, and on a side whose start cannot be fitted.
    """
    tails = np.ones((2, len(values)))
    for tail, sign in zip(tails, (1.0, -1.0), strict=True):
        spot = _take("libspot").Spot(q=q)
        shown = (sign * values).tolist()
        try:
            spot.fit(shown[:first])
        except RuntimeError:  # refuses a flat start
            continue
        for row, value in enumerate(shown[first:], start=first):
            if value > spot.excess_threshold:
                tail[row] = np.nan_to_num(spot.probability(value), nan=0.0)  # beyond its end
            spot.step(value)
    return np.asarray(tails.min(axis=0), dtype=np.float64)


def _libspot(values: Floats, *, drift: bool) -> Floats:
    start = min(_SPOT_START, len(values) // 2)
    shown = values.astype(np.float64)
    if drift:  # DSPOT: what is left of the mean of the ten values before
        before = np.convolve(values, np.ones(10) / 10)[: len(values)]
        shown = values - np.concatenate([values[:1], before[:-1]])
    tails = libspot_tails(shown[10:], first=start - 10, q=_SPOT_RISK)
    decades = [-math.log10(max(tail, 1e-300)) for tail in tails.tolist()]
    return np.array([0.0] * 10 + decades)


def _pyod(module: str, name: str, options: Mapping[str, Any]) -> Peer:
    def score(values: Floats) -> Floats:
        make = getattr(_take(f"pyod.models.{module}"), name)
        rows = np.lib.stride_tricks.sliding_window_view(values, _LAGS)  # row i ends at i + lags - 1
        scores = np.zeros(len(values))
        for begin in range(_FIT, len(values), _DAY):
            known = rows[begin - _FIT : begin - _LAGS + 1]
            new = rows[begin - _LAGS + 1 : begin + _DAY - _LAGS + 1]
            model = make(**options).fit(known)
            scores[begin : begin + _DAY] = model.decision_function(new)
        return scores

    return score


PLAIN: Final[Mapping[str, Peer]] = {
    "z-score": z_score,
    "EWMA z-score": ewma_z_score,
    "Hampel": hampel,
    "hour-of-week z-score": hour_of_week,
}
"""Formulas that need no library."""

PUBLISHED: Final[Mapping[str, Peer]] = {
    "river GaussianScorer": partial(river_gaussian, window=None),
    "river GaussianScorer(288)": partial(river_gaussian, window=288),
    "river HalfSpaceTrees": river_trees,
    "river SNARIMAX": _river_forecast,
    "river PageHinkley": _river_page_hinkley,
    "river ADWIN": _river_adwin,
    "libspot": partial(_libspot, drift=False),
    "libspot, drift": partial(_libspot, drift=True),
    "PyOD ECOD": _pyod("ecod", "ECOD", {}),
    "PyOD IForest": _pyod("iforest", "IForest", {"random_state": 0, "n_estimators": 50}),
}
"""Detectors of river, libspot and PyOD."""


def installed(names: Sequence[str] = tuple(PUBLISHED)) -> list[str]:
    """Give those of the published detectors whose library is there."""
    return [name for name in names if importlib.util.find_spec(name.split()[0].rstrip(",").lower())]


def score_series(name: str, values: Floats, lengths: Sequence[int]) -> Floats:
    """Score series that stand one after the other.

    Parameters
    ----------
    name : str
        Of `PLAIN` or `PUBLISHED`.
    values : array of shape (n_rows,)
    lengths : sequence of int
        Rows of each series.
    """
    peer = {**PLAIN, **PUBLISHED}[name]
    ends = np.cumsum(lengths)
    parts = [peer(values[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    return np.concatenate(parts)


def _take(module: str) -> Any:
    return importlib.import_module(module)


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Say what is installed, then answer requests, a line each.

    A request is ``[name, file of values, lengths, file for the scores]``, its answer the seconds.
    """
    _answer(installed())
    for line in sys.stdin:
        name, source, lengths, target = json.loads(line)
        begin = time.process_time()
        np.save(target, score_series(name, np.load(source), lengths))
        _answer(time.process_time() - begin)


if __name__ == "__main__":
    main()
