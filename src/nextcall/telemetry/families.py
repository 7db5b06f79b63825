"""The metrics of the service: names, kinds, labels, and how many sets of labels each may have."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

Over: TypeAlias = Literal["sum", "least", "most"]
"""How the numbers that the living workers tell of a gauge become one."""

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
    over: Over = "sum"
    """Of a gauge; the others are always summed."""

    def __post_init__(self) -> None:
        rising = list(self.bounds) == sorted(set(self.bounds)) and bool(self.bounds)
        if rising != (self.kind == "histogram"):
            raise ValueError(
                f"bounds must rise in a histogram, and be none elsewhere, got {self.bounds} "
                f"for the {self.kind} {self.name}."
            )
        if self.over != "sum" and self.kind != "gauge":
            raise ValueError(f"over must be 'sum' in the {self.kind} {self.name}, got {self.over}.")

    @property
    def size(self) -> int:
        """Numbers that one set of labels has: a histogram's buckets and its sum, else one."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


def _counter(name: str, told: str, *labels: str, most: int = 100) -> Family:
    return Family(name=name, kind="counter", told=told, labels=labels, most=most)


def _gauge(name: str, told: str, *labels: str, over: Over = "sum", most: int = 20) -> Family:
    return Family(name=name, kind="gauge", told=told, labels=labels, over=over, most=most)


def _histogram(name: str, told: str, *labels: str, bounds: tuple[float, ...] = _QUICK) -> Family:
    return Family(name=name, kind="histogram", told=told, labels=labels, bounds=bounds)


HTTP_REQUESTS: Final = _counter(
    "http_requests_total", "Requests that were answered.", "method", "endpoint", "status", most=1000
)
HTTP_SECONDS: Final = _histogram(
    "http_request_duration_seconds", "Seconds that an answer took.", "method", "endpoint"
)
HTTP_ACTIVE: Final = _gauge("http_requests_active", "Requests that are being answered.")
FUNCTION_CALLS: Final = _counter(
    "function_calls_total", "Parts of predictions that ran.", "function", "outcome"
)
FUNCTION_SECONDS: Final = _histogram(
    "function_duration_seconds", "Seconds that they took.", "function"
)
CACHE_HITS: Final = _counter("cache_hits_total", "Questions that a cache answered.", "cache")
CACHE_MISSES: Final = _counter("cache_misses_total", "Questions it did not answer.", "cache")
LAYER_EVENTS: Final = _counter(
    "cache_layer_events_total",
    "What became of the values that a layer keeps, and of those that are looked for.",
    "layer",
    "event",
)
LAYER_ENTRIES: Final = _gauge("cache_layer_entries", "Values that a layer keeps.", "layer")
LAYER_BYTES: Final = _gauge("cache_layer_bytes", "Bytes that they take, estimated.", "layer")
ERRORS: Final = _counter("errors_total", "Faults, by what failed.", "kind")
TASKS: Final = _counter("tasks_total", "Tasks that ended.", "task", "outcome")
TASKS_RUNNING: Final = _gauge("tasks_running", "Tasks that run now.", "task", most=100)
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
GUARD_FAILED_CHECKS: Final = _counter(
    "nextcall_guard_failed_checks_total", "Checks that failed by themselves.", "check", most=20
)
GUARD_FAILING: Final = _gauge(
    "nextcall_guard_failing", "Whether the last run of a check failed.", "check", over="most"
)
GUARD_PII: Final = _counter("nextcall_guard_pii_total", "Personal data that was found.", "kind")
GUARD_PREDICTIONS: Final = _counter(
    "nextcall_guard_predictions_total", "Predictions that did not leave.", "outcome", most=20
)
COLD_STARTS: Final = _counter(
    "cold_start_predictions_total", "Answers without enough history.", "level", "outcome"
)
COLD_START_CONFIDENCE: Final = _histogram(
    "cold_start_confidence", "Confidence of the first of such an answer.", "level", bounds=_SHARES
)

CREDENTIALS_FRESH: Final = _gauge(
    "nextcall_credentials_fresh", "Whether every worker knows of revocations.", over="least"
)
CREDENTIALS_FAILURES: Final = _counter(
    "nextcall_credentials_failures_total", "Times that the database of keys did not answer."
)
RATES_DEGRADED: Final = _gauge(
    "nextcall_rate_store_degraded",
    "Whether a worker counts limits in its own memory, for Redis is away.",
    over="most",
)
RATES_FAILURES: Final = _counter(
    "nextcall_rate_store_failures_total", "Times that Redis did not answer about limits."
)
ANSWERS_DEGRADED: Final = _gauge(
    "nextcall_answer_store_degraded",
    "Whether a worker keeps answers in its own memory alone, for Redis is away.",
    over="most",
)
ANSWERS_FAILURES: Final = _counter(
    "nextcall_answer_store_failures_total", "Times that Redis did not answer about answers."
)
AUDIT_LOST: Final = _counter(
    "nextcall_audit_events_lost_total", "Events that the audit log could not keep."
)
LOG_LOST: Final = _counter("log_lines_lost_total", "Lines of the log that were not written.")
MEMORY: Final = _gauge(
    "process_resident_memory_bytes", "Memory that a worker holds.", "worker", most=100
)
BREAKERS_OPEN: Final = _gauge(
    "breakers_open", "Workers that leave a side alone, for it failed again and again.", "side"
)
BREAKER_OPENINGS: Final = _counter(
    "breaker_openings_total", "Times that a side was left alone, or again after a trial.", "side"
)

FAMILIES: Final[tuple[Family, ...]] = (
    HTTP_REQUESTS, HTTP_SECONDS, HTTP_ACTIVE, FUNCTION_CALLS, FUNCTION_SECONDS, CACHE_HITS,
    CACHE_MISSES, LAYER_EVENTS, LAYER_ENTRIES, LAYER_BYTES, ERRORS, TASKS, TASKS_RUNNING,
    TASK_SECONDS, LLM_CALLS, LLM_TOKENS, LLM_DOLLARS, GUARD_VALIDATIONS, GUARD_VIOLATIONS,
    GUARD_FAILED_CHECKS, GUARD_FAILING, GUARD_PII, GUARD_PREDICTIONS, COLD_STARTS,
    COLD_START_CONFIDENCE, CREDENTIALS_FRESH, CREDENTIALS_FAILURES, RATES_DEGRADED, RATES_FAILURES,
    ANSWERS_DEGRADED, ANSWERS_FAILURES, AUDIT_LOST, LOG_LOST, MEMORY, BREAKERS_OPEN,
    BREAKER_OPENINGS,
)  # fmt: skip
"""All that the service counts, in the order in which it tells them."""
