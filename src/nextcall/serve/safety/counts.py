"""How often the guard looked, what it found, and which of its checks fail: numbers only."""

import logging
import threading
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from nextcall.telemetry.families import (
    GUARD_FAILED_CHECKS,
    GUARD_FAILING,
    GUARD_PII,
    GUARD_PREDICTIONS,
    GUARD_VALIDATIONS,
    GUARD_VIOLATIONS,
    Family,
)
from nextcall.telemetry.instruments import Count
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.told import Numbers, Told

Check = Literal["attacks", "content", "output", "pii", "hook"]
"""What may fail by itself."""

Outcome = Literal["passed", "observed", "flagged", "blocked"]
"""What became of a request."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySnapshot:
    """The counts since the start, of all workers.

    Attributes
    ----------
    total : int
        Requests that were checked; each of a batch counts.
    blocked, flagged, observed : int
        Those refused, answered with a mark, and noticed but let pass.
    violations : mapping of str to int
        Rules that were broken, by family; ``form``, ``content`` and ``pii`` beside the families of
        attacks.
    failed_checks : mapping of str to int
        How often a check failed by itself, by check.
    failing : tuple of str
        Checks whose last run failed, in a worker that lives; sorted.
    blocked_predictions, filtered_predictions : int
        Operations that were kept from answers, and those of which a text was.
    pii_found : mapping of str to int
        Personal data, by kind.
    """

    total: int
    blocked: int
    flagged: int
    observed: int
    violations: Mapping[str, int]
    failed_checks: Mapping[str, int]
    failing: tuple[str, ...]
    blocked_predictions: int
    filtered_predictions: int
    pii_found: Mapping[str, int]

    @property
    def blocked_rate(self) -> float:
        """Share of requests that were refused; 0 before the first."""
        return self._rate(self.blocked)

    @property
    def flagged_rate(self) -> float:
        """Share of requests that were answered with a mark."""
        return self._rate(self.flagged)

    @property
    def violation_rate(self) -> float:
        """Broken rules a request."""
        return self._rate(sum(self.violations.values()))

    def by_outcome(self, outcome: Outcome) -> int:
        """Give how many requests came out so."""
        counted = {"blocked": self.blocked, "flagged": self.flagged, "observed": self.observed}
        return counted.get(outcome, self.total - sum(counted.values()))

    def _rate(self, number: int) -> float:
        return number / self.total if self.total else 0.0


class SafetyCounts:
    """Counts, from many threads at once.

    Parameters
    ----------
    metrics : Metrics, optional
        Where it counts, so that all workers know; for itself alone where none are given.

    Examples
    --------
    >>> counts = SafetyCounts()
    >>> counts.count_request("passed", families=(), pii=())
    >>> counts.count_request("blocked", families=["sqli"], pii=["email", "email"])
    >>> told = counts.snapshot()
    >>> told.total, told.blocked_rate, dict(told.violations), dict(told.pii_found)
    (2, 0.5, {'sqli': 1}, {'email': 2})
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics = metrics or open_metrics(endpoints=())
        self._lock = threading.Lock()
        self._outcomes = _Counts(metrics, GUARD_VALIDATIONS)
        self._violations = _Counts(metrics, GUARD_VIOLATIONS)
        self._pii = _Counts(metrics, GUARD_PII)
        # They are told from the start: a number that appears has not risen, as Prometheus sees it.
        self._failed = {each: metrics.count(GUARD_FAILED_CHECKS, each) for each in get_args(Check)}
        self._fails = {each: metrics.count(GUARD_FAILING, each) for each in get_args(Check)}
        for fails in self._fails.values():
            fails.set(0)
        self.failing: dict[str, type[Exception]] = {}
        """Checks whose last run failed in this worker, and how; for others to read."""
        self.failures = 0
        """Checks that failed in this worker so far."""
        self._blocked = metrics.count(GUARD_PREDICTIONS, "blocked")
        self._filtered = metrics.count(GUARD_PREDICTIONS, "filtered")

    def count_request(
        self, outcome: Outcome, *, families: Collection[str], pii: Collection[str]
    ) -> None:
        """Count a request, the families of the rules that it broke, and kinds of personal data."""
        self._outcomes[outcome].rise()
        for family in families:
            self._violations[family].rise()
        for kind in pii:
            self._pii[kind].rise()

    def count_output(self, *, blocked: int, filtered: int) -> None:
        """Count operations that were kept from an answer, or a text of theirs."""
        if blocked:
            self._blocked.add(blocked)
        if filtered:
            self._filtered.add(filtered)

    def tell(self, check: Check, error: Exception | None) -> None:
        """Hear how a check ended: what went wrong, or None.

        It is logged when a check begins to fail, fails otherwise than before, or works again;
        never with the error's words, which may be those of a prompt.
        """
        if error is None:
            if check in self.failing:  # a look without the lock: mostly nothing fails
                with self._lock:
                    self.failing.pop(check, None)
                    self._fails[check].set(0)
                _log.warning("guard check works again: %s", check)
            return
        self._failed[check].rise()
        with self._lock:
            self.failures += 1
            known = self.failing.get(check)
            self.failing[check] = type(error)
            self._fails[check].set(1)
        if known is not type(error):
            _log.error("guard check failed: %s, %s", check, _kind_and_place(error))

    @property
    def is_failing(self) -> bool:
        """Whether the last run of a check failed, in this worker."""
        return bool(self.failing)

    def snapshot(self) -> SafetySnapshot:
        """Give the counts."""
        return safety_snapshot(self._metrics.told())


class _Counts(dict[str, Count]):
    """The counts of a family by its label, each found once."""

    def __init__(self, metrics: Metrics, family: Family) -> None:
        self._metrics, self._family = metrics, family

    def __missing__(self, label: str) -> Count:
        found = self[label] = self._metrics.count(self._family, label)
        return found


def safety_snapshot(told: Told) -> SafetySnapshot:
    """Read what guards counted from what was told of all families."""
    outcomes, predictions = _by_label(told[GUARD_VALIDATIONS]), _by_label(told[GUARD_PREDICTIONS])
    return SafetySnapshot(
        total=sum(outcomes.values()),
        blocked=outcomes.get("blocked", 0),
        flagged=outcomes.get("flagged", 0),
        observed=outcomes.get("observed", 0),
        violations=_by_label(told[GUARD_VIOLATIONS]),
        failed_checks=_by_label(told[GUARD_FAILED_CHECKS]),
        failing=tuple(_by_label(told[GUARD_FAILING])),
        blocked_predictions=predictions.get("blocked", 0),
        filtered_predictions=predictions.get("filtered", 0),
        pii_found=_by_label(told[GUARD_PII]),
    )


def _by_label(numbers: Numbers) -> dict[str, int]:
    return {label: round(value) for (label,), (value,) in numbers.items() if value}


def _kind_and_place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
