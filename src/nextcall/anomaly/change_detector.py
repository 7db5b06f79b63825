"""Where the level of a series changed, told while it runs: for any number of keys."""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nextcall.anomaly.change_files import OF, load_changes, save_changes
from nextcall.anomaly.change_kernels import (
    CUSUM,
    FOCUS,
    FOUND,
    LATE,
    MISSING,
    NEW_LEVEL,
    OLD_LEVEL,
    PAGE_HINKLEY,
    PLACE,
    RESULT_WIDTH,
    SIGN,
    TIME,
    WIDTH,
    step_at,
    steps,
)
from nextcall.anomaly.change_noise import ROWS
from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import finite_or_nan, keys_of, times_of
from nextcall.anomaly.monitor_input import number, seconds

Method = Literal["focus", "cusum", "page_hinkley"]
Direction = Literal["up", "down"]

MOST_RATE: Final = 0.02
"""Changes a row that may be wanted where there is none; above it the limits are not known."""

_METHODS: Final[dict[Method, int]] = {"focus": FOCUS, "cusum": CUSUM, "page_hinkley": PAGE_HINKLEY}
_LIMITS: Final = {"focus": (0.30, 0.18), "cusum": (0.11, 0.89), "page_hinkley": (0.235, 0.4355)}
# log10(1 / rate) less the first, over the second, is the limit: lines through the rates of alarms
# on 2,000,000 rows of Gaussian noise at 5 to 8 limits each, good to 30 % from 1/50 to 1/200,000.


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of level."""

    place: int
    """The key's first row after the change, as estimated when it was told: counted from 0, with
    those that were missing or late."""
    direction: Direction
    before: float
    """Level before it."""
    after: float
    """Level after it, as far as it was seen when it was told."""


class ChangeDetector:
    """Tells changes of level in the rows of any number of series, each against its own past.

    ``focus`` compares the mean of the rows before with that of the rows behind any place since
    the last change (FOCuS: the exact likelihood ratio over all windows, by functional pruning);
    ``cusum`` adds up how far rows lie from a fading level, less a standard deviation;
    ``page_hinkley`` how far from the mean since the last change, less half of one. The noise is
    learned from differences of neighbours, with their correlation, and a row that stands out
    alone is cut. A change that goes on in the same direction within 16 rows is the same one.

    Every row changes only the state of its key, in constant time, and counts when the next one is
    there. The first 32 rows never alarm. A key takes 1,720 bytes.

    Parameters
    ----------
    method : {'focus', 'cusum', 'page_hinkley'}
        How.
    rate : float
        Changes a row that are told where there is none, of Gaussian noise, in (0, 0.02].

    Raises
    ------
    ValueError
        Where an option is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> detector = ChangeDetector()
    >>> scores = [detector.update(value) for value in rng.normal(5.0, 1.0, 200)]
    >>> max(scores) < 0.5, detector.latest()
    (True, None)
    >>> scores = [detector.update(value) for value in rng.normal(14.0, 1.0, 10)]
    >>> change = detector.latest()
    >>> change.place, change.direction
    (200, 'up')
    """

    def __init__(self, *, method: Method = "focus", rate: float = 1 / 1000) -> None:
        if method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}.")
        if not 0.0 < rate <= MOST_RATE:
            raise ValueError(f"rate must be above 0 and at most {MOST_RATE}, got {rate}.")
        offset, slope = _LIMITS[method]
        self._method, self._rate = _METHODS[method], float(rate)
        self._limit = (-math.log10(rate) - offset) / slope
        fresh = np.zeros(WIDTH)
        fresh[TIME] = -np.inf
        self._rows = KeyedRows(fresh)

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

    def update(self, value: float | None, time: object = None, key: Hashable = "") -> float:
        """Score the next row of a key and learn from it.

        Parameters
        ----------
        value : float or None
            None and NaN are a missing row: score 0, counted, nothing learned. Beyond 1e100 it
            counts as that.
        time : datetime or float, optional
            Aware, or seconds since 1970. A row that is not later than the newest of its key is
            counted as late: score 0, nothing learned. Without times rows count as they come.
        key : hashable
            Whose row it is; one that was not seen starts from nothing.

        Returns
        -------
        float
            In [0, 1]; from 0.5 on a change is told, or the last one goes on: see `latest`.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the value is infinite or the time is a datetime without a time zone.
        """
        given, when = number(value), seconds(time)
        if math.isinf(given):
            raise ValueError(f"value must be finite or NaN, got {value} for key {key!r}.")
        place = self._rows.place(key)
        return step_at(self._rows.states, place, given, when, self._method, self._limit)

    def score(
        self, values: ArrayLike, times: Any = None, keys: Iterable[Hashable] | None = None
    ) -> pd.DataFrame:
        """Score many rows in their order; the same numbers as `update` on one after the other.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
            Numbers; NaN is a missing row.
        times : Series, DatetimeIndex or sequence of shape (n_rows,), optional
            As in `update`.
        keys : iterable of hashable, optional
            Key of each row; without it all rows are of the key ``""``.

        Returns
        -------
        DataFrame
            One row a value: ``score`` and, on the row at which a change is told, the fields of
            `Change`: ``place`` (else -1), ``direction`` (else empty), ``before`` and ``after``
            (else NaN).

        Raises
        ------
        TypeError
            Where a time is no time.
        ValueError
            Where a value is infinite or a time has no zone, `values` has not one dimension or the
            lengths differ; nothing is learned then.
        """
        numbers = finite_or_nan(values)
        whens = times_of(len(numbers), times)
        places = self._rows.places(keys_of(len(numbers), keys))
        results = np.empty((len(numbers), RESULT_WIDTH))
        steps(self._rows.states, places, numbers, whens, self._method, self._limit, results)
        score, place, sign, before, after = results.T
        told = ~np.isnan(place)
        return pd.DataFrame(
            {
                "score": score,
                "place": np.where(told, place, -1.0).astype(np.int64),
                "direction": pd.Categorical.from_codes(
                    np.where(told, np.where(sign > 0, 1, 2), 0).astype(np.int8),
                    categories=pd.Index(["", "up", "down"]),
                ),
                "before": before,
                "after": after,
            }
        )

    def latest(self, key: Hashable = "") -> Change | None:
        """Give the newest change of a key; None where there was none."""
        state = self._rows.known(key)
        if state is None or state[FOUND] == 0.0:
            return None
        return Change(
            place=int(state[PLACE]),
            direction="up" if state[SIGN] > 0 else "down",
            before=float(state[OLD_LEVEL]),
            after=float(state[NEW_LEVEL]),
        )

    def found(self, key: Hashable = "") -> int:
        """Count the changes of a key; 0 for one that was not seen."""
        return self._rows.count(key, FOUND)

    def rows(self, key: Hashable = "") -> int:
        """Count the rows of a key that were learned from; 0 for one that was not seen."""
        return self._rows.count(key, ROWS)

    def missing(self, key: Hashable = "") -> int:
        """Count the rows of a key that were NaN; 0 for one that was not seen."""
        return self._rows.count(key, MISSING)

    def late(self, key: Hashable = "") -> int:
        """Count the rows of a key that were late; 0 for one that was not seen."""
        return self._rows.count(key, LATE)

    def summary(self) -> pd.DataFrame:
        """Give a row a key: ``key``, ``rows`` learned from, ``missing``, ``late``, ``found``."""
        return self._rows.counts(rows=ROWS, missing=MISSING, late=LATE, found=FOUND)

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        (states,) = self._rows.used()
        save_changes(path, options=(self._method, self._rate), keys=self.keys, states=states)

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
        (code, rate), keys, states = load_changes(path)
        method = next(name for name, of in _METHODS.items() if of == code)
        try:
            detector = cls(method=method, rate=rate)
        except ValueError as error:
            raise ValueError(f"{path} is no state of {OF}: {error}") from error
        detector._rows.fill(keys, states)
        return detector


def find_changes(
    values: ArrayLike, *, method: Method = "focus", rate: float = 1 / 1000
) -> list[Change]:
    """List the changes of level of one series, as they are told online; empty where there is none.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers; NaN is a missing row.
    method, rate
        As for `ChangeDetector`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> values = np.concatenate([rng.normal(0, 1, 100), rng.normal(-5, 1, 100)])
    >>> [(change.place, change.direction) for change in find_changes(values)]
    [(100, 'down')]
    >>> find_changes(np.ones(100))
    []
    """
    told = ChangeDetector(method=method, rate=rate).score(values)
    told = told[told["place"] >= 0]
    columns = (told[name].tolist() for name in ("place", "direction", "before", "after"))
    return [
        Change(place=place, direction=direction, before=before, after=after)
        for place, direction, before, after in zip(*columns, strict=True)
    ]
