"""What the service notes of each request: counts, latencies, a line of the log."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from nextcall.access.permissions import ROUTE_PERMISSIONS
from nextcall.serve.telemetry_settings import TelemetrySettings
from nextcall.serve.watching import PARTS, Part, Watch, WatchedPart
from nextcall.telemetry.families import (
    CACHE_HITS,
    CACHE_MISSES,
    COLD_START_CONFIDENCE,
    COLD_STARTS,
    ERRORS,
    METHODS,
    OTHER,
)
from nextcall.telemetry.instruments import Count, Histogram
from nextcall.telemetry.latency import Latencies
from nextcall.telemetry.logs import Logs, LogSettings, open_logs
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.performance import CONFIDENT, STAGES
from nextcall.telemetry.traces import NoTraces, Traces, open_traces

_TEMPLATES: Final = tuple(sorted({path for _, path in ROUTE_PERMISSIONS}))
_ENDPOINTS: Final = tuple(sorted(f"{method} {path}" for method, path in ROUTE_PERMISSIONS))
_WINDOWS: Final = (*_ENDPOINTS, *STAGES)
_ANSWERS: Final = "answers"


class Observer:
    """Hears of each request and of each answer, and keeps their numbers.

    Parameters
    ----------
    metrics : Metrics, optional
        Of this process alone where none are given.
    logs : Logs, optional
        Have a line a request.
    traces : Traces, optional
    latencies : Latencies, optional
        Of this process alone where none are given.
    """

    def __init__(
        self,
        metrics: Metrics | None = None,
        *,
        logs: Logs | None = None,
        traces: Traces | None = None,
        latencies: Latencies | None = None,
    ) -> None:
        self.metrics = metrics or open_metrics(endpoints=_TEMPLATES)
        self.latencies = latencies or Latencies(_WINDOWS)
        self.traces: Traces = traces or NoTraces()
        self.logs = logs
        self._tells_requests = logs is not None and logs.tells("info")
        self._hits = self.metrics.count(CACHE_HITS, _ANSWERS)
        self._misses = self.metrics.count(CACHE_MISSES, _ANSWERS)
        self._hit_seconds = self.latencies.of("cache_hit")
        self._miss_seconds = self.latencies.of("cache_miss")
        windows = {"ranking": self.latencies.of("ranking")}
        self._parts: Mapping[Part, WatchedPart] = {
            part: WatchedPart(self.metrics, part, window=windows.get(part)) for part in PARTS
        }
        self._server_errors = self.metrics.count(ERRORS, "server")
        self._cold_starts: dict[tuple[str, str], Count] = {}
        self._confidences: dict[str, Histogram] = {}

    def request_ended(
        self, method: str, route: str, status: int, seconds: float, *, request_id: str
    ) -> None:
        """Note a request that was answered."""
        method = method if method in METHODS else OTHER
        self.metrics.request_ended(method, route, status, seconds)
        failed = status >= 500
        self.latencies.of(f"{method} {route}").observe(seconds, error=failed)
        if failed:
            self._server_errors.rise()
        if self._tells_requests and self.logs is not None:
            self.logs.tell_request(
                method=method, route=route, status=status, seconds=seconds, request_id=request_id
            )

    def answered(self, *, is_kept: bool | None, seconds: float) -> None:
        """Note an answer that was given: kept, made, or made where nothing is kept."""
        if is_kept is None:
            return
        if is_kept:
            self._hits.rise()
            self._hit_seconds.observe(seconds)
        else:
            self._misses.rise()
            self._miss_seconds.observe(seconds)

    def watch(self) -> Watch:
        """Give what times the parts of one prediction, and counts them here."""
        return Watch(self._parts)

    def cold_started(self, level: str, confidence: float | None, *, least: float) -> None:
        """Note an answer that a method other than the first gave."""
        sure = CONFIDENT if confidence is not None and confidence >= least else "unsure"
        counted = self._cold_starts.get((level, sure))
        if counted is None:
            counted = self._cold_starts[level, sure] = self.metrics.count(COLD_STARTS, level, sure)
        counted.rise()
        if confidence is not None:
            confidences = self._confidences.get(level)
            if confidences is None:
                confidences = self.metrics.histogram(COLD_START_CONFIDENCE, level)
                self._confidences[level] = confidences
            confidences.observe(confidence)


@contextmanager
def open_observer(settings: TelemetrySettings) -> Iterator[Observer | None]:
    """Open what is set; None where nothing is to be noted.

    Raises
    ------
    OSError
        Where a folder cannot be made.
    ValueError
        Where traces are asked for, and OpenTelemetry is not installed.
    """
    if not settings.telemetry_enabled:
        yield None
        return
    with ExitStack() as opened:
        logs = opened.enter_context(
            open_logs(
                LogSettings(
                    folder=settings.log_dir,
                    level=settings.log_level,
                    most_bytes=settings.log_max_bytes,
                    keep_days=settings.log_keep_days,
                )
            )
        )
        metrics = opened.enter_context(
            open_metrics(endpoints=_TEMPLATES, folder=settings.metrics_dir)
        )
        latencies = Latencies(_WINDOWS, folder=settings.metrics_dir)
        opened.callback(latencies.close)
        try:
            traces = open_traces(settings.traces_url)
        except ImportError as error:
            raise ValueError(f"NEXTCALL_TRACES_URL: {error}") from error
        opened.callback(traces.close)
        yield Observer(metrics, logs=logs, traces=traces, latencies=latencies)
