"""What is odd in thousands of series, one value at a time or many, by the same compiled step."""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly import saved
from nextcall.anomaly.channels import ACTUAL, EXPECTED, HIGH, LOW, SAID_WIDTH
from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import finite_or_nan, keys_of
from nextcall.anomaly.monitor_input import number
from nextcall.anomaly.step import (
    ALARM_FROM,
    ALSO,
    CHANNEL,
    CHANNELS,
    ENOUGH,
    MISSING,
    MOST_GOAL,
    ODD_ROWS,
    ONCE_IN,
    OTHERS,
    RESTING,
    RESULT_WIDTH,
    RISK,
    ROWS_SEEN,
    SAID,
    STATE_WIDTH,
    score_row,
    score_rows,
    start,
)

ALARM: Final = 0.5
"""Risk from which a row is an alarm."""

ONLY_KEY: Final = ""
"""Key of the rows whose keys are not given."""

_REASONS: Final = {
    "value": "value {}, nearest known {} (usual {low} to {high})",
    "shape": "shape of 6 points, mean of 3 {}, in the nearest known {} (usual {low} to {high})",
    "level up": "level up, mean of 48 points {}, before {} (usual at most {high})",
    "level down": "level down, mean of 48 points {}, before {} (usual at least {low})",
}
_DEFAULT_RATE: Final = 1 / 600  # once in two days of rows of five minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How strange one row of one key is."""

    risk: float
    """In [0, 1]; 0.5 and more is an alarm at the rate of the detector. 0 for NaN."""
    enough_data: bool
    """False during the warm-up, when the risk is 0."""
    resting: bool
    """Whether an alarm shortly before keeps the risk below 0.5."""
    channel: str
    """Loudest: ``value``, ``shape``, ``level up`` or ``level down``; empty where none speaks."""
    also: str
    """Other channels that reach the boundary, ``" and "`` between them."""
    actual: float
    """The row (``value``), or the mean of the last 3 (``shape``) or 48 (``level``)."""
    expected: float
    """The nearest value known (``value``), the like mean of the third-nearest shape (``shape``) or
    the mean of the 48 rows before (``level``, both around the running median); NaN where nothing
    is known."""
    low: float
    """Where the channel reaches the boundary: `actual` would be usual from here ..."""
    high: float
    """... to here; NaN otherwise, and on the side that a level change does not speak of."""
    odd_rows: int
    """Rows in a row, this one the last, of which each is odd: rarer than once in 20."""
    once_in: float
    """Rows among which one as strange is expected, from the history of the key."""
    alarm_from: float
    """Value of `once_in` from which a row is an alarm, but for a rest and the warm-up."""

    @property
    def explanation(self) -> str:
        r"""Why a row is an alarm, or why it is none though it is strange enough; else empty.

        Examples
        --------
        >>> detector = StreamDetector()
        >>> calm = detector.score([5.0 + place % 7 for place in range(500)])
        >>> for part in detector.update("", 90.0).explanation.split("; "):
        ...     print(part)
        value 90, nearest known 11 (usual 11 to 11)
        also shape
        once in 1,627 points, an alarm from 61
        """
        if not self.once_in >= self.alarm_from:
            return ""
        actual, expected, low, high = (
            f"{number:.5g}" for number in (self.actual, self.expected, self.low, self.high)
        )
        parts = [_REASONS[self.channel].format(actual, expected, low=low, high=high)]
        if self.also:
            parts.append(f"also {self.also}")
        if self.odd_rows > 1:
            parts.append(f"odd for {self.odd_rows:,} points")
        parts.append(f"once in {self.once_in:,.0f} points, an alarm from {self.alarm_from:,.0f}")
        if self.risk < ALARM:
            parts.append("resting after an alarm" if self.enough_data else "not enough data")
        return "; ".join(parts)


def explanations(told: pd.DataFrame) -> list[str]:
    """Give the `Score.explanation` of every row of what `StreamDetector.score` gives."""
    texts = [""] * len(told)
    strange = np.flatnonzero((told["once_in"] >= told["alarm_from"]).to_numpy())
    for row, fields in zip(strange, told.iloc[strange].to_dict("records"), strict=True):
        texts[row] = Score(**cast("dict[str, Any]", fields)).explanation
    return texts


class StreamDetector:
    """Scores the rows of any number of series, each against its own past.

    A row is strange where its value is far from all that are remembered, where the shape of the
    last six rows is, or where the level of the last 48 differs from that of the 48 before. Each of
    the three is judged by its own history, which makes their probabilities comparable; the
    smallest of them, corrected for their number, is held against a boundary that keeps the rate of
    alarms. After an alarm a key rests.

    Every row changes only the state of its key, in constant time, and the score of a row depends on
    it and the rows before it alone. Time is not looked at: rows count in the order in which they
    come, late and repeated ones too.

    Parameters
    ----------
    rate : float
        Alarms per row that are wanted of a series with nothing wrong, in (0, 0.05]. The first 5,000
        rows of a key may see somewhat more.

    Raises
    ------
    ValueError
        Where the rate is out of range.

    Examples
    --------
    >>> detector = StreamDetector(rate=1 / 600)
    >>> risks = [detector.update("cpu", 5.0 + place % 7).risk for place in range(500)]
    >>> max(risks) < 0.5
    True
    >>> score = detector.update("cpu", 90.0)
    >>> score.risk >= 0.5, score.channel, score.expected
    (True, 'value', 11.0)
    """

    def __init__(self, *, rate: float = _DEFAULT_RATE) -> None:
        if not 0.0 < rate <= MOST_GOAL:
            raise ValueError(f"rate must be above 0 and at most {MOST_GOAL}, got {rate}.")
        self._rate = float(rate)
        fresh = np.empty(STATE_WIDTH)
        start(fresh)
        self._rows = KeyedRows(fresh)
        self._said = np.zeros((3, SAID_WIDTH))
        self._result = np.zeros(RESULT_WIDTH)

    @property
    def rate(self) -> float:
        """Alarms per row that are wanted."""
        return self._rate

    @property
    def keys(self) -> list[Hashable]:
        """Every key that was seen, the oldest first."""
        return self._rows.keys

    def __len__(self) -> int:
        return len(self._rows)

    def update(self, key: Hashable, value: float | None) -> Score:
        """Score the next row of a key and learn from it.

        Parameters
        ----------
        key : hashable
            Whose row it is; one that was not seen starts from nothing.
        value : float or None
            None and NaN are a missing row: risk 0, counted, nothing learned.

        Raises
        ------
        TypeError
            Where the value is no number.
        ValueError
            Where it is infinite.
        """
        if math.isinf(given := number(value)):
            raise ValueError(f"value must be finite or NaN, got {value} for key {key!r}.")
        place = self._rows.place(key)
        result = self._result
        score_row(self._rows.states, place, given, self._rate, self._said, result)
        told = result.tolist()
        return Score(
            risk=told[RISK],
            enough_data=told[ENOUGH] > 0.0,
            resting=told[RESTING] > 0.0,
            channel=CHANNELS[int(told[CHANNEL])],
            also=OTHERS[int(told[ALSO])],
            actual=told[SAID + ACTUAL],
            expected=told[SAID + EXPECTED],
            low=told[SAID + LOW],
            high=told[SAID + HIGH],
            odd_rows=int(told[ODD_ROWS]),
            once_in=told[ONCE_IN],
            alarm_from=told[ALARM_FROM],
        )

    def score(self, values: ArrayLike, keys: Iterable[Hashable] | None = None) -> pd.DataFrame:
        """Score many rows in their order; the same numbers as `update` on one after the other.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
            Numbers; None and NaN are missing rows.
        keys : iterable of hashable, optional
            Key of each row; without it all rows are of the key ``""``.

        Returns
        -------
        DataFrame
            One row a value, with the fields of `Score` as columns; ``channel`` and ``also`` are
            categorical.

        Raises
        ------
        ValueError
            Where a value is infinite, `values` has not one dimension or the lengths differ; nothing
            is learned then.
        """
        numbers = finite_or_nan(values)
        places = self._rows.places(keys_of(len(numbers), keys))
        results = np.empty((len(numbers), RESULT_WIDTH))
        score_rows(self._rows.states, places, numbers, self._rate, results)
        return pd.DataFrame(
            {
                "risk": results[:, RISK],
                "enough_data": results[:, ENOUGH] > 0.0,
                "resting": results[:, RESTING] > 0.0,
                "channel": _named(results[:, CHANNEL], CHANNELS),
                "also": _named(results[:, ALSO], OTHERS),
                "actual": results[:, SAID + ACTUAL],
                "expected": results[:, SAID + EXPECTED],
                "low": results[:, SAID + LOW],
                "high": results[:, SAID + HIGH],
                "odd_rows": results[:, ODD_ROWS].astype(np.int64),
                "once_in": results[:, ONCE_IN],
                "alarm_from": results[:, ALARM_FROM],
            }
        )

    def rows(self, key: Hashable) -> int:
        """Count the rows of a key that were learned from; 0 for one that was not seen."""
        return self._rows.count(key, ROWS_SEEN)

    def missing(self, key: Hashable) -> int:
        """Count the rows of a key that were NaN; 0 for one that was not seen."""
        return self._rows.count(key, MISSING)

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        saved.save(path, rate=self._rate, keys=self.keys, states=self._rows.used()[0])

    @classmethod
    def load(cls, path: Path) -> "StreamDetector":
        """Read what `save` wrote; the detector goes on as if nothing had happened.

        Raises
        ------
        ValueError
            Where the file is not such a file; the message names it and what is wrong.
        OSError
            Where it cannot be read.
        """
        rate, keys, states = saved.load(path)
        detector = cls(rate=rate)
        detector._rows.fill(keys, states)
        return detector


def _named(codes: NDArray[np.float64], names: tuple[str, ...]) -> "pd.Categorical[str]":
    return pd.Categorical.from_codes(codes.astype(np.int8), categories=pd.Index(names))
