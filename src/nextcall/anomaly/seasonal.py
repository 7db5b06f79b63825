"""Seasonal residuals of many series: how far a value is from what its time lets expect."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import check_as_many, keys_of, one_dimension
from nextcall.anomaly.monitor_input import number
from nextcall.anomaly.seasonal_files import SavedSeasons, load_seasons, save_seasons
from nextcall.anomaly.seasonal_kernels import (
    FIELDS,
    OWN_PATTERN,
    PLACE_WIDTH,
    SKIPPED,
    SPECIAL_SLOTS,
    USUAL,
    step,
    steps,
)
from nextcall.anomaly.seasonal_result import SeasonalResult
from nextcall.anomaly.seasonal_state import LATE, LEVELS, MISSING, POINTS, TIME
from nextcall.anomaly.seasons import WEEK, Season, as_rhythm, from_rhythm
from nextcall.anomaly.wall_clock import (
    day_number,
    day_numbers,
    instant_and_wall,
    instants_and_walls,
)

ONLY_KEY: Final = ""
"""Key of the values whose keys are not given."""


class SeasonalDetector:
    """Compares values with the level of their time in one season or several, key by key.

    Every season has knots through its period, between which level and spread are interpolated. A
    value teaches the two about it, by nearness and by the time it stands for, so that irregular
    times do no harm. Each season learns what those before it leave over: put the coarse one first.
    The score is the distance from the level in standard deviations, which are 1.2533 mean absolute
    residuals; they differ from slot to slot. None is below 0.1 % of the level or half the smallest
    step seen. Where residuals reach farther on one side, as they do above for latencies and counts,
    the score is taken as in a log-normal law with such sides. A residual teaches at most three
    scales, and a new level is taken over slowly.

    A key takes 16 bytes a knot and 120 for the rest: 3,192 with the hours of the week, and those of
    special days.

    Parameters
    ----------
    seasons : sequence of Season
        At least one.
    special_days : collection of date
        Dates on the wall clock that are not as others.
    special : {"pattern", "skip"}
        Whether special days share hours of a pattern of their own, or are left out: score 0, not
        learned.
    visits : int
        How often a slot must have been passed before it scores, at least 1.
    memory : int
        Longest periods that weigh in a slot, at least `visits`.
    takeover : float
        Seconds in which most of a new level is taken over by all slots, above 0.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> from nextcall.anomaly.seasons import DAY
    >>> detector = SeasonalDetector(seasons=[DAY])
    >>> for hour in range(24 * 14):
    ...     score = detector.update("calls", 100.0 + 10 * (hour % 24) + hour % 5, 3600.0 * hour)
    >>> result = detector.check("calls", 300.0, 3600.0 * 24 * 14)
    >>> bool(result.score > 10), bool(98 < result.expected < 106)
    (True, True)
    """

    def __init__(
        self,
        *,
        seasons: Sequence[Season] = (WEEK,),
        special_days: Collection[date] = (),
        special: Literal["pattern", "skip"] = "pattern",
        visits: int = 2,
        memory: int = 8,
        takeover: float = 86_400.0,
    ) -> None:
        if special not in {"pattern", "skip"}:
            raise ValueError(f"special must be 'pattern' or 'skip', got {special!r}.")
        if visits < 1:
            raise ValueError(f"visits must be at least 1, got {visits}.")
        if memory < visits:
            raise ValueError(f"memory must be at least visits, {visits}, got {memory}.")
        if not takeover > 0:
            raise ValueError(f"takeover must be above 0, got {takeover}.")
        self._rhythm = as_rhythm(seasons)
        self._settings = np.array([visits, memory, takeover], dtype=np.float64)
        self._days = day_numbers(special_days)
        self._special = OWN_PATTERN if special == "pattern" else SKIPPED
        knots = int(self._rhythm[1].sum()) + SPECIAL_SLOTS
        own = np.zeros(LEVELS + knots)
        own[TIME] = -np.inf
        shares = visited = np.zeros(knots, dtype=np.float32)
        self._rows = KeyedRows(own, shares, visited)
        self._places = np.zeros((len(seasons), PLACE_WIDTH))
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

    def update(self, key: Hashable, value: float | None, time: object) -> float:
        """Give the score of the next value of a key, and learn it.

        Parameters
        ----------
        key : hashable
            Whose value it is; one that was not seen starts from nothing.
        value : float or None
            None, NaN and infinities are counted as missing: score 0, not learned. Beyond 1e150 it
            counts as 1e150.
        time : datetime or float
            Aware, whose zone's wall clock counts; or seconds since 1970 in UTC. A value without a
            time is missing, one not later than the newest of its key late: both are counted, score
            0, not learned.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        given = number(value)
        instant, wall = instant_and_wall(time)
        day = USUAL
        if self._days and day_number(wall) in self._days:
            day = self._special
        row = self._rows.place(key)
        own, shares, visits = self._rows.parts
        return step(
            own[row],
            shares[row],
            visits[row],
            self._rhythm,
            self._settings,
            (given, instant, wall, day),
            self._places,
            self._result,
        )

    def check(self, key: Hashable, value: float | None, time: object) -> SeasonalResult:
        """Score the next value of a key as `update` does, and say what was expected."""
        self.update(key, value, time)
        score, actual, expected, scale, skew, learned = self._result.tolist()
        return SeasonalResult(
            score=score,
            actual=actual,
            expected=expected,
            scale=scale,
            skew=skew,
            enough_data=isfinite(scale),
            learned=learned > 0,
        )

    def score(
        self, values: ArrayLike, times: Any, keys: Iterable[Hashable] | None = None
    ) -> NDArray[np.float64]:
        """Give the scores of many values in their order: the same numbers as by `update`.

        Parameters
        ----------
        values : array-like of shape (n_values,)
        times : Series, DatetimeIndex or sequence of shape (n_values,)
            As in `update`.
        keys : iterable of hashable, optional
            Key of each value; without it all are of the key ``""``.

        Raises
        ------
        TypeError
            Where a value is no number or a time no time.
        ValueError
            Where a time has no zone, `values` has not one dimension or the lengths differ; nothing
            is learned then.
        """
        return self._steps(values, times, keys)[:, 0]

    def score_frame(
        self, values: ArrayLike, times: Any, keys: Iterable[Hashable] | None = None
    ) -> pd.DataFrame:
        """Score many values as `score` does; one row a value, the fields of `SeasonalResult`."""
        frame = pd.DataFrame(self._steps(values, times, keys), columns=list(FIELDS))
        return frame.assign(
            enough_data=frame["scale"].notna(), learned=frame["learned"].astype(bool)
        )

    def summary(self) -> pd.DataFrame:
        """Give a row a key: ``key``, ``points`` learned, ``missing`` and ``late`` ones."""
        counts = self._rows.used()[0][:, [POINTS, MISSING, LATE]].astype(np.int64)
        frame = pd.DataFrame(counts, columns=["points", "missing", "late"])
        frame.insert(0, "key", pd.Series(self.keys, dtype=object))
        return frame

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        own, shares, visits = self._rows.used()
        saved = SavedSeasons(
            rhythm=self._rhythm,
            settings=self._settings,
            days=np.array(sorted(self._days), dtype=np.int64),
            special=self._special,
            keys=self.keys,
            own=own,
            shares=shares,
            visits=visits,
        )
        save_seasons(path, saved)

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
        saved = load_seasons(path)
        visits, memory, takeover = saved.settings.tolist()
        try:
            seasons = from_rhythm(saved.rhythm)
            detector = cls(seasons=seasons, visits=visits, memory=memory, takeover=takeover)
        except ValueError as error:
            raise ValueError(f"{path} is no state of seasons: {error}") from error
        detector._days = frozenset(saved.days.tolist())
        detector._special = saved.special
        detector._rows.fill(saved.keys, saved.own, saved.shares, saved.visits)
        return detector

    def _steps(
        self, values: ArrayLike, times: Any, keys: Iterable[Hashable] | None
    ) -> NDArray[np.float64]:
        numbers = one_dimension(values)
        instants, walls = instants_and_walls(times)
        check_as_many("times", instants, len(numbers))
        names = keys_of(len(numbers), keys)
        days = np.zeros(len(numbers), dtype=np.int64)
        if self._days:
            special = np.isin(np.floor(walls / 86_400.0), list(self._days))
            days[special] = self._special
        rows = self._rows.places(names)
        results = np.empty((len(numbers), len(FIELDS)))
        own, shares, visits = self._rows.parts
        state = own, shares, visits, self._rhythm, self._settings
        steps(*state, rows, np.stack([numbers, instants, walls]), days, results)
        return results
