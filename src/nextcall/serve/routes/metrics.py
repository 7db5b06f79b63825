"""`GET /metrics`: what a monitoring system reads."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from nextcall.serve.door import Door


def metrics_routes(*sources: Collector | None) -> APIRouter:
    """Make ``GET /metrics`` over what gives metrics, in Prometheus' text format."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    for source in sources:
        if source is not None:
            registry.register(source)

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


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"nextcall_{name}", told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"nextcall_{name}", told, value=value)
