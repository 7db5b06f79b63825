"""Faults in metrics with a daily and weekly season: spikes, shifts, trends and restless spans."""

import math
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.fault_files import load_faults, save_faults
from nextcall.anomaly.fault_result import FaultScore
from nextcall.anomaly.fault_step import (
    ALARMS,
    LATE,
    MISSING,
    REASONS,
    RESULT,
    RESULT_WIDTH,
    RISK,
    ROWS_SEEN,
    STATE_WIDTH,
    WARM,
    start,
    step_at,
    step_rows,
)
from nextcall.anomaly.keyed_rows import KeyedRows
from nextcall.anomaly.many_rows import check_as_many, keys_of, one_dimension
from nextcall.anomaly.monitor_input import number, seconds

_MOST_RATE: Final = 0.05


class FaultDetector:
    """Finds faults in any number of series, each against its own past and its own week.

    A row is compared with what was to be expected: the mean of the rows before or, with times and
    after a week, the profile of the week. The difference is told in the standard deviation at that
    level, and by the law of the differences before it as a normal score. The row alone, sums of
    scores since any row before (shifts, trends) and of their squares (restless spans) give evidence
    that is added up; `fault_step` says how. Where a fault is suspected, little is learned. Strange
    stretches that come oftener than the rate, as bursts do, raise what it takes (`fault_clusters`).

    Every row takes constant time and each key 3.9 kilobytes. The score of a row depends on it and
    the rows before it alone.

    Parameters
    ----------
    rate : float
        Alarms per row that are wanted of a series with nothing wrong, in (0, 0.05].
    rest : int
        Rows after an alarm without another, at least 0; twice as many with each further alarm
        while the fault goes on.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> detector = FaultDetector(rate=1 / 600)
    >>> risks = [detector.update("calls", 100.0 + row % 7).risk for row in range(500)]
    >>> max(risks) < 0.5
    True
    >>> detector.update("calls", 50.0).reason
    'low'
    """

    def __init__(self, *, rate: float = 1 / 600, rest: int = 10) -> None:
        if not 0 < rate <= _MOST_RATE:
            raise ValueError(f"rate must be above 0 and at most {_MOST_RATE}, got {rate}.")
        if rest < 0:
            raise ValueError(f"rest must be at least 0, got {rest}.")
        self._rate, self._rest = float(rate), float(rest)
        fresh = np.empty(STATE_WIDTH)
        start(fresh)
        self._rows = KeyedRows(fresh)
        self._result = np.zeros(RESULT_WIDTH)

    @property
    def rate(self) -> float:
        """Alarms per row that are wanted."""
        return self._rate

    @property
    def rest(self) -> int:
        """Rows after an alarm without another."""
        return int(self._rest)

    @property
    def bytes_per_key(self) -> int:
        """Size of a key's state."""
        return self._rows.bytes_per_key

    def __len__(self) -> int:
        return len(self._rows)

    def update(self, key: Hashable, value: float | None, time: object = None) -> FaultScore:
        """Score the next row of a key and learn from it.

        Parameters
        ----------
        key : hashable
            Whose row it is; one that was not seen starts from nothing.
        value : float or None
            None, ``nan`` and infinities are missing: counted, not learned, risk 0.
        time : datetime or float, optional
            Aware, or seconds since 1970. A row that is not later than the newest of its key is
            counted as late, not learned, risk 0. Without times the week is not looked at.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        given, when = number(value), seconds(time)
        place = self._rows.place(key)
        step_at(self._rows.states, place, given, when, self._rate, self._rest, self._result)
        risk, enough, resting, reason, expected, sigma, once_in, rows = self._result.tolist()
        return FaultScore(
            risk=risk,
            enough_data=enough > 0,
            resting=resting > 0,
            reason=REASONS[int(reason)],
            actual=given,
            expected=expected,
            sigma=sigma,
            once_in=once_in,
            rows=int(rows),
            alarm_from=1 / self._rate,
        )

    def score(
        self,
        values: ArrayLike,
        keys: Iterable[Hashable] | None = None,
        times: "ArrayLike | pd.Series[Any] | None" = None,
    ) -> pd.DataFrame:
        """Score many rows in their order; the very numbers of `update` on one after the other.

        Parameters
        ----------
        values : array-like of shape (n_rows,)
        keys : iterable of hashable, optional
            Key of each row; without it all rows are of the key ``""``.
        times : array-like of shape (n_rows,), optional
            Seconds since 1970, or a series of aware times.

        Returns
        -------
        pandas.DataFrame
            One row a value, with the fields of `FaultScore` as columns but ``actual``.

        Raises
        ------
        ValueError
            Where the lengths differ or `values` has not one dimension; nothing is learned then.
        """
        numbers = one_dimension(values)
        names = keys_of(len(numbers), keys)
        whens = _read_times(times, len(numbers))
        check_as_many("times", whens, len(numbers))
        places = self._rows.places(names)
        results = np.empty((len(numbers), RESULT_WIDTH))
        step_rows(self._rows.states, places, numbers, whens, self._rate, self._rest, results)
        table = pd.DataFrame(dict(zip(RESULT, results.T, strict=True)))
        reason = pd.Categorical.from_codes(
            table["reason"].to_numpy(dtype=np.int8), categories=pd.Index(REASONS)
        )
        return table.assign(
            enough_data=table["enough_data"] > 0,
            resting=table["resting"] > 0,
            reason=reason,
            rows=table["rows"].astype(np.int64),
            alarm_from=1 / self._rate,
        )

    def summary(self) -> pd.DataFrame:
        """Give a row a key: ``key``, ``points`` learned, ``missing``, ``late``, ``alarms``, the
        newest ``risk`` and ``enough_data``.
        """  # noqa: D205  # one sentence
        (used,) = self._rows.used()
        counts = {"points": ROWS_SEEN, "missing": MISSING, "late": LATE, "alarms": ALARMS}
        return pd.DataFrame(
            {"key": self._rows.keys}
            | {name: used[:, column].astype(np.int64) for name, column in counts.items()}
            | {"risk": used[:, RISK], "enough_data": used[:, ROWS_SEEN] > WARM}
        )

    def save(self, path: Path) -> None:
        """Write all state to one file (npz, no pickle), whole or not at all.

        Raises
        ------
        ValueError
            Where a key is neither text nor a whole number: a file cannot hold it.
        """
        save_faults(
            path,
            options=(self._rate, self._rest),
            keys=self._rows.keys,
            states=self._rows.used()[0],
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; the detector goes on as if nothing had happened.

        Raises
        ------
        ValueError
            Where the file is not such a file; the message names it and what is wrong.
        OSError
            Where it cannot be read.
        """
        (rate, rest), keys, states = load_faults(path)
        try:
            detector = cls(rate=rate, rest=int(rest))
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{path} is no state of a fault detector: {error}") from error
        detector._rows.fill(keys, states)
        return detector


def _read_times(times: "ArrayLike | pd.Series[Any] | None", n_rows: int) -> NDArray[np.float64]:
    if times is None:
        return np.full(n_rows, math.nan)
    if isinstance(times, pd.Series) and isinstance(times.dtype, pd.DatetimeTZDtype):
        micro = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
        whens: NDArray[np.float64] = micro.astype(np.int64) / 1e6
        whens[np.isnat(micro)] = math.nan
        return whens
    return np.fromiter(map(seconds, np.asarray(times).ravel().tolist()), dtype=np.float64)
