"""One key of a monitor by itself."""

from collections.abc import Sequence
from math import nan
from typing import cast

from nextcall.anomaly.check_result import Anomaly, CheckResult, Kind, Rarity
from nextcall.anomaly.monitor_input import moment, number, seconds
from nextcall.anomaly.monitor_rows import Rows
from nextcall.anomaly.named_kernels import (
    ENOUGH,
    HIGH,
    KINDS,
    LEARNED,
    LOW,
    MAGNITUDE,
    NEW_MEAN,
    RARITY,
    RESTING,
    TREND,
)
from nextcall.anomaly.named_rarity import FIRST_ODD, SINCE, TIMED
from nextcall.anomaly.named_steps import judged_entry, risk_entry, told_entry

_MAGNITUDE, _LOW, _HIGH, _RARITY = (each - NEW_MEAN for each in (MAGNITUDE, LOW, HIGH, RARITY))


class Stream:
    """One key of a monitor, looked up once; made by `AnomalyMonitor.stream`."""

    __slots__ = ("_address", "_judged", "_read", "_risk", "_rows")

    def __init__(self, rows: Rows, address: int) -> None:
        self._rows = rows  # keeps the memory at the address
        self._address = address
        self._risk, self._judged, self._read = risk_entry(), judged_entry(), told_entry()

    def update(self, value: float | None, time: object = None) -> float:
        """Give the risk alone, as `check` does: the quick way.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        if time is None and type(value) is float:
            advance = self._risk  # a name of its own: to look up a method takes longer
            return advance(self._address, value)
        measured = value if type(value) is float else number(value)
        when = nan if time is None else time if type(time) is float else seconds(time)
        return self._judged(self._address, measured, when)[0]

    def check(self, value: float | None, time: object = None) -> CheckResult:
        """Do what `AnomalyMonitor.check` does, with this key.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        measured = value if type(value) is float else number(value)
        when = nan if time is None else time if type(time) is float else seconds(time)
        risk, flags = self._judged(self._address, measured, when)
        anomalies, rarity = self._told(flags) if flags & 31 else ((), None)
        return CheckResult(
            risk_score=risk,
            anomalies=anomalies,
            enough_data=flags & ENOUGH > 0,
            learned=flags & LEARNED > 0,
            resting=flags & RESTING > 0,
            rarity=rarity,
        )

    def __reduce__(self) -> str:
        """Refuse to be copied or pickled: a copy would work on this monitor's memory.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a stream cannot be copied: copy its monitor, and ask that for the stream.")

    def _told(self, flags: int) -> tuple[tuple[Anomaly, ...], Rarity]:
        *own, points, value, once_in, alarm_from = self._read(self._address).tolist()
        rarity = Rarity(
            once_in=once_in,
            alarm_from=alarm_from,
            odd_rows=int(points - own[_RARITY + FIRST_ODD]) + 1,
            odd_since=moment(own[_RARITY + SINCE]) if own[_RARITY + TIMED] else None,
        )
        return _anomalies(flags, own, value), rarity


def _anomalies(flags: int, own: Sequence[float], value: float) -> tuple[Anomaly, ...]:
    found = []
    for kind, name in enumerate(KINDS):
        if flags & (1 << kind):
            low, high = own[_LOW + kind], own[_HIGH + kind]
            found.append(
                Anomaly(
                    kind=cast("Kind", name),
                    magnitude=own[_MAGNITUDE + kind],
                    expected=(low + high) / 2,
                    actual=own[0] if kind == TREND else value,
                    low=low,
                    high=high,
                )
            )
    return tuple(sorted(found, key=lambda anomaly: -anomaly.magnitude))
