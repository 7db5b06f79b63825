"""The detectors of the room as a benchmark asks them: a series in, a score a row out.

A detector that is to be compared with the others is added to `own_scorers`, and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log10
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.anomaly.change_detector import ChangeDetector
from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.named_kernels import KINDS
from nextcall.anomaly.seasonal import SeasonalDetector
from nextcall.anomaly.seasons import DAY
from nextcall.anomaly.spot import SpotDetector

DEFAULT_RATE: Final = 1 / 600
"""Alarms a row of normal data: once in two days of rows of five minutes."""

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A detector that knows nothing of a series but what it is given here."""

    name: str
    origin: str
    """Library that it comes from."""
    decides: bool
    """Whether an alarm at 0.5 is what the detector itself means; else only the order counts."""
    score: Callable[[Floats, Times], Floats]
    """Values and times of a series to a score a row, which is higher for stranger, finite, and
    depends on the row and those before it alone."""


def own_scorers(*, rate: float = DEFAULT_RATE) -> list[Scorer]:
    """List the detectors of this room, each at its defaults but for the rate of alarms.

    A named detector alone scores its magnitude m as m / (1 + m): 0.5 at its limit. It has neither
    the boundary of the consensus, which keeps the rate of alarms, nor its rests.

    Parameters
    ----------
    rate : float
        Alarms a row that are wanted of a series with nothing wrong.

    Examples
    --------
    >>> [scorer.name for scorer in own_scorers()][:3]
    ['stream detector', 'consensus of the five', 'z_score']
    """

    def stream(values: Floats, _: Times) -> Floats:
        return StreamDetector(rate=rate).score(values)["risk"].to_numpy(dtype=np.float64)

    def consensus(values: Floats, times: Times) -> Floats:
        return _checked(values, times, rate)["risk_score"].to_numpy(dtype=np.float64)

    def alone(kind: str) -> Callable[[Floats, Times], Floats]:
        def magnitude(values: Floats, times: Times) -> Floats:
            found = _checked(values, times, rate)
            size = found[kind].to_numpy(dtype=np.float64) * found["enough_data"].to_numpy()
            return np.asarray(size / (1.0 + size), dtype=np.float64)

        return magnitude

    functions: dict[str, Callable[[Floats, Times], Floats]] = {
        "stream detector": stream,
        "consensus of the five": consensus,
    }
    functions |= {kind: alone(kind) for kind in KINDS}
    functions |= {
        "fault detector": lambda values, times: (
            FaultDetector(rate=rate)
            .score(values, times=_seconds(times))["risk"]
            .to_numpy(dtype=np.float64)
        ),
        "Hampel": lambda values, _: _beyond(HampelDetector().score(values), 3.0),
        "SPOT": lambda values, _: _beyond(SpotDetector(risk=rate).score(values), -log10(rate)),
        "DSPOT, 60 rows": lambda values, _: _beyond(
            SpotDetector(risk=rate, depth=60).score(values), -log10(rate)
        ),
        "seasonal": lambda values, times: _beyond(_seasonal(values, times), 3.0),
        "change of level": lambda values, _: (
            ChangeDetector(rate=rate).score(values)["score"].to_numpy(dtype=np.float64)
        ),
    }
    return [
        Scorer(name=name, origin="nextcall", decides=True, score=score)
        for name, score in functions.items()
    ]


def _beyond(scores: Floats, limit: float) -> Floats:
    """Map a score that is strange from its limit on to one that is so from 0.5 on."""
    return np.asarray(scores / (scores + limit), dtype=np.float64)


def _seasonal(values: Floats, times: Times) -> Floats:
    return SeasonalDetector(seasons=[DAY]).score(values, times=_seconds(times))


def _seconds(times: Times) -> Floats:
    return times.astype("datetime64[s]").astype(np.float64)


def _checked(values: Floats, times: Times, rate: float) -> pd.DataFrame:
    frame = pd.DataFrame({"metric": "value", "value": values, "time": _seconds(times)})
    return AnomalyMonitor(rate=rate).check_frame(frame)
