"""Hampel's rule: how far a value lies from the median of the newest ones, in median deviations.

References
----------
Hampel (1974), JASA 69(346); Pearson (2002), IEEE Transactions on Control Systems Technology 10(1).
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.hampel_files import OF, load_windows, save_windows
from nextcall.anomaly.hampel_kernels import (
    FIELDS,
    LATE,
    MISSING,
    POINTS,
    RING,
    TIME,
    step_at,
    steps,
)
from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import keys_of, one_dimension, times_of
from nextcall.anomaly.monitor_input import number, seconds

_LEAST_WINDOW: Final = 5  # a median deviation of fewer says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class HampelResult:
    """How far a value is from the median of those before it."""

    score: float
    """Distance in scales, from 0 to a million; 0 where `enough_data` is False or it is missing."""
    actual: float
    """The value."""
    expected: float
    """Median of the window before the value; ``nan`` while `enough_data` is False."""
    scale: float
    """1.4826 median absolute deviations, or their floor; ``nan`` while `enough_data` is False."""
    enough_data: bool
    """Whether enough values came before."""

    def band(self, width: float = 3.0) -> tuple[float, float]:
        """Give both ends of what scores at most `width`."""
        return self.expected - width * self.scale, self.expected + width * self.scale


class HampelDetector:
    """Compares each value with the median of the newest values before it, key by key.

    The score is ``|value - median| / scale``, with a scale of 1.4826 median absolute deviations,
    the standard deviation of a normal law. Hampel's rule calls a value an outlier where it is above
    3. Up to half of the window may be outliers without moving either number far. No scale is below
    0.1 % of the median or half the smallest step between two values that was ever seen, so that a
    flat series makes no giant of its first flicker. A key takes 16 bytes a value of the window and
    48 for the rest: 1,024 with 61.

    Parameters
    ----------
    window : int
        Values that are remembered, at least 5.

    Raises
    ------
    ValueError
        Where the window is too small.

    Examples
    --------
    >>> detector = HampelDetector(window=31)
    >>> bool(detector.score([20.0 + place % 3 for place in range(100)]).max() < 1)
    True
    >>> result = detector.check(90.0)
    >>> round(result.score), result.expected, [round(end, 2) for end in result.band()]
    (47, 21.0, [16.55, 25.45])
    >>> detector.update(90.0, key="another series")
    0.0
    """

    def __init__(self, *, window: int = 61) -> None:
        if window < _LEAST_WINDOW:
            raise ValueError(f"window must be at least {_LEAST_WINDOW}, got {window}.")
        self._window = int(window)
        fresh = np.zeros(RING + 2 * self._window)
        fresh[TIME] = -np.inf
        self._rows = KeyedRows(fresh)
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
        return self._rows.total(POINTS)

    @property
    def missing(self) -> int:
        """Values that were NaN or infinite, of all keys."""
        return self._rows.total(MISSING)

    @property
    def late(self) -> int:
        """Values that were not later than the newest of their key, of all keys."""
        return self._rows.total(LATE)

    def update(self, value: float | None, time: object = None, key: Hashable = "") -> float:
        """Give the score of the next value of a key, and learn it.

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
        return step_at(self._rows.states, place, given, when, self._result)

    def check(self, value: float | None, time: object = None, key: Hashable = "") -> HampelResult:
        """Score the next value of a key as `update` does, and say what was expected."""
        self.update(value, time, key)
        score, actual, expected, scale = self._result.tolist()
        return HampelResult(
            score=score,
            actual=actual,
            expected=expected,
            scale=scale,
            enough_data=isfinite(scale),
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
        """Score many values as `score` does; one row a value with the fields of `HampelResult`."""
        frame = pd.DataFrame(self._steps(values, times, keys), columns=list(FIELDS))
        return frame.assign(enough_data=frame["scale"].notna())

    def summary(self) -> pd.DataFrame:
        """Give a row a key: ``key``, ``points`` learned, ``missing`` and ``late`` ones."""
        return self._rows.counts(points=POINTS, missing=MISSING, late=LATE)

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        (states,) = self._rows.used()
        save_windows(path, window=self._window, keys=self.keys, states=states)

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
        window, keys, states = load_windows(path)
        try:
            detector = cls(window=window)
        except (MemoryError, ValueError) as error:
            raise ValueError(f"{path} is no state of {OF}: {error}") from error
        detector._rows.fill(keys, states)
        return detector

    def _steps(
        self, values: ArrayLike, times: Any, keys: Iterable[Hashable] | None
    ) -> NDArray[np.float64]:
        numbers = one_dimension(values)
        whens = times_of(len(numbers), times)
        places = self._rows.places(keys_of(len(numbers), keys))
        results = np.empty((len(numbers), len(FIELDS)))
        steps(self._rows.states, places, numbers, whens, results)
        return results
