"""Spans of a request, told to a collector by OpenTelemetry where that is wanted; else nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from nextcall.telemetry.log_fields import Field, known_fields

if TYPE_CHECKING:  # the extra `tracing`, which is loaded where a collector is named
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanKind

Part: TypeAlias = Literal["guard", "candidates", "features", "ranker"]
"""What a request consists of."""

_TIMEOUT: Final = 5.0  # seconds that a collector may take


class TracedSpan(Protocol):
    """A span that runs."""

    def tell(self, **fields: Field) -> None:
        """Add fields of known names, as in a line of the log; others are left out."""


class Traces(Protocol):
    """Makes spans; one that is made within another is its child."""

    def request(
        self, traceparent: str | None = None, **fields: Field
    ) -> AbstractContextManager[TracedSpan]:
        """Begin the span of a request, as a child of that of who asked (W3C ``traceparent``)."""

    def part(self, name: Part, **fields: Field) -> AbstractContextManager[TracedSpan]:
        """Begin the span of a part of it."""

    def close(self) -> None:
        """Tell what was not told yet, and end."""


class NoTraces:
    """Makes no spans.

    Examples
    --------
    >>> traces = NoTraces()
    >>> with traces.request(), traces.part("guard") as span:
    ...     span.tell(risk=0.5)
    """

    def request(
        self, traceparent: str | None = None, **fields: Field
    ) -> AbstractContextManager[TracedSpan]:
        """Do nothing."""
        del traceparent, fields
        return _NOTHING

    def part(self, name: Part, **fields: Field) -> AbstractContextManager[TracedSpan]:
        """Do nothing."""
        del name, fields
        return _NOTHING

    def close(self) -> None:
        """Do nothing."""


class _NoSpan:
    def tell(self, **fields: Field) -> None:
        pass


_NOTHING: Final[AbstractContextManager[TracedSpan]] = nullcontext(_NoSpan())


def open_traces(
    collector: str | None, *, share: float = 1.0, exporter: "SpanExporter | None" = None
) -> Traces:
    """Begin to trace; to be closed.

    Parameters
    ----------
    collector : str, optional
        URL that takes traces by OTLP over HTTP, such as ``http://localhost:4318/v1/traces``.
        Without it nothing is traced, and OpenTelemetry is not loaded.
    share : float
        Of the requests whose caller has not decided; 0 to 1.
    exporter : SpanExporter, optional
        Takes the spans instead, each as it ends.

    Raises
    ------
    ValueError
        Where the share is none.
    ImportError
        Where a collector is named, and the extra ``tracing`` is not installed.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}.")
    if collector is None and exporter is None:
        return NoTraces()
    try:
        return _OpenTelemetry(collector, share, exporter)
    except ModuleNotFoundError as error:
        raise ImportError(
            "collector needs OpenTelemetry; install it with `pip install 'nextcall[tracing]'`."
        ) from error


class _OpenTelemetry:
    """Makes spans of OpenTelemetry, over a provider of its own."""

    def __init__(
        self, collector: str | None, share: float, exporter: "SpanExporter | None"
    ) -> None:
        from opentelemetry import trace  # noqa: PLC0415  # an extra
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider, export, sampling  # noqa: PLC0415
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        self._api = trace
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        self._provider = TracerProvider(
            sampler=sampling.ParentBased(sampling.TraceIdRatioBased(share)),
            resource=Resource({"service.name": "nextcall"}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            export.BatchSpanProcessor(
                trace_exporter.OTLPSpanExporter(endpoint=collector, timeout=_TIMEOUT)
            )
            if exporter is None
            else export.SimpleSpanProcessor(exporter)
        )
        self._tracer = self._provider.get_tracer("nextcall")

    def request(
        self, traceparent: str | None = None, **fields: Field
    ) -> AbstractContextManager[TracedSpan]:
        return self._span("request", self._api.SpanKind.SERVER, fields, traceparent)

    def part(self, name: Part, **fields: Field) -> AbstractContextManager[TracedSpan]:
        return self._span(name, self._api.SpanKind.INTERNAL, fields, None)

    @contextmanager
    def _span(
        self, name: str, kind: "SpanKind", fields: dict[str, Field], traceparent: str | None
    ) -> Iterator[TracedSpan]:
        given = None if traceparent is None else {"traceparent": traceparent}
        context = None if given is None else self._propagator.extract(given)
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            # An exception's words may be those of a prompt.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            told = _Told(span)
            told.tell(**fields)
            try:
                yield told
            except Exception as error:
                status = self._api.StatusCode.ERROR
                span.set_status(self._api.Status(status, type(error).__qualname__))
                raise

    def close(self) -> None:
        self._provider.shutdown()


class _Told:
    def __init__(self, span: "Span") -> None:
        self._span = span

    def tell(self, **fields: Field) -> None:
        known, _ = known_fields(fields)
        self._span.set_attributes(
            {name: value for name, value in known.items() if value is not None}
        )
