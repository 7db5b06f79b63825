"""Scores for a file's rows, one block after the other, and the rules that the rows must keep."""

import math
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nextcall.anomaly.detector import ALARM
from nextcall.anomaly.explained_scores import DETECTORS, DetectorName

SCORE: Final = "anomaly_score"
EXPLANATION: Final = "explanation"
"""Columns that the output adds."""

STANDARD: Final = Path("-")
"""Standard input or output, as CSV."""

_NOTHING: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})  # texts of a missing value


class BlockScorer:
    """Scores one file's blocks; names the file and the row where one breaks a rule."""

    def __init__(
        self,
        source: Path,
        *,
        value: str,
        timestamp: str | None,
        key: str | None,
        rate: float,
        detector: DetectorName = "stream",
    ) -> None:
        self.value, self.timestamp, self.key = value, timestamp, key
        self.rows = self.alarms = 0
        self._name = "standard input" if source == STANDARD else str(source)
        if detector not in DETECTORS:
            names = ", ".join(DETECTORS)
            raise ValueError(f"detector must be one of {names}, got {detector!r}.")
        self._score_rows = DETECTORS[detector](rate)
        self._latest: dict[Hashable, pd.Timestamp] = {}

    def error(self, rule: str) -> ValueError:
        """Say which file breaks a rule."""
        return ValueError(f"{self._name}: {rule}")

    def check_columns(self, columns: Sequence[str]) -> None:
        """Refuse a file that lacks a column, or has one that the output adds."""
        for name in filter(None, (self.value, self.timestamp, self.key)):
            if columns.count(name) != 1:
                listed = ", ".join(columns)
                raise self.error(f"must have one column {name!r}, its columns are {listed}.")
        for name in (SCORE, EXPLANATION):
            if name in columns:
                raise self.error(f"must not have a column {name!r}, the output adds it.")

    def number(self, text: str, row: int) -> float:
        """Read a cell of the value column; `row` counts from 0 within the block."""
        text = text.strip()
        if text.lower() in _NOTHING:
            return math.nan
        try:
            number = float(text) if "_" not in text else math.inf
        except ValueError:
            number = math.inf
        if math.isinf(number):
            raise self.error(
                f"row {self.rows + row + 1}, column {self.value!r}: "
                f"must be a finite number or empty, got {text!r}."
            )
        return number

    def read_times(self, times: Sequence[object], keys: Sequence[Hashable]) -> list[float]:
        """Give seconds since 1970; refuse a cell that is no time or is before the last of its key.

        The last is that of the same key in any block.
        """
        parsed = pd.to_datetime(pd.Series(list(times), dtype=object), errors="coerce", utc=True,
                                format="ISO8601")  # fmt: skip
        for row, (time, key) in enumerate(zip(parsed, keys, strict=True)):
            place = f"row {self.rows + row + 1}, column {self.timestamp!r}"
            if pd.isna(time):
                raise self.error(f"{place}: must be a time in ISO 8601, got {times[row]!r}.")
            if key in self._latest and time < self._latest[key]:
                raise self.error(f"{place}: must not run backwards, got {times[row]!r}.")
            self._latest[key] = time
        micro = parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
        seconds: list[float] = (micro.astype(np.int64) / 1e6).tolist()
        return seconds

    def score(
        self, values: Sequence[float], keys: Sequence[Hashable], times: Sequence[object] | None
    ) -> tuple[list[float], list[str]]:
        """Score a block: the scores, and a text for each."""
        seconds = None if times is None else self.read_times(times, keys)
        risks, texts = self._score_rows(values, keys, seconds)
        self.alarms += sum(risk >= ALARM for risk in risks)
        self.rows += len(risks)
        return risks, texts
