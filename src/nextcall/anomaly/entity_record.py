"""What is known of one entity: events an hour of the week, shares of its behaviors, sums of late.

A span is compared when it is over, and with it the last 4 and 16 spans where a block of so many
ends: what a span is too short to tell, they tell. The count's law is negative binomial: noise of
Poisson, what the mean is not known well enough, and the entity's own restlessness, learned from all
hours together.
"""

from datetime import UTC, tzinfo
from math import ceil, exp, isnan, log, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.pattern_score import PatternAnomaly, PatternScore
from nextcall.anomaly.pattern_tails import count_limits, count_tail, mix_statistic, mix_tail
from nextcall.anomaly.wall_clock import hour_of_week

HOURS: Final = 168
NAMES: Final = 32
"""Behaviors that are told apart by name; the others are one."""
OTHER: Final = "other"
LIMIT: Final = 0.3
"""Share by which a rate must be off, and share of the events that must move."""
WINDOWS: Final = (1, 4, 16)
"""Spans that are looked at together."""
MOST_VISITS: Final = 12
"""Weeks that weigh in the mean of an hour."""

# Columns of the numbers.
CURRENT, BEGUN, PARTIAL, EVENTS, LATE, MISSING, ALARMS, SPANS, SKIPPED = range(9)
CALM, RISK, EXCESS, SQUARES, EASE = range(9, 14)
WINDOW: Final = 14  # then for each of the windows:
KNOWN, PASSED, EXPECTED, RAISED, VARIANCE, RATE_SUM, RATE_COUNT, MIX_SUM, MIX_COUNT = range(9)
WINDOW_WIDTH: Final = 9
NUMBERS: Final = WINDOW + WINDOW_WIDTH * len(WINDOWS)

_WEEK: Final = 604_800.0  # seconds
_ENOUGH_VISITS: Final = 2
_ENOUGH_EVENTS: Final = 50  # that make the learned mix
_FADE: Final = 1.0 - 1.0 / 672  # a span of what mix and restlessness know: four weeks of hours
_BLOCKS: Final = 200  # that weigh in the spread of a window's results
_PRIOR: Final = 10.0  # blocks that say at the start that results spread as in shorter windows
_TESTS: Final = 2 * len(WINDOWS)
_CLIP: Final = 3.0  # standard deviations that a span teaches its hour at most
_CLIP_SQUARE: Final = 16.0  # variances that a result teaches at most
_FIRST_EASE: Final = log(2.0)  # of the boundary, for most that is rare is not 30 % off
_MOST_EASE: Final = log(4.0)
_HASTE: Final = 0.3  # by which an alarm changes it
_REST: Final = 24  # spans without an alarm, after which one is a new one
_DOUBT: Final = 0.1  # what a span that alarms teaches, of what it would else


class EntityRecord:
    """An entity, from its first event on; `EntityPatterns` says what its numbers mean."""

    __slots__ = ("behaviors", "counts", "learned", "levels", "numbers", "visits")

    def __init__(self) -> None:
        self.numbers = np.zeros(NUMBERS)
        self.numbers[EASE] = _FIRST_EASE
        self.levels = np.zeros(HOURS, dtype=np.float32)
        self.visits = np.zeros(HOURS, dtype=np.uint8)
        self.learned = np.zeros(NAMES + 1)
        self.counts = np.zeros((len(WINDOWS), NAMES + 1))
        self.behaviors: dict[str, int] = {}

    @property
    def begun(self) -> bool:
        """Whether an event with a time has come."""
        return bool(self.numbers[BEGUN])

    @property
    def current(self) -> int:
        """Number of the span under way."""
        return int(self.numbers[CURRENT])

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers, without the names."""
        parts = (self.numbers, self.levels, self.visits, self.learned, self.counts)
        return sum(part.nbytes for part in parts)

    def begin(self, span: int) -> None:
        """Begin with a span that may have been under way for a while."""
        self.numbers[[CURRENT, BEGUN, PARTIAL]] = span, 1.0, 1.0

    def count(self, behavior: str) -> None:
        """Count an event in the span that is under way."""
        place = self.behaviors.get(behavior)
        if place is None:
            place = len(self.behaviors)
            if place < NAMES:
                self.behaviors[behavior] = place
            else:
                place = NAMES
        self.counts[0, place] += 1.0
        self.numbers[EVENTS] += 1.0

    def advance(
        self, entity: str, span: int, *, seconds: float, rate: float, zone: tzinfo = UTC
    ) -> list[PatternScore]:
        """Close the spans before one; of more than a week without events only the first week."""
        scores = []
        silent = ceil(_WEEK / seconds)
        numbers = self.numbers
        for _ in range(min(span - int(numbers[CURRENT]), silent + 1)):
            score = self._close(entity, seconds, rate, zone)
            if score is not None:
                scores.append(score)
            numbers[CURRENT] += 1.0
        if span > numbers[CURRENT]:
            numbers[SKIPPED] += span - numbers[CURRENT]
            numbers[CURRENT] = span
            numbers[PARTIAL] = 1.0
            self._clear(range(len(WINDOWS)))
        return scores

    def _close(self, entity: str, seconds: float, rate: float, zone: tzinfo) -> PatternScore | None:
        numbers, counts = self.numbers, self.counts
        if numbers[PARTIAL]:
            numbers[PARTIAL] = 0.0
            self.learned += counts[0]
            counts[0] = 0.0
            return None
        start = float(numbers[CURRENT]) * seconds
        hour = hour_of_week(start, seconds, zone)
        boundary = rate * exp(numbers[EASE])
        count = float(counts[0].sum())
        expected, variance = self._expect(hour)
        counts[1:] += counts[0]
        ready = float(self.visits[hour]) >= _ENOUGH_VISITS
        mixes_known = numbers[SPANS] * max(seconds, 3600.0) >= _ENOUGH_VISITS * _WEEK
        anomalies: list[PatternAnomaly] = []
        odds: list[float] = []
        done = []
        for window, spans in enumerate(WINDOWS):
            part = numbers[WINDOW + WINDOW_WIDTH * window :][:WINDOW_WIDTH]
            part[PASSED] += 1.0
            if ready:
                raised = expected - float(self.levels[hour])
                part[[KNOWN, EXPECTED, RAISED, VARIANCE]] += 1.0, expected, raised, variance
            if part[PASSED] == spans:
                done.append(window)
                of_rate = self._ask_rate(part, counts[window], spans, boundary)
                of_mix = self._ask_mix(part, counts[window], spans, boundary)
                for odd, anomaly in (of_rate, of_mix) if mixes_known else (of_rate,):
                    if not isnan(odd):
                        odds.append(odd)
                    if anomaly is not None:
                        anomalies.append(anomaly)
        risk = boundary / (boundary + min(odds)) if odds else 0.0
        kinds = {anomaly.kind for anomaly in anomalies}
        most = expected + _CLIP * sqrt(variance) if ready else count
        weight = (_DOUBT if "mix" in kinds else 1.0) * min(most / max(count, 1.0), 1.0)
        self.learned *= _FADE
        self.learned += counts[0] * weight
        self._learn_rate(hour, count, expected, variance, doubt="rate" in kinds)
        self._clear(done)
        numbers[SPANS] += 1.0
        numbers[RISK] = risk
        if odds:
            self._steer(rate, alarm=risk >= 0.5)
        return PatternScore(
            entity=entity,
            start=start,
            events=int(count),
            expected=expected if ready else nan,
            risk_score=risk,
            enough_data=bool(odds),
            anomalies=tuple(sorted(anomalies, key=lambda each: each.probability / each.spans)),
        )

    def _steer(self, rate: float, *, alarm: bool) -> None:
        """Move the boundary, so that new alarms come at the rate in the long run."""
        numbers = self.numbers
        new = alarm and numbers[CALM] >= _REST
        ease = numbers[EASE] + _HASTE * (rate - new)
        numbers[EASE] = min(max(ease, -_MOST_EASE), _MOST_EASE)
        numbers[ALARMS] += alarm
        numbers[CALM] = 0.0 if alarm else numbers[CALM] + 1.0

    def _clear(self, windows: "list[int] | range") -> None:
        for window in windows:
            self.counts[window] = 0.0
            first = WINDOW + WINDOW_WIDTH * window
            self.numbers[first : first + RATE_SUM] = 0.0

    def _expect(self, hour: int) -> tuple[float, float]:
        """Give mean and variance of the events in a span of an hour of the week."""
        visits = max(float(self.visits[hour]), 1.0)
        mean = max(float(self.levels[hour]), 0.5 / visits)  # none so far is no proof of none
        squares = float(self.numbers[SQUARES])
        restless = max(float(self.numbers[EXCESS]), 0.0) / squares if squares > 0 else 0.0
        if restless:  # grows with the mean where events come in groups, else with its square
            restless *= max(mean, float(self.levels @ self.levels) / float(self.levels.sum()))
        return mean, mean * (1.0 + restless) * (1.0 + 1.0 / visits)

    def _ask_rate(
        self, part: NDArray[np.float64], counts: NDArray[np.float64], spans: int, boundary: float
    ) -> tuple[float, PatternAnomaly | None]:
        if part[KNOWN] < spans:
            return nan, None
        count, mean = float(counts.sum()), float(part[EXPECTED])
        if count < mean:
            mean -= float(part[RAISED])
            if count >= mean:
                return 1.0, None
        spread = self._spread(spans, RATE_SUM)
        variance = spread * float(part[VARIANCE])
        square = (count - mean) ** 2 / float(part[VARIANCE])
        _remember(part, RATE_SUM, min(square, _CLIP_SQUARE * spread))
        tail = count_tail(count, mean, variance)
        off = abs(count - mean) / mean
        odd = tail * _TESTS / spans
        if off <= LIMIT:
            return max(odd, boundary * (LIMIT / max(off, 1e-9) + 1e-9)), None
        if odd > boundary:
            return odd, None
        low, high = count_limits(mean, variance, boundary * spans / _TESTS, off=LIMIT)
        limit = high if count > mean else low
        return odd, PatternAnomaly(
            kind="rate",
            spans=spans,
            magnitude=(count - mean) / (limit - mean),
            expected=mean,
            actual=count,
            low=low,
            high=high,
            probability=tail,
        )

    def _ask_mix(
        self, part: NDArray[np.float64], counts: NDArray[np.float64], spans: int, boundary: float
    ) -> tuple[float, PatternAnomaly | None]:
        if self.learned.sum() < _ENOUGH_EVENTS or not counts.any():
            return nan, None
        moved, statistic, freedom = mix_statistic(counts, self.learned)
        if freedom == 0:
            return nan, None
        spread = self._spread(spans, MIX_SUM)
        _remember(part, MIX_SUM, min(statistic / freedom, _CLIP_SQUARE * spread))
        tail = mix_tail(statistic / spread, freedom)
        odd = tail * _TESTS / spans
        if moved <= LIMIT:
            return max(odd, boundary * (LIMIT / max(moved, 1e-9) + 1e-9)), None
        if odd > boundary:
            return odd, None
        shares, usual = counts / counts.sum(), self.learned / self.learned.sum()
        most = int(np.abs(shares - usual).argmax())
        return odd, PatternAnomaly(
            kind="mix",
            spans=spans,
            magnitude=moved / LIMIT,
            expected=0.0,
            actual=moved,
            low=0.0,
            high=LIMIT,
            probability=tail,
            behavior=[*self.behaviors, OTHER][min(most, len(self.behaviors))],
            share=float(shares[most]),
            usual_share=float(usual[most]),
        )

    def _spread(self, spans: int, column: int) -> float:
        """Give the mean square of a window's results; what is shorter tells it at the start."""
        spread = 1.0
        for window in range(WINDOWS.index(spans) + 1):
            total, blocks = self.numbers[WINDOW + WINDOW_WIDTH * window :][column : column + 2]
            spread = max((_PRIOR * spread + float(total)) / (_PRIOR + float(blocks)), 1.0)
        return spread

    def _learn_rate(
        self, hour: int, count: float, expected: float, variance: float, *, doubt: bool
    ) -> None:
        visits = int(self.visits[hour])
        if visits == 0:
            self.levels[hour] = count
        else:
            most = _CLIP * sqrt(variance)
            error = min(max(count - float(self.levels[hour]), -most), most)
            known = 1.0 + 1.0 / visits
            numbers = self.numbers
            if not doubt:
                most = sqrt(_CLIP_SQUARE * variance)
                off = min(max(count - expected, -most), most)
                numbers[EXCESS] = _FADE * numbers[EXCESS] + off * off - expected * known
                # the mean of few visits is itself restless, so that its square is too large
                numbers[SQUARES] = _FADE * numbers[SQUARES] + expected * (expected + off) * known
            weight = (_DOUBT if doubt else 1.0) / min(visits + 1, MOST_VISITS)
            self.levels[hour] += weight * error
        self.visits[hour] = min(visits + 1, MOST_VISITS)


def _remember(part: NDArray[np.float64], column: int, result: float) -> None:
    fade = 1.0 - 1.0 / _BLOCKS
    part[column] = fade * part[column] + result
    part[column + 1] = fade * part[column + 1] + 1.0
