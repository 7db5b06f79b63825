"""CPU time of what one request leaves behind: its metrics, a line of the log, its latency, a span.

    python benchmarks/telemetry_speed.py

By turns; microseconds of this process's CPU, medians of the rounds, and of the ratios within each.
A request is counted by status, its duration put into a histogram, and a gauge goes up and down;
``five pairs`` are five counters and five histograms; ``guard`` counts a request that the guard let
pass, ``part`` a part of a prediction. Beside Prometheus' client with children that were bound
before and with ``.labels()``, also in its mode for several processes; beside ``python-json-logger``
and a formatter of ten lines over the rotating handler of the standard library, which mask nothing;
beside an empty ``with`` for spans that nobody collects. A text has a thousand sets of labels, or
250 in each of four workers. Prints JSON, or writes it to ``--output``.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from json_output import give, parser_of
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pythonjsonlogger.json import JsonFormatter

from nextcall.serve.safety.counts import SafetyCounts
from nextcall.serve.watching import Watch, WatchedPart
from nextcall.telemetry.families import FUNCTION_CALLS, FUNCTION_SECONDS, HTTP_REQUESTS
from nextcall.telemetry.latency import LatencyWindow
from nextcall.telemetry.log_entries import request_of
from nextcall.telemetry.logs import LogSettings, open_logs
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.traces import open_traces

_FIVE = ("guard", "candidates", "features", "ranker", "output")
_OF = ("POST", "/predict", "200")

_SEVERAL = """
import sys
sys.path[:0] = [{folder!r}, {source!r}]
from telemetry_speed import _peer_ways, _measure
print(__import__("json").dumps(_measure(_peer_ways(), 3, {calls})[0]))
"""

Ways = dict[str, Callable[[], Any]]


def main() -> None:
    """Measure the ways in turns, and write medians of the rounds and of the ratios within each."""
    parser = parser_of(__doc__, rounds=15)
    parser.add_argument("--calls", type=int, default=2000, help="of each way in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        ways = _our_ways(folder, opened) | _service_ways(folder, opened)
        ways |= _peer_ways() | _log_ways(folder, opened)
        found, ratios = _measure(ways, arguments.rounds, arguments.calls)
        texts, text_ratios = _measure(_text_ways(folder, opened), arguments.rounds, 3)
        result = {
            "benchmark": "telemetry_speed",
            "cpu_microseconds": found | texts | _of_several(folder, arguments.calls),
            "ratios": ratios | text_ratios,
        }
    give(result, arguments.output)


def _our_ways(folder: Path, opened: ExitStack) -> Ways:
    alone = opened.enter_context(open_metrics(endpoints=["/predict"]))
    shared = opened.enter_context(open_metrics(endpoints=["/predict"], folder=folder / "metrics"))
    window, none = LatencyWindow(), open_traces(None)
    traced = open_traces(None, exporter=InMemorySpanExporter(), share=0.0)
    nothing = nullcontext()
    opened.callback(traced.close)
    counts = [alone.count(FUNCTION_CALLS, each, "ok") for each in _FIVE]
    histograms = [alone.histogram(FUNCTION_SECONDS, each) for each in _FIVE]

    def request(metrics: Metrics) -> Callable[[], None]:
        def count() -> None:
            metrics.request_began()
            metrics.request_ended("POST", "/predict", 200, 0.003)

        return count

    def bound() -> None:
        for count, histogram in zip(counts, histograms, strict=True):
            count.add()
            histogram.observe(0.003)

    def looked_up() -> None:
        for each in _FIVE:
            alone.count(FUNCTION_CALLS, each, "ok").add()
            alone.histogram(FUNCTION_SECONDS, each).observe(0.003)

    def no_span() -> None:
        with none.part("guard"):
            pass

    def unsampled() -> None:
        with traced.part("guard"):
            pass

    def empty() -> None:
        with nothing:
            pass

    return {
        "request": request(alone),
        "request, several workers": request(shared),
        "five pairs, bound": bound,
        "five pairs, looked up": looked_up,
        "latency": lambda: window.observe(0.003),
        "no span": no_span,
        "span, not sampled": unsampled,
        "empty with": empty,
    }


def _service_ways(folder: Path, opened: ExitStack) -> Ways:
    shared = opened.enter_context(open_metrics(endpoints=(), folder=folder / "service"))
    guard, watch = SafetyCounts(shared), Watch({"ranking": WatchedPart(shared, "ranking")})

    def part() -> None:
        with watch("ranking"):
            pass
        watch.count()

    return {
        "guard": lambda: guard.count_request("passed", families=(), pii=()),
        "part": part,
    }


def _peer_ways() -> Ways:
    registry = CollectorRegistry()
    requests = Counter("http_requests", "Any.", ["method", "endpoint", "status"], registry=registry)
    seconds = Histogram("seconds", "Any.", ["method", "endpoint"], registry=registry)
    active = Gauge("active", "Any.", registry=registry, multiprocess_mode="livesum")
    calls = Counter("calls", "Any.", ["function", "outcome"], registry=registry)
    durations = Histogram("durations", "Any.", ["function"], registry=registry)
    bound_requests, bound_seconds = requests.labels(*_OF), seconds.labels(*_OF[:2])
    pairs = [(calls.labels(each, "ok"), durations.labels(each)) for each in _FIVE]

    def bound() -> None:
        active.inc()
        bound_requests.inc()
        bound_seconds.observe(0.003)
        active.dec()

    def labels() -> None:
        active.inc()
        requests.labels(*_OF).inc()
        seconds.labels(*_OF[:2]).observe(0.003)
        active.dec()

    def five_bound() -> None:
        for counter, histogram in pairs:
            counter.inc()
            histogram.observe(0.003)

    def five_labels() -> None:
        for each in _FIVE:
            calls.labels(each, "ok").inc()
            durations.labels(each).observe(0.003)

    return {
        "prometheus request, bound": bound,
        "prometheus request, labels": labels,
        "prometheus five pairs, bound": five_bound,
        "prometheus five pairs, labels": five_labels,
    }


def _log_ways(folder: Path, opened: ExitStack) -> Ways:
    logs = opened.enter_context(open_logs(LogSettings(folder=folder / "logs")))
    opened.enter_context(request_of("0123456789abcdef0123456789abcdef"))
    ours, record = logs.logger("nextcall.serve"), logging.getLogger("nextcall.any")
    fields = {"route": "/predict", "status": 200, "milliseconds": 3.2, "predictions": 3}

    class Plain(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            known = {name: record.__dict__[name] for name in fields}
            line = {
                "timestamp": self.formatTime(record),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                "context": known,
                "thread": record.threadName,
                "process": record.process,
            }
            return json.dumps(line)

    def peer(name: str, formatter: logging.Formatter) -> logging.Logger:
        logger = logging.Logger(name)  # noqa: LOG001  # known to nobody else
        handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=100_000_000)
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        opened.callback(handler.close)
        return logger

    by_library = peer("library", JsonFormatter(reserved_attrs=["args", "msg"], timestamp=True))
    plain = peer("plain", Plain())
    return {
        "log line": lambda: ours.info("request answered", **fields),  # type: ignore[arg-type]  # all are fields
        "log line of a library": lambda: record.info("request answered", extra=fields),
        "python-json-logger": lambda: by_library.info("request answered", extra=fields),
        "json.dumps": lambda: plain.info("request answered", extra=fields),
    }


def _text_ways(folder: Path, opened: ExitStack) -> Ways:
    metrics = open_metrics(endpoints=[f"/{number}" for number in range(1000)])
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Any.", HTTP_REQUESTS.labels, registry=registry)
    for number in range(1000):
        metrics.count(HTTP_REQUESTS, "GET", f"/{number}", "200").add()
        counter.labels("GET", f"/{number}", "200").inc()
    several = [open_metrics(endpoints=(), folder=folder / "several-texts") for _ in range(4)]
    for one in several:
        for number in range(250):
            one.count(HTTP_REQUESTS, "GET", f"/{number}", "200").add()
        opened.callback(one.close)
    return {
        "text": metrics.text,
        "text, four workers": several[0].text,
        "prometheus text": lambda: generate_latest(registry),
    }


def _measure(ways: Ways, rounds: int, calls: int) -> tuple[dict[str, float], dict[str, float]]:
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.process_time()
            for _ in range(calls):
                way()
            cpu[name].append((time.process_time() - begin) / calls * 1e6)
    pairs = [
        ("request", "prometheus request, bound"),
        ("request", "prometheus request, labels"),
        ("five pairs, bound", "prometheus five pairs, bound"),
        ("five pairs, looked up", "prometheus five pairs, labels"),
        ("log line", "python-json-logger"),
        ("log line", "json.dumps"),
        ("text", "prometheus text"),
    ]
    return (
        {name: round(statistics.median(each), 2) for name, each in cpu.items()},
        {
            f"{one} / {other}": round(
                statistics.median(a / b for a, b in zip(cpu[one], cpu[other], strict=True)), 3
            )
            for one, other in pairs
            if one in cpu and other in cpu
        },
    )


def _of_several(folder: Path, calls: int) -> dict[str, float]:
    """Measure Prometheus' client in its mode for several processes, which an import chooses."""
    several = folder / "several"
    several.mkdir()
    here = Path(__file__).resolve().parent
    script = _SEVERAL.format(folder=str(here), source=str(here.parent / "src"), calls=calls)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(several)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {f"{name}, several": value for name, value in json.loads(done.stdout).items()}


if __name__ == "__main__":
    main()
