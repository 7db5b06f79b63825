"""Spans, read back by OpenTelemetry's own exporters and its own protocol."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from nextcall.telemetry.traces import NoTraces, Part, Traces, open_traces

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
PARTS: tuple[Part, ...] = ("guard", "candidates", "features", "ranker")
PROMPT = "drop every bucket"
KEY = "nc_0123456789abcdefghijklmnopqrstuvwxyzABCD"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Iterator[Traces]:
    opened = open_traces(None, exporter=exporter)
    yield opened
    opened.close()


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def test_the_parts_are_children_of_the_request_and_that_of_who_asked(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    with traces.request(f"00-{TRACE}-{PARENT}-01", route="/predict") as request:
        for name in PARTS:
            with traces.part(name, candidates=100):
                pass
        request.tell(status=200)
    *parts, whole = exporter.get_finished_spans()
    assert [span.name for span in parts] == list(PARTS)
    assert parent_of(whole) == PARENT
    context = whole.get_span_context()
    assert context is not None
    assert f"{context.trace_id:032x}" == TRACE
    assert {parent_of(span) for span in parts} == {f"{context.span_id:016x}"}
    assert (whole.kind, parts[0].kind) == (SpanKind.SERVER, SpanKind.INTERNAL)
    assert dict(whole.attributes or {}) == {"route": "/predict", "status": 200}
    assert dict(parts[0].attributes or {}) == {"candidates": 100}
    assert all(span.status.status_code is StatusCode.UNSET for span in [*parts, whole])


@pytest.mark.parametrize(
    "traceparent",
    [None, "", "00", f"00-{'0' * 32}-{PARENT}-01", f"zz-{TRACE}-{PARENT}-01", "\ud800"],
)
def test_without_a_true_traceparent_a_trace_begins(
    traceparent: str | None, traces: Traces, exporter: InMemorySpanExporter
) -> None:
    with traces.request(traceparent):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.parent is None


@pytest.mark.parametrize(
    ("flags", "share", "told"), [("01", 0.0, 1), ("00", 1.0, 0), (None, 0.0, 0), (None, 1.0, 1)]
)
def test_who_asks_decides_whether_it_is_traced(flags: str | None, share: float, told: int) -> None:
    exporter = InMemorySpanExporter()
    traces = open_traces(None, share=share, exporter=exporter)
    with traces.request(None if flags is None else f"00-{TRACE}-{PARENT}-{flags}"):
        pass
    assert len(exporter.get_finished_spans()) == told
    traces.close()


def test_a_fault_is_told_by_its_kind_and_no_prompt_or_secret_is(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    def fail() -> None:
        with traces.request(prompt=PROMPT, role=None) as span, traces.part("ranker"):
            span.tell(reason=f"Bearer {KEY}", query=PROMPT)
            raise ValueError(f"{PROMPT} {KEY}")

    with pytest.raises(ValueError, match=PROMPT):
        fail()
    spans = exporter.get_finished_spans()
    assert [span.status.status_code for span in spans] == [StatusCode.ERROR] * 2
    assert {span.status.description for span in spans} == {"ValueError"}
    assert dict(spans[1].attributes or {}) == {"reason": "[removed]"}
    text = "".join(span.to_json() for span in spans)
    assert PROMPT not in text
    assert KEY not in text


def test_requests_side_by_side_keep_their_parts(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    def rank() -> None:
        with traces.part("ranker"):
            pass

    async def answer() -> None:
        with traces.request():
            await asyncio.sleep(0)
            await asyncio.to_thread(rank)

    async def both() -> None:
        await asyncio.gather(answer(), answer())

    asyncio.run(both())
    spans = exporter.get_finished_spans()
    requests = {
        f"{context.span_id:016x}"
        for span in spans
        if span.name == "request" and (context := span.get_span_context()) is not None
    }
    assert {parent_of(span) for span in spans if span.name == "ranker"} == requests
    assert len(requests) == 2


def test_a_real_collector_gets_the_spans() -> None:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # says nothing
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        traces = open_traces(f"http://127.0.0.1:{server.server_port}/v1/traces")
        with traces.request(), traces.part("guard"):
            pass
        traces.close()
        server.shutdown()
        thread.join()
    (told,) = ExportTraceServiceRequest.FromString(b"".join(bodies)).resource_spans
    assert told.resource.attributes[0].value.string_value == "nextcall"
    assert [span.name for span in told.scope_spans[0].spans] == ["guard", "request"]


def test_without_a_collector_nothing_is_made() -> None:
    traces = open_traces(None)
    assert isinstance(traces, NoTraces)
    with (
        traces.request(f"00-{TRACE}-{PARENT}-01", route="/") as request,
        traces.part("guard") as part,
    ):
        request.tell(status=200)
        part.tell(risk=0.1)
        assert not trace.get_current_span().get_span_context().is_valid
    assert traces.request() is traces.part("guard")
    traces.close()


def test_opentelemetry_is_asked_for_only_where_it_is_used() -> None:
    script = """
import sys
from nextcall.telemetry.traces import open_traces

open_traces(None).close()
assert not any(name.startswith("opentelemetry") for name in sys.modules)

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
try:
    open_traces("http://localhost:4318/v1/traces")
except ImportError as error:
    assert error.name is None
    assert str(error).endswith("install it with `pip install 'nextcall[tracing]'`."), error
else:
    raise SystemExit("nothing was raised")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_nothing_to_all(share: float) -> None:
    with pytest.raises(ValueError, match=rf"^share must be from 0 to 1, got {share}\.$"):
        open_traces(None, share=share)
