"""Risks of many rows and a text on the strange ones, from each detector that a command offers."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Literal

from nextcall.anomaly import detector, fault_result
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.monitor import AnomalyMonitor

DetectorName = Literal["stream", "faults", "named"]

Explained = tuple[list[float], list[str]]
"""The risk of each row, 0.5 and more of an alarm, and why; the text is empty on usual rows."""

ScoreRows = Callable[[Sequence[float], Sequence[Hashable], Sequence[float] | None], Explained]
"""Scores values by their keys and, where they are known, times (seconds since 1970), and learns."""


def _stream(rate: float) -> ScoreRows:
    """Look at values, shapes and levels, not at times."""
    stream = detector.StreamDetector(rate=rate)

    def score(
        values: Sequence[float], keys: Sequence[Hashable], times: Sequence[float] | None
    ) -> Explained:
        del times
        told = stream.score(values, keys)
        return told["risk"].tolist(), detector.explanations(told)

    return score


def _faults(rate: float) -> ScoreRows:
    """Look at the hours of the week."""
    faults = FaultDetector(rate=rate)

    def score(
        values: Sequence[float], keys: Sequence[Hashable], times: Sequence[float] | None
    ) -> Explained:
        told = faults.score(values, keys, times)
        return told["risk"].tolist(), fault_result.explanations(told, values)

    return score


def _named(rate: float) -> ScoreRows:
    """Ask five detectors for their consensus."""
    monitor = AnomalyMonitor(rate=rate)

    def score(
        values: Sequence[float], keys: Sequence[Hashable], times: Sequence[float] | None
    ) -> Explained:
        entities = {key: monitor.stream("", None if key is None else str(key)) for key in set(keys)}
        whens = [None] * len(values) if times is None else times
        results = [
            entities[key].check(value, when)
            for key, value, when in zip(keys, values, whens, strict=True)
        ]
        return [each.risk_score for each in results], [each.explanation for each in results]

    return score


DETECTORS: Final[dict[DetectorName, Callable[[float], ScoreRows]]] = {
    "stream": _stream,
    "faults": _faults,
    "named": _named,
}
"""What makes each of them, at a rate of alarms a row, with nothing learned yet."""
