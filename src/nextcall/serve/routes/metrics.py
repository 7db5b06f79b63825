"""`GET /metrics`: what a monitoring system reads."""

from collections.abc import Iterator, Mapping
from typing import Final

from fastapi import APIRouter, Response

from nextcall.serve.door.door import Door
from nextcall.serve.observer import Observer
from nextcall.serve.process.memory import memory_bytes
from nextcall.serve.safety.safety import Safety
from nextcall.telemetry.exposition import CONTENT_TYPE, Reading, exposition
from nextcall.telemetry.families import Kind

_PREFIX: Final = "nextcall_"


def metrics_routes(
    door: Door | None, safety: Safety, observer: Observer | None = None
) -> APIRouter:
    """Make ``GET /metrics``, in Prometheus' text format."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """Tell the counters of the service, in Prometheus' text format."""
        own = [*guard_readings(safety), *([] if door is None else door_readings(door)), _memory()]
        if observer is None:
            return Response(exposition(own), media_type=CONTENT_TYPE)
        text = observer.metrics.text([lambda: own, observer.readings])
        return Response(text, media_type=CONTENT_TYPE)

    return router


def _memory() -> Reading:
    return Reading(
        name="process_resident_memory_bytes",
        kind="gauge",
        told="Memory that this worker holds.",
        values={(): (memory_bytes(),)},
    )


def door_readings(door: Door) -> Iterator[Reading]:
    """Tell what the front door knows of itself."""
    credentials = door.credentials
    yield _one("credentials_fresh", "gauge", "Whether revocations are known.", credentials.is_fresh)
    yield _one(
        "credentials_failures_total",
        "counter",
        "Times that the database of keys did not answer.",
        credentials.failures,
    )
    if door.shared is not None:
        yield _one(
            "rate_store_degraded",
            "gauge",
            "Whether limits are counted in this worker's memory, for Redis is away.",
            door.shared.degraded,
        )
        yield _one(
            "rate_store_failures_total",
            "counter",
            "Times that Redis did not answer.",
            door.shared.failures,
        )
    if door.audit is not None:
        yield _one(
            "audit_events_lost_total",
            "counter",
            "Events that the audit log could not keep.",
            door.audit.lost,
        )


def guard_readings(safety: Safety) -> Iterator[Reading]:
    """Tell what the guard counted."""
    told = safety.snapshot()
    outcomes = {
        "blocked": told.blocked,
        "flagged": told.flagged,
        "observed": told.observed,
        "passed": told.total - told.blocked - told.flagged - told.observed,
    }
    predictions = {"blocked": told.blocked_predictions, "filtered": told.filtered_predictions}
    yield _by("guard_requests_total", "Requests that were checked.", "outcome", outcomes)
    yield _by("guard_violations_total", "Rules that requests broke.", "family", told.violations)
    yield _by("guard_failed_checks_total", "Checks that failed.", "check", told.failed_checks)
    yield _by("guard_pii_total", "Personal data that was found.", "kind", told.pii_found)
    yield _by("guard_predictions_total", "Predictions that did not leave.", "outcome", predictions)


def _by(name: str, told: str, label: str, values: Mapping[str, int]) -> Reading:
    counted: dict[tuple[str, ...], tuple[float, ...]]
    counted = {(of,): (float(value),) for of, value in sorted(values.items())}
    return Reading(name=_PREFIX + name, kind="counter", told=told, labels=(label,), values=counted)


def _one(name: str, kind: Kind, told: str, value: float) -> Reading:
    return Reading(name=_PREFIX + name, kind=kind, told=told, values={(): (float(value),)})
