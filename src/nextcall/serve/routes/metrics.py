"""`GET /metrics`: what a monitoring system reads."""

from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from nextcall.serve.door import Door
from nextcall.serve.safety import Safety


def metrics_routes(door: Door | None, safety: Safety) -> APIRouter:
    """Make ``GET /metrics``, in Prometheus' text format."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(GuardMetrics(safety))
    if door is not None:
        registry.register(DoorMetrics(door))

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """Tell the counters of the service, in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


class DoorMetrics(Collector):
    """What the front door knows of itself."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterable[Metric]:
        """Give its metrics as they are now."""
        return list(self._metrics())

    def _metrics(self) -> Iterator[Metric]:
        door = self._door
        credentials = door.credentials
        yield _gauge("credentials_fresh", "Whether revocations are known.", credentials.is_fresh)
        yield _counter(
            "credentials_failures",
            "Times that the database of keys did not answer.",
            credentials.failures,
        )
        if door.shared is not None:
            yield _gauge(
                "rate_store_degraded",
                "Whether limits are counted in this worker's memory, for Redis is away.",
                door.shared.degraded,
            )
            yield _counter(
                "rate_store_failures", "Times that Redis did not answer.", door.shared.failures
            )
        if door.audit is not None:
            yield _counter(
                "audit_events_lost", "Events that the audit log could not keep.", door.audit.lost
            )


class GuardMetrics(Collector):
    """What the guard counted."""

    def __init__(self, safety: Safety) -> None:
        self._safety = safety

    def collect(self) -> Iterable[Metric]:
        """Give its metrics as they are now."""
        told = self._safety.snapshot()
        outcomes = {
            "blocked": told.blocked,
            "flagged": told.flagged,
            "observed": told.observed,
            "passed": told.total - told.blocked - told.flagged - told.observed,
        }
        predictions = {"blocked": told.blocked_predictions, "filtered": told.filtered_predictions}
        return [
            _by("guard_requests", "Requests that were checked.", "outcome", outcomes),
            _by("guard_violations", "Rules that requests broke.", "family", told.violations),
            _by("guard_failed_checks", "Checks that failed.", "check", told.failed_checks),
            _by("guard_pii", "Personal data that was found.", "kind", told.pii_found),
            _by("guard_predictions", "Predictions that did not leave.", "outcome", predictions),
        ]


def _by(name: str, told: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"nextcall_{name}", told, labels=[label])
    for of, value in sorted(values.items()):
        family.add_metric([of], value)
    return family


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"nextcall_{name}", told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"nextcall_{name}", told, value=value)
