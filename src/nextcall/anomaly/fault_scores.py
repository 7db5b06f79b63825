"""Scores of ours and of others for every row of a frame of series."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.fault_detection import series_numbers
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.peer_scores import score_series

Floats = NDArray[np.float64]


def _faults(frame: pd.DataFrame, rate: float) -> Floats:
    keys = series_numbers(frame).tolist()
    table = FaultDetector(rate=rate).score(frame["value"], keys, frame["time"])
    return table["risk"].to_numpy(dtype=np.float64)


def _stream(frame: pd.DataFrame, rate: float) -> Floats:
    table = StreamDetector(rate=rate).score(frame["value"], series_numbers(frame).tolist())
    return table["risk"].to_numpy(dtype=np.float64)


def _monitor(frame: pd.DataFrame, rate: float) -> Floats:
    names = pd.Series(series_numbers(frame), index=frame.index).astype(str).astype("string")
    asked = frame[["value", "time"]].assign(metric=names)
    return AnomalyMonitor(rate=rate).check_frame(asked)["risk_score"].to_numpy(dtype=np.float64)


OURS: Final[Mapping[str, Callable[[pd.DataFrame, float], Floats]]] = {
    "FaultDetector": _faults,
    "StreamDetector": _stream,
    "AnomalyMonitor": _monitor,
}
"""The detectors of this package, by name."""


def score_rows(name: str, frame: pd.DataFrame, *, rate: float) -> Floats:
    """Score the rows of a frame, each series for itself.

    Parameters
    ----------
    name : str
        Of `OURS`, `PLAIN`, or of `PUBLISHED` where its library is installed.
    frame : pandas.DataFrame
        ``law``, ``series``, ``entity``, ``time`` and ``value``.
    rate : float
        Alarms per row that a detector of ours is asked for; the others are not asked.
    """
    if name in OURS:
        return OURS[name](frame, rate)
    lengths = np.bincount(series_numbers(frame)).tolist()
    return score_series(name, frame["value"].to_numpy(dtype=np.float64), lengths)
