"""Traces of requests and syncs: made only if the extra `otel` is installed and the environment names a collector.

Code says `with span(...)`, whether there are traces or not. Which collector, and everything else, is told by
OpenTelemetry's own environment variables.
"""

from __future__ import annotations

import importlib.util
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from staithe.domain.errors import Failure, ValidationFailed
from staithe.observing.spans import Headers, Span, Tracing

COLLECTORS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
CONSOLE: Final = "console"
NONE: Final = "none"
EXPORTERS: Final = ("", "otlp", CONSOLE, NONE)
PACKAGES: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter")

NO_SPAN: Final = nullcontext(Span())


class Active:
    """The tracing of this process, if there is one."""

    tracing: Tracing | None = None


def read_exporter() -> str:
    """The exporter that the environment names: one of `EXPORTERS`.

    Raises:
        ValidationFailed: it is another.
    """
    name = os.environ.get(EXPORTER, "").strip().lower()
    if name not in EXPORTERS:
        raise ValidationFailed(Failure(EXPORTER, f"Must be otlp, console or none, not {name}.", name))
    return name


def is_wanted() -> bool:
    """Whether the environment names a collector, or an exporter of traces.

    Raises:
        ValidationFailed: there is no such exporter.
    """
    if os.environ.get(DISABLED, "").strip().lower() == "true" or read_exporter() == NONE:
        return False
    return bool(read_exporter()) or any(os.environ.get(name, "").strip() for name in COLLECTORS)


def is_installed() -> bool:
    """Whether the extra `otel` is there."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def check_environment() -> None:
    """Find out early whether the traces that are wanted can be made.

    Raises:
        ValidationFailed: they cannot.
    """
    if is_wanted() and not is_installed():
        names = ", ".join(name for name in (*COLLECTORS, EXPORTER) if os.environ.get(name))
        rule = "Must not be set unless the extra for traces is there: pip install 'staithe[otel]'."
        raise ValidationFailed(Failure(names, rule))


def start(process: str) -> None:
    """Record spans from now on, if the environment says where to send them.

    Raises:
        ValidationFailed: there is no such exporter.
    """
    if is_wanted() and is_installed():
        from staithe.observing.otel import OpenTelemetry

        Active.tracing = OpenTelemetry(process, to_console=read_exporter() == CONSOLE)


def stop() -> None:
    """Send what has not been sent, and record nothing more."""
    tracing, Active.tracing = Active.tracing, None
    if tracing is not None:
        tracing.stop()


def span(name: str, role: str = "internal", headers: Headers = ()) -> AbstractContextManager[Span]:
    """A span that lasts as long as its block.

    Args:
        name: what is done; of few different names.
        role: `server` for a request, `consumer` for a sync, `internal` for a part of either.
        headers: of the request, which may say to what trace it belongs.
    """
    return NO_SPAN if Active.tracing is None else Active.tracing.span(name, role, headers)
