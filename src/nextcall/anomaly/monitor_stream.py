"""One key of a monitor by itself."""

from math import nan
from typing import cast

from nextcall.anomaly.check_result import Anomaly, CheckResult, Kind
from nextcall.anomaly.monitor_input import number, seconds
from nextcall.anomaly.monitor_rows import Rows
from nextcall.anomaly.named_kernels import (
    COLD,
    COLD_WIDTH,
    ENOUGH,
    HIGH,
    HOT_WIDTH,
    KINDS,
    LEARNED,
    LOW,
    MAGNITUDE,
    NEW_MEAN,
    PREVIOUS,
    RESTING,
    TREND,
)
from nextcall.anomaly.named_steps import judged_entry, risk_entry
from nextcall.compiling import floats_at


class Stream:
    """One key of a monitor, looked up once; made by `AnomalyMonitor.stream`."""

    __slots__ = ("_address", "_judged", "_risk", "_rows")

    def __init__(self, rows: Rows, address: int) -> None:
        self._rows = rows  # keeps the memory at the address
        self._address = address
        self._risk, self._judged = risk_entry(), judged_entry()

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
        return self._judge(value, time)[0]

    def check(self, value: float | None, time: object = None) -> CheckResult:
        """Do what `AnomalyMonitor.check` does, with this key.

        Raises
        ------
        TypeError
            Where the value is no number or the time no time.
        ValueError
            Where the time is a datetime without a time zone.
        """
        risk, flags = self._judge(value, time)
        return CheckResult(
            risk_score=risk,
            anomalies=self._anomalies(flags) if flags & 31 else (),
            enough_data=flags & ENOUGH > 0,
            learned=flags & LEARNED > 0,
            resting=flags & RESTING > 0,
        )

    def __reduce__(self) -> str:
        """Refuse to be copied or pickled: a copy would work on this monitor's memory.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a stream cannot be copied: copy its monitor, and ask that for the stream.")

    def _judge(self, value: float | None, time: object) -> tuple[float, int]:
        measured = value if type(value) is float else number(value)
        when = nan if time is None else time if type(time) is float else seconds(time)
        return self._judged(self._address, measured, when)

    def _anomalies(self, flags: int) -> tuple[Anomaly, ...]:
        hot = floats_at(self._address, HOT_WIDTH)
        own = floats_at(int(hot[COLD]), COLD_WIDTH)[NEW_MEAN:].tolist()
        found = []
        for kind, name in enumerate(KINDS):
            if flags & (1 << kind):
                low, high = own[LOW - NEW_MEAN + kind], own[HIGH - NEW_MEAN + kind]
                found.append(
                    Anomaly(
                        kind=cast("Kind", name),
                        magnitude=own[MAGNITUDE - NEW_MEAN + kind],
                        expected=(low + high) / 2,
                        actual=own[0] if kind == TREND else float(hot[PREVIOUS]),
                        low=low,
                        high=high,
                    )
                )
        return tuple(sorted(found, key=lambda anomaly: -anomaly.magnitude))
