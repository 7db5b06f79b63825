"""Five named detectors and their consensus, for many keys in one object."""

from math import isfinite, isnan
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.anomaly.check_result import CheckResult
from nextcall.anomaly.monitor_files import Saved, load_state, save_state
from nextcall.anomaly.monitor_input import (
    KEY_COLUMNS,
    Key,
    check_key,
    moment,
    number,
    read_points,
    seconds,
)
from nextcall.anomaly.monitor_rows import Rows, Settings
from nextcall.anomaly.monitor_stream import Stream
from nextcall.anomaly.named_kernels import (
    ALARMS,
    COLD_WIDTH,
    ENOUGH,
    HOT_WIDTH,
    KINDS,
    LATE,
    LEARNED,
    MISSING,
    POINTS,
    RARITY,
    RESTING,
    RISK,
    SLOT,
    WARM,
)
from nextcall.anomaly.named_rarity import newest_rarities
from nextcall.anomaly.named_steps import risks, steps


class AnomalyMonitor:
    """Watches any number of metrics, a value at a time; each key learns what is normal for it.

    A key is a metric, an entity and a behavior (what the entity was doing, as the caller names
    it); each has its own state of `bytes_per_key`. One thread at a time.

    Parameters
    ----------
    rate : float
        Alarms a value where nothing is wrong, above 0 and at most 0.05; fewer where no detector
        passes its own limit so often.
    least_change : float
        Difference below which nothing is an anomaly, in the unit of the metrics; at least 0.
    memory : int
        Values that weigh in means and standard deviations, at least 16.
    rest : int
        Values after an alarm without another, at least 0; never more than half the values that
        lie between two alarms at `rate`.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> monitor = AnomalyMonitor(least_change=1.0)
    >>> for second in range(300):
    ...     result = monitor.check("latency", 20.0 + second % 3, entity="GetUser")
    >>> result.enough_data, result.anomalies
    (True, ())
    >>> result = monitor.check("latency", 90.0, entity="GetUser")
    >>> result.alarm, sorted(anomaly.kind for anomaly in result.anomalies)
    (True, ['iqr', 'spike', 'z_score'])
    """

    def __init__(
        self,
        *,
        rate: float = 1 / 600,
        least_change: float = 0.0,
        memory: int = 200,
        rest: int = 30,
    ) -> None:
        if not 0 < rate <= 0.05:
            raise ValueError(f"rate must be above 0 and at most 0.05, got {rate}.")
        if not (least_change >= 0 and isfinite(least_change)):
            raise ValueError(f"least_change must be at least 0, got {least_change}.")
        if not (memory >= 16 and isfinite(memory)):
            raise ValueError(f"memory must be at least 16, got {memory}.")
        if not (rest >= 0 and isfinite(rest)):
            raise ValueError(f"rest must be at least 0, got {rest}.")
        self._settings = Settings(
            float(rate), float(least_change), float(int(memory)), float(int(rest))
        )
        self._rows = Rows(self._settings)
        self._streams: dict[Key, Stream] = {}

    def __len__(self) -> int:
        """Give the number of keys."""
        return len(self._rows.addresses)

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key; room for up to twice as many keys is set aside."""
        return 8 * (HOT_WIDTH + COLD_WIDTH)

    def stream(self, metric: str, entity: str | None = None, behavior: str | None = None) -> Stream:
        """Give a key by itself, for many values: ``update`` and ``check`` without the names.

        Raises
        ------
        TypeError
            Where a name is no text.

        Examples
        --------
        >>> monitor = AnomalyMonitor()
        >>> latency = monitor.stream("latency", entity="GetUser")
        >>> latency.update(20.0)
        0.0
        """
        key = metric, entity, behavior
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = Stream(self._rows, self._address(key))
        return stream

    def update(
        self,
        metric: str,
        value: float | None,
        entity: str | None = None,
        behavior: str | None = None,
        time: object = None,
    ) -> float:
        """Give the risk alone, as `check` does; `stream` gives it more quickly.

        Raises
        ------
        TypeError
            Where a name is no text, the value no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        stream = self._streams.get((metric, entity, behavior))
        if stream is None:
            value, time = number(value), seconds(time)  # before the key is there
            stream = self.stream(metric, entity, behavior)
        return stream.update(value, time)

    def check(
        self,
        metric: str,
        value: float | None,
        entity: str | None = None,
        behavior: str | None = None,
        time: object = None,
    ) -> CheckResult:
        """Say how strange a value is, given those before it, and learn from it.

        Parameters
        ----------
        value : float or None
            None, ``nan`` and infinities are missing: counted, not learned, risk 0. Beyond 1e150
            it counts as 1e150.
        time : datetime or float, optional
            Aware, or seconds since 1970. A point that is not later than the newest of its key, be
            it late or a duplicate, is counted, not learned, risk 0. Without times the detector of
            patterns in the hours of the week is silent.

        Raises
        ------
        TypeError
            Where a name is no text, the value no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        stream = self._streams.get((metric, entity, behavior))
        if stream is None:
            value, time = number(value), seconds(time)  # before the key is there
            stream = self.stream(metric, entity, behavior)
        return stream.check(value, time)

    def check_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Check the rows of a frame in their order, with the very numbers of `check`.

        Parameters
        ----------
        frame : pandas.DataFrame
            ``metric`` and ``value``, and where there ``entity``, ``behavior`` and ``time``.

        Returns
        -------
        pandas.DataFrame
            With the same index: ``risk_score``, ``enough_data``, ``learned``, ``resting``, and
            the magnitude of each detector, above 1 where it found an anomaly.

        Raises
        ------
        ValueError
            Where a column is missing or a cell is not what it should be; nothing is learned then.
        """
        scores, flags = steps(*self._read(frame))
        columns = {
            "risk_score": scores[0],
            "enough_data": flags & ENOUGH > 0,
            "learned": flags & LEARNED > 0,
            "resting": flags & RESTING > 0,
        }
        columns |= dict(zip(KINDS, scores[1:], strict=True))
        return pd.DataFrame(columns, index=frame.index, copy=False)

    def update_frame(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Give the risks alone, as `update` does, in half the time of `check_frame`.

        Parameters
        ----------
        frame : pandas.DataFrame
            As `check_frame` takes it.

        Returns
        -------
        array of shape (n_rows,)
            In [0, 1].

        Raises
        ------
        ValueError
            Where a column is missing or a cell is not what it should be; nothing is learned then.
        """
        return risks(*self._read(frame))

    def summary(self) -> pd.DataFrame:
        """Give a row a key: its names, counts, newest risk, how rare that is and since when.

        Returns
        -------
        pandas.DataFrame
            ``metric``, ``entity``, ``behavior``, ``points`` learned, ``missing``, ``late``,
            ``alarms``, ``risk_score`` of the newest point, ``enough_data``, and of the newest that
            was learned ``once_in``, ``odd_rows`` and ``odd_since``, as `Rarity` has them.
        """
        hot, cold = self._rows.arrays()
        names = pd.DataFrame(list(self._rows.addresses), columns=list(KEY_COLUMNS), dtype="string")
        names["points"] = hot[:, POINTS].astype(np.int64)
        for name, column in {"missing": MISSING, "late": LATE, "alarms": ALARMS}.items():
            names[name] = cold[:, column].astype(np.int64)
        names["risk_score"] = hot[:, RISK]
        names["enough_data"] = hot[:, POINTS] > WARM
        told = newest_rarities(cold[:, RARITY:SLOT], hot[:, POINTS])
        names["once_in"], names["odd_rows"] = told.once_in, told.odd_rows
        since = [None if isnan(each) else moment(each) for each in told.since.tolist()]
        names["odd_since"] = pd.Series(since, dtype="datetime64[us, UTC]")
        return names

    def save(self, path: Path) -> None:
        """Write all state to a file (``npz``, no pickle) that is whole or absent."""
        save_state(path, Saved(self._settings, list(self._rows.addresses), *self._rows.arrays()))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; it goes on with the same numbers, bit for bit.

        Raises
        ------
        ValueError
            Where the file is not one of a monitor, or its numbers cannot be.
        OSError
            Where the file cannot be read.
        """
        (rate, least_change, memory, rest), keys, hot, cold = load_state(path)
        try:
            monitor = cls(rate=rate, least_change=least_change, memory=int(memory), rest=int(rest))
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{path} is no state of a monitor: {error}") from error
        monitor._rows.fill(keys, hot, cold)
        return monitor

    def __getstate__(self) -> Saved:
        """Give what a copy needs: no addresses."""
        return Saved(self._settings, list(self._rows.addresses), *self._rows.arrays())

    def __setstate__(self, saved: Saved) -> None:
        """Begin as a copy."""
        self._settings = saved.settings
        self._rows = Rows(saved.settings)
        self._rows.fill(*saved[1:])
        self._streams = {}

    def _read(
        self, frame: pd.DataFrame
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Give addresses of the keys, and the key, value and time of each row."""
        keys, key_of, values, times = read_points(frame)
        addresses = np.array([self._address(key) for key in keys], dtype=np.int64)
        return addresses, key_of, values, times

    def _address(self, key: Key) -> int:
        address = self._rows.addresses.get(key)
        if address is None:
            check_key(key)
            address = self._rows.add(key)
        return address
