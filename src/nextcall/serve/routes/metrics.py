"""`GET /metrics`: what a monitoring system reads."""

from collections.abc import Mapping
from typing import Final, get_args

from fastapi import APIRouter, Response

from nextcall.serve.process.state import WorkerState
from nextcall.serve.safety.counts import Outcome, SafetySnapshot
from nextcall.serve.safety.safety import Safety
from nextcall.telemetry.exposition import CONTENT_TYPE, Reading

_OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


def metrics_routes(state: WorkerState, safety: Safety) -> APIRouter:
    """Make ``GET /metrics``, in Prometheus' text format; whichever worker answers, it is of all."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def tell() -> Response:
        """Tell the counters of the service, in Prometheus' text format."""
        state.tell()
        text = state.metrics.text([lambda: guard_readings(safety.snapshot())])
        return Response(text, media_type=CONTENT_TYPE)

    return router


def guard_readings(told: SafetySnapshot) -> list[Reading]:
    """Tell requests and rules of the guard under the service's own names, too.

    They are those of ``guard_validations_total`` and ``guard_violations_total``, with each outcome
    from the start.
    """
    by_outcome = {str(each): told.by_outcome(each) for each in _OUTCOMES}
    return [
        _by("nextcall_guard_requests_total", "Requests that were checked.", "outcome", by_outcome),
        _by("nextcall_guard_violations_total", "Rules they broke.", "family", told.violations),
    ]


def _by(name: str, told: str, label: str, values: Mapping[str, int]) -> Reading:
    counted: dict[tuple[str, ...], tuple[float, ...]]
    counted = {(of,): (float(value),) for of, value in sorted(values.items())}
    return Reading(name=name, kind="counter", told=told, labels=(label,), values=counted)
