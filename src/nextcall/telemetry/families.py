"""The metrics of the service: names, kinds, labels, and how many sets of labels each may have."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

OTHER: Final = "*"
"""Stands for each label of what is not known, or would be one too many."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATUSES: Final = frozenset(int(status) for status in HTTPStatus)

_QUICK: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.5, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Seconds; the limits of the service level are among them, so that each can be read exactly."""

_LONG: Final = (0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)
_SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """One metric, and all the sets of labels that it may have; equal to itself alone.

    Raises
    ------
    ValueError
        Where a histogram has no rising bounds, or anything else has some.

    Examples
    --------
    >>> Family(name="cache_hits_total", kind="counter", told="Found.", labels=("cache",)).size
    1
    """

    name: str
    kind: Kind
    told: str
    """What it counts, in a sentence."""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper edges of a histogram's buckets; one more, without an edge, comes after them."""
    most: int = 100
    """Sets of labels in one worker; what comes then counts under ``*``."""

    def __post_init__(self) -> None:
        rising = list(self.bounds) == sorted(set(self.bounds)) and bool(self.bounds)
        if rising != (self.kind == "histogram"):
            raise ValueError(
                f"bounds must rise in a histogram, and be none elsewhere, got {self.bounds} "
                f"for the {self.kind} {self.name}."
            )

    @property
    def size(self) -> int:
        """Numbers that one set of labels has: a histogram's buckets and its sum, else one."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


def _counter(name: str, told: str, *labels: str, most: int = 100) -> Family:
    return Family(name=name, kind="counter", told=told, labels=labels, most=most)


def _histogram(name: str, told: str, *labels: str, bounds: tuple[float, ...] = _QUICK) -> Family:
    return Family(name=name, kind="histogram", told=told, labels=labels, bounds=bounds)


HTTP_REQUESTS: Final = _counter(
    "http_requests_total", "Requests that were answered.", "method", "endpoint", "status", most=1000
)
HTTP_SECONDS: Final = _histogram(
    "http_request_duration_seconds", "Seconds that an answer took.", "method", "endpoint"
)
HTTP_ACTIVE: Final = Family(
    name="http_requests_active", kind="gauge", told="Requests that are being answered."
)
FUNCTION_CALLS: Final = _counter(
    "function_calls_total", "Calls of functions that are watched.", "function", "outcome"
)
FUNCTION_SECONDS: Final = _histogram(
    "function_duration_seconds", "Seconds that a watched function took.", "function"
)
CACHE_HITS: Final = _counter("cache_hits_total", "Questions that a cache answered.", "cache")
CACHE_MISSES: Final = _counter("cache_misses_total", "Questions it did not answer.", "cache")
ERRORS: Final = _counter("errors_total", "Faults, by what failed.", "kind")
TASKS: Final = _counter("tasks_total", "Tasks that ended.", "task", "outcome")
TASKS_RUNNING: Final = Family(
    name="tasks_running", kind="gauge", told="Tasks that run now.", labels=("task",)
)
TASK_SECONDS: Final = _histogram(
    "tasks_duration_seconds", "Seconds that a task took.", "task", bounds=_LONG
)
LLM_CALLS: Final = _counter(
    "llm_calls_total", "Calls of language models.", "provider", "model", "outcome"
)
LLM_TOKENS: Final = _counter(
    "llm_tokens_total", "Tokens that went in or came out.", "provider", "model", "direction"
)
LLM_DOLLARS: Final = _counter(
    "llm_cost_dollars_total", "US dollars that calls cost.", "provider", "model"
)
GUARD_VALIDATIONS: Final = _counter(
    "guard_validations_total", "Requests that the guard checked.", "outcome"
)
GUARD_VIOLATIONS: Final = _counter(
    "guard_violations_total", "Rules of the guard that were broken.", "family"
)
COLD_STARTS: Final = _counter(
    "cold_start_predictions_total", "Answers without enough history.", "level", "outcome"
)
COLD_START_CONFIDENCE: Final = _histogram(
    "cold_start_confidence", "Confidence of the first of such an answer.", "level", bounds=_SHARES
)

FAMILIES: Final[tuple[Family, ...]] = (
    HTTP_REQUESTS, HTTP_SECONDS, HTTP_ACTIVE, FUNCTION_CALLS, FUNCTION_SECONDS, CACHE_HITS,
    CACHE_MISSES, ERRORS, TASKS, TASKS_RUNNING, TASK_SECONDS, LLM_CALLS, LLM_TOKENS, LLM_DOLLARS,
    GUARD_VALIDATIONS, GUARD_VIOLATIONS, COLD_STARTS, COLD_START_CONFIDENCE,
)  # fmt: skip
"""All that the service counts, in the order in which it tells them."""
