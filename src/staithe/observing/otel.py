"""Traces with OpenTelemetry. Imported only where they are wanted: `staithe.observing.traces` decides."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span as RecordedSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from staithe import __version__
from staithe.observing.spans import Headers, Span

STOP_SECONDS: Final = 5.0
"""How long a stop waits for a collector that does not answer."""

ROLES: Final = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "internal": SpanKind.INTERNAL}
TRACE_HEADERS: Final = (b"traceparent", b"tracestate")


class OpenTelemetry:
    """Records spans, and sends them in batches from a thread of its own."""

    def __init__(self, process: str, *, to_console: bool) -> None:
        self.exporter: SpanExporter = ConsoleSpanExporter() if to_console else OTLPSpanExporter()
        self.provider = TracerProvider(resource=describe_service(process), shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("staithe", __version__)

    @contextmanager
    def span(self, name: str, role: str, headers: Headers) -> Generator[Span]:
        """A span that lasts as long as its block, within the one around it or that of the caller."""
        parent = read_parent(headers)
        # What is wrong with a request can have contact data in it: an exception's type must do.
        started = self.tracer.start_as_current_span(
            name, parent, ROLES[role], record_exception=False, set_status_on_exception=False
        )
        with started as recorded:
            opened = OpenSpan(recorded)
            try:
                yield opened
            except BaseException as error:
                opened.fail(type(error).__name__)
                raise

    def stop(self) -> None:
        """Send what has not been sent; give up when a collector keeps us waiting."""
        give_up = threading.Timer(STOP_SECONDS, self.exporter.shutdown)
        give_up.daemon = True
        give_up.start()
        self.provider.shutdown()
        give_up.cancel()


class OpenSpan(Span):
    """A span that is recorded."""

    def __init__(self, recorded: RecordedSpan) -> None:
        self.recorded = recorded

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return format_trace_id(self.recorded.get_span_context().trace_id)

    def name(self, name: str) -> None:
        """Call it otherwise."""
        self.recorded.update_name(name)

    def note(self, **attributes: str | float) -> None:
        """Note attributes; of their names each `__` stands for a dot."""
        for name, value in attributes.items():
            self.recorded.set_attribute(name.replace("__", "."), value)

    def fail(self, what: str) -> None:
        """Note that it has failed."""
        self.recorded.set_status(Status(StatusCode.ERROR, what))


def describe_service(process: str) -> Resource:
    """Who sends the spans; what the environment calls the service comes before what we call it."""
    resource = Resource.create({"service.version": __version__, "staithe.process": process})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "staithe"}))
    return resource


def read_parent(headers: Headers) -> Context | None:
    """The span of another program that a request belongs to (W3C Trace Context); None if it names none."""
    carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in TRACE_HEADERS}
    return TraceContextTextMapPropagator().extract(carrier) if carrier else None
