"""What the fault detector says of a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import pandas as pd

ALARM: Final = 0.5
"""Risk from which a row is an alarm."""

_Z: Final = 1.96  # normal quantile of a 95 % band


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScore:
    """How strange one row of one key is, in the unit of the metric where none is named."""

    risk: float
    """In [0, 1]; 0.5 and more is an alarm at the rate of the detector. 0 for a missing row."""
    enough_data: bool
    """False during the warm-up, when the risk is 0."""
    resting: bool
    """Whether an alarm shortly before keeps the risk below 0.5."""
    reason: str
    """``high`` or ``low`` (the row), ``higher since`` or ``lower since`` (the mean of the last
    `rows`), ``restless`` (their spread); empty for a missing row."""
    actual: float
    expected: float
    sigma: float
    """Usual standard deviation at the expected value."""
    once_in: float
    """Rows between two that are as strange, where nothing is wrong."""
    rows: int
    """How many rows ago it began, this one included."""
    alarm_from: float
    """Value of `once_in` from which a row is an alarm, but for a rest and the warm-up."""

    @property
    def explanation(self) -> str:
        """Why a row is an alarm, or why it is none though it is strange enough; else empty."""
        parts = []
        if self.risk < ALARM:
            if self.resting and self.risk >= ALARM / 2:  # a rest halves the risk
                parts.append("resting after an alarm")
            elif not self.enough_data and self.once_in >= self.alarm_from:
                parts.append("not enough data")
            else:
                return ""
        low, high = self.expected - _Z * self.sigma, self.expected + _Z * self.sigma
        since = "" if self.reason in {"high", "low"} else f" over {self.rows} points"
        told = (
            f"{self.reason.split()[0]}{since}: now {self.actual:.6g}, expected {self.expected:.6g} "
            f"({low:.6g} to {high:.6g}); "
            f"once in {self.once_in:,.0f} points, an alarm from {self.alarm_from:,.0f}"
        )
        return "; ".join([told, *parts])


def explanations(told: pd.DataFrame, values: Sequence[float]) -> list[str]:
    """Give the `FaultScore.explanation` of every row of what `FaultDetector.score` gives.

    Parameters
    ----------
    told : DataFrame
    values : sequence of float
        Those that were scored.
    """
    texts = [""] * len(told)
    strange = (told["risk"] >= ALARM / 2) | (told["once_in"] >= told["alarm_from"])
    rows = np.flatnonzero(strange.to_numpy()).tolist()
    for row, fields in zip(rows, told.iloc[rows].to_dict("records"), strict=True):
        texts[row] = FaultScore(actual=values[row], **cast("dict[str, Any]", fields)).explanation
    return texts
