"""SPOT and DSPOT: how improbable a value is, by the law of extremes of the values before it."""

from collections.abc import Hashable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import keys_of, one_dimension, times_of
from nextcall.anomaly.monitor_input import number, seconds
from nextcall.anomaly.spot_files import OF, load_spots, save_spots
from nextcall.anomaly.spot_kernels import (
    ALARMS,
    BOTH_SIDES,
    FIELDS,
    LATE,
    LOWER_SIDE,
    MISSING,
    POINTS,
    UPPER_SIDE,
    fresh_row,
    row_width,
    step_at,
    steps,
)
from nextcall.anomaly.spot_result import SpotResult

Side = Literal["both", "upper", "lower"]

_SIDES: Final[dict[Side, int]] = {"both": BOTH_SIDES, "upper": UPPER_SIDE, "lower": LOWER_SIDE}
_LEAST_FIRST: Final = 50  # one value in a tail of a fiftieth
_MOST_RISK: Final = 0.02  # the tails hold no more


class SpotDetector:
    """Tells the probability of each value by Pareto laws for the tails of those of its key before.

    A tail is what lay beyond the outermost 2 % of a first stretch. The newest 200 excesses of each
    carry a generalised Pareto law, fitted anew by probability-weighted moments with each of them;
    how often the tail is met is counted. With a `depth` the values are compared with the mean of
    the newest ones (DSPOT), so that they may drift. Between the tails the probability is
    interpolated from quantiles of the first stretch.

    Other than in the paper a value beyond the threshold is learned too, but as no larger than one
    that is ten times as rare: where alarms teach nothing, the fit cuts its own tail and alarms more
    often than it is told to. And no tail begins nearer to the median than three times 0.1 % of it
    or half the smallest step seen, nor has a smaller scale than these, so that a flat series makes
    no giant of its first flicker.

    The first stretch lies where the tails will: a key takes 8,096 bytes with 1,000 values of
    warm-up, 6,872 with 847 and fewer, and 8 more for each of `depth`.

    Parameters
    ----------
    risk : float
        Probability of a value beyond the thresholds where nothing is wrong, above 0, at most 0.02.
    sides : {"both", "upper", "lower"}
        Where values are strange; both share the risk.
    depth : int
        Values in the local mean; 0 for SPOT.
    warm_up : int
        Values of the first stretch, at least 50; `depth` more come before. Without alarms.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = SpotDetector(risk=1e-3, sides="upper").fit(rng.exponential(size=5000))
    >>> result = detector.check(12.0)
    >>> bool(1e-6 < result.probability < 1e-4), bool(6 < result.high < 8)
    (True, True)
    """

    def __init__(
        self,
        *,
        risk: float = 1e-3,
        sides: Side = "both",
        depth: int = 0,
        warm_up: int = 1000,
    ) -> None:
        if not 0 < risk <= _MOST_RISK:
            raise ValueError(f"risk must be above 0 and at most {_MOST_RISK}, got {risk}.")
        if sides not in _SIDES:
            raise ValueError(f"sides must be of {', '.join(_SIDES)}, got {sides!r}.")
        if depth < 0:
            raise ValueError(f"depth must be at least 0, got {depth}.")
        if warm_up < _LEAST_FIRST:
            raise ValueError(f"warm_up must be at least {_LEAST_FIRST}, got {warm_up}.")
        self._risk, self._sides = float(risk), _SIDES[sides]
        self._shape = int(depth), int(warm_up)
        self._rows = KeyedRows(fresh_row(*self._shape, self._risk, self._sides))
        self._result = np.zeros(len(FIELDS))

    @property
    def keys(self) -> list[Hashable]:
        """Every key that was seen, the oldest first."""
        return self._rows.keys

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key; room for up to twice as many keys is set aside."""
        return self._rows.bytes_per_key

    @property
    def points(self) -> int:
        """Values learned, of all keys; `summary` tells them apart."""
        return self._total(POINTS)

    @property
    def missing(self) -> int:
        """Values that were NaN or infinite, of all keys."""
        return self._total(MISSING)

    @property
    def late(self) -> int:
        """Values that were not later than the newest of their key, of all keys."""
        return self._total(LATE)

    @property
    def alarms(self) -> int:
        """Values rarer than the risk, of all keys."""
        return self._total(ALARMS)

    def fit(self, values: ArrayLike, *, key: Hashable = "") -> Self:
        """Forget a key and take these values as its first stretch, however many they are.

        Parameters
        ----------
        values : array-like of shape (n_values,)
            Without times: what comes next may have any.
        key : hashable
            Whose values they are; the others stay as they are.

        Raises
        ------
        ValueError
            Where `values` has not one dimension or fewer than 50 and `depth` are finite.
        """
        numbers = one_dimension(values)
        depth, _ = self._shape
        count = int(np.isfinite(numbers).sum()) - depth
        if count < _LEAST_FIRST:
            raise ValueError(
                f"values must hold at least {_LEAST_FIRST + depth} finite numbers, "
                f"got {count + depth}."
            )
        row = fresh_row(depth, count, self._risk, self._sides)[np.newaxis]
        whens, results = np.full(len(numbers), np.nan), np.empty((len(numbers), len(FIELDS)))
        places = np.zeros(len(numbers), dtype=np.int64)
        steps(row, places, (depth, count), numbers, whens, results)
        whole = row_width(depth, _LEAST_FIRST)  # what is left of the first stretch is not needed
        place = self._rows.place(key)
        self._rows.states[place, :whole] = row[0, :whole]
        self._rows.states[place, whole:] = 0.0
        return self

    def update(self, value: float | None, time: object = None, key: Hashable = "") -> float:
        """Give the score of the next value of a key, -log10 of its probability, and learn it.

        Parameters
        ----------
        value : float or None
            None, NaN and infinities are counted as missing: score 0, not learned. Beyond 1e150 it
            counts as 1e150.
        time : datetime or float, optional
            Aware, or seconds since 1970. A value that is not later than the newest of its key is
            counted as late: score 0, not learned. Without times values count as they come.
        key : hashable
            Whose value it is; one that was not seen starts from nothing.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        given, when = number(value), seconds(time)
        place = self._rows.place(key)
        return step_at(self._rows.states, place, self._shape, given, when, self._result)

    def check(self, value: float | None, time: object = None, key: Hashable = "") -> SpotResult:
        """Score the next value as `update` does, and give the thresholds that it was held to."""
        self.update(value, time, key)
        score, actual, expected, low, high = self._result.tolist()
        return SpotResult(
            score=score,
            actual=actual,
            expected=expected,
            low=low,
            high=high,
            enough_data=isfinite(expected),
        )

    def score(
        self, values: ArrayLike, times: Any = None, keys: Iterable[Hashable] | None = None
    ) -> NDArray[np.float64]:
        """Give the scores of many values in their order: the same numbers as by `update`.

        Parameters
        ----------
        values : array-like of shape (n_values,)
        times : Series, DatetimeIndex or sequence of shape (n_values,), optional
            As in `update`.
        keys : iterable of hashable, optional
            Key of each value; without it all are of the key ``""``.

        Raises
        ------
        TypeError
            Where a time is no time.
        ValueError
            Where a time has no zone, `values` has not one dimension or the lengths differ; nothing
            is learned then.
        """
        return self._steps(values, times, keys)[:, 0]

    def score_frame(
        self, values: ArrayLike, times: Any = None, keys: Iterable[Hashable] | None = None
    ) -> pd.DataFrame:
        """Score many values as `score` does; one row a value with the fields of `SpotResult`."""
        frame = pd.DataFrame(self._steps(values, times, keys), columns=list(FIELDS))
        return frame.assign(enough_data=frame["expected"].notna())

    def summary(self) -> pd.DataFrame:
        """Give a row a key: ``key``, ``points`` learned, ``missing``, ``late`` and ``alarms``."""
        columns = {"points": POINTS, "missing": MISSING, "late": LATE, "alarms": ALARMS}
        return self._rows.counts(
            **{name: self._shape[0] + column for name, column in columns.items()}
        )

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        (states,) = self._rows.used()
        options = self._risk, self._sides, *self._shape
        save_spots(path, options=options, keys=self.keys, states=states)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; it goes on with the same numbers, bit for bit.

        Raises
        ------
        ValueError
            Where the file is not one of this detector, or its numbers cannot be.
        OSError
            Where the file cannot be read.
        """
        (risk, side, depth, warm_up), keys, states = load_spots(path)
        sides = next(name for name, code in _SIDES.items() if code == side)
        try:
            detector = cls(risk=risk, sides=sides, depth=depth, warm_up=warm_up)
        except (MemoryError, ValueError) as error:
            raise ValueError(f"{path} is no state of {OF}: {error}") from error
        detector._rows.fill(keys, states)
        return detector

    def _total(self, column: int) -> int:
        return self._rows.total(self._shape[0] + column)

    def _steps(
        self, values: ArrayLike, times: Any, keys: Iterable[Hashable] | None
    ) -> NDArray[np.float64]:
        numbers = one_dimension(values)
        whens = times_of(len(numbers), times)
        places = self._rows.places(keys_of(len(numbers), keys))
        results = np.empty((len(numbers), len(FIELDS)))
        steps(self._rows.states, places, self._shape, numbers, whens, results)
        return results
