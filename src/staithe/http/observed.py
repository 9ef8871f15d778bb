"""One request as operators see it: counted, timed, logged and traced. It is the same for every route."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from prometheus_client import Counter, Histogram

from staithe.domain.errors import RequestError
from staithe.http.calls import Answer
from staithe.http.errors import to_status
from staithe.http.requests import Request
from staithe.http.routes import Found
from staithe.http.uploads import read_format
from staithe.observing import metrics, traces
from staithe.observing.fields import add_log_fields, current_fields, log_fields
from staithe.observing.logs import ACCESS

SENT_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""What an `X-Request-Id` that a client sends may be: nothing that could forge a log line or a header."""

METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
OTHER: Final = "other"
NO_ROUTE: Final = "none"
OUTCOMES: Final[Mapping[int, str]] = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    409: "conflict",
    410: "gone",
    413: "too_large",
    429: "too_many",
    503: "busy",
}
"""What becomes of an upload that is refused, by the status of its answer."""

STORED: Final = "stored"
FAILED: Final = "failed"
FORMATS: Final = ("JSON", "CSV")


class ObservedRequest:
    """A request from its first byte to the last of its answer. Whoever answers says the `status`."""

    def __init__(self, request: Request, found: Found, known: Mapping[str, str]) -> None:
        self.request = request
        self.known = known
        self.method = request.method if request.method in METHODS else OTHER
        self.route = found.template_for(request.method) or NO_ROUTE
        """The route that answers, as it is written in the OpenAPI document."""
        self.id = read_request_id(request.scope["headers"])
        self.status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.blocks = ExitStack()
        self.begun = 0.0

    def __enter__(self) -> Self:
        self.begun = time.perf_counter()
        self.blocks.enter_context(log_fields(request_id=self.id))
        self.span = self.blocks.enter_context(traces.span(self.method, "server", self.request.scope["headers"]))
        if self.span.trace_id:
            add_log_fields(trace_id=self.span.trace_id)
        metrics.REQUESTS_RUNNING.inc()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self.begun
        metrics.REQUESTS_RUNNING.dec()
        method, route = self.method, self.route
        count, duration = counts_of(method, route, int(self.status))
        count.inc()
        duration.observe(seconds)
        self.trace_end(method, route)
        self.log_end(method, route, seconds)
        self.blocks.close()

    @property
    def path(self) -> str:
        """The path without what a client has made up, which may be anybody's address."""
        segments = self.request.path.split("/")
        return "/".join(s if not s or s.isdigit() or s.lower() in self.known else "*" for s in segments)

    def trace_end(self, method: str, route: str) -> None:
        span = self.span
        if not span.trace_id:
            return
        span.name(f"{method} {route}")
        span.note(
            http__request__method=method,
            http__route=route,
            http__response__status_code=self.status,
            url__scheme=str(self.request.scope["scheme"]),
            url__path=self.path,
            staithe__request_id=self.id,
        )
        company = current_fields().get("company")
        if company is not None:
            span.note(staithe__company=company)
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.fail(HTTPStatus(self.status).phrase)

    def log_end(self, method: str, route: str, seconds: float) -> None:
        level = logging.WARNING if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        if not ACCESS.isEnabledFor(level):
            return
        fields = {"method": method, "route": route, "path": self.path, "status": self.status}
        ACCESS.log(level, "request answered", extra={**fields, "seconds": round(seconds, 6)})


@cache
def counts_of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """What counts requests with these labels, of which there are few: to look it up anew takes as long as to count."""
    return metrics.REQUESTS.labels(method, route, str(status)), metrics.REQUEST_DURATION.labels(method, route)


def read_request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that the request has, or a new one in the form that Eloqua's have: 32 hex digits, a slash, a number."""
    for name, value in headers:
        if name == b"x-request-id" and SENT_ID.fullmatch(value):
            return value.decode()
    made = int.from_bytes(os.urandom(16))
    return f"{made:032x}/{made % 10**11}"


def counted_upload(answer: Callable[[Request], Awaitable[Answer]]) -> Callable[[Request], Awaitable[Answer]]:
    """Count what becomes of the uploads that `answer` takes."""

    async def count(request: Request) -> Answer:
        outcome = FAILED
        try:
            given = await answer(request)
            outcome = STORED
            return given
        except RequestError as error:
            outcome = OUTCOMES.get(to_status(error), FAILED)
            raise
        finally:
            metrics.UPLOADS.labels(label_format(request), outcome).inc()

    return count


def label_format(request: Request) -> str:
    """The format of an upload."""
    try:
        return read_format(request.headers.get("content-type", ""))
    except RequestError:
        return OTHER
