"""Builds the application: routes from the tables, and the rim that every request and answer passes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import anyio.to_thread

from staithe.app import App
from staithe.domain.elements import ELEMENTS_BY_NAME, OPERATIONS
from staithe.domain.errors import Failure, RequestError, ValidationFailed
from staithe.http import (
    app_instances,
    downloads,
    errors,
    health,
    oauth_authorize,
    oauth_token,
    observed_guesses,
    openapi,
    rest,
    rest_operation,
    uploads,
)
from staithe.http.auth import authenticate
from staithe.http.bodies import read_object, refuse_form
from staithe.http.bulk import EXTRA_OPERATIONS, find_handler
from staithe.http.calls import Answer, Call, read_id, read_parameters
from staithe.http.identity import answer_identity
from staithe.http.metrics import PATH as METRICS_PATH
from staithe.http.metrics import MetricsEndpoint
from staithe.http.observed import ObservedRequest, counted_upload
from staithe.http.paths import canonical_path, spellings
from staithe.http.requests import Receive, Request, Scope
from staithe.http.routes import Found, Route, RouteTable
from staithe.http.sending import Send, send_answer
from staithe.observing import lifetime

Perform = Callable[[Call], Answer]
ToAnswer = Callable[[RequestError], Answer]

BULK_MEDIA_TYPE: Final = "application/json; charset=utf-8"
REST_MEDIA_TYPE: Final = "application/json"
READING: Final = ("GET", "HEAD")
HOST: Final = re.compile(r"[A-Za-z0-9!$&'()*+,;=\-._~:\[\]@%]*")
"""The characters that a Host header can have (RFC 3986, section 3.2)."""


def build_application(app: App) -> Rim:
    """The whole HTTP side of a server as an ASGI application."""
    observed_guesses.observe(app.logins.guesses)
    routes = [*bulk_routes(app), *rest_routes(app), *app_routes(app), *public_routes(app)]
    return Rim(routes, app.settings.request_timeout_seconds)


def bulk_routes(app: App) -> list[Route]:
    """A route for each operation that is served."""
    made: list[Route] = []
    gate = uploads.UploadGate(app.settings.most_uploads)
    for operation in (*(o for o in OPERATIONS if o.served), *EXTRA_OPERATIONS):
        element = ELEMENTS_BY_NAME[operation.element]
        path = errors.BULK_ROOT + operation.path
        if operation.verb == "upload":
            answer = counted_upload(partial(uploads.receive_upload, app, element, operation.kind, gate))
        elif operation.verb == "read":
            answer = partial(downloads.send_data, app, element)
        else:
            row = find_handler(operation)
            perform = partial_handler(row.handle, element)
            at_once = row.reads_few_rows and not app.stores.databases.is_shared
            answer = partial(answer_call, app, perform, errors.to_answer, at_once=at_once)
        made.append(Route(operation.method, path, answer, BULK_MEDIA_TYPE))
    return made


def partial_handler(handle: Callable[[Call, Any], Answer], element: object) -> Perform:
    return lambda call: handle(call, element)


def rest_routes(app: App) -> list[Route]:
    """The Application API's routes."""
    return [
        Route(o.method, o.path, partial(answer_call, app, o.handle, rest_operation.to_answer), REST_MEDIA_TYPE)
        for o in rest.OPERATIONS
    ]


def app_routes(app: App) -> list[Route]:
    """The routes of the API of apps: errors are those of the Bulk API."""
    return [
        Route(o.method, o.path, partial(answer_call, app, o.perform, errors.to_answer), BULK_MEDIA_TYPE)
        for o in app_instances.OPERATIONS
    ]


def public_routes(app: App) -> list[Route]:
    """What needs no login, and what says who is logged in."""

    async def answer(make: Callable[[], Answer], _request: Request) -> Answer:
        return await anyio.to_thread.run_sync(make)

    rows: Sequence[tuple[str, str, Callable[[Request], Awaitable[Answer]]]] = (
        ("GET", "/id", partial(answer_identity, app)),
        ("GET", oauth_authorize.PATH, partial(oauth_authorize.ask_consent, app)),
        ("POST", oauth_authorize.PATH, partial(oauth_authorize.take_consent, app)),
        ("POST", oauth_token.PATH, partial(oauth_token.answer_client, app, oauth_token.give_tokens)),
        ("POST", oauth_token.REVOKE_PATH, partial(oauth_token.answer_client, app, oauth_token.revoke_token)),
        ("GET", METRICS_PATH, MetricsEndpoint(app).answer),
        ("GET", "/schema", partial(answer, openapi.schema_answer)),
        ("GET", "/healthz", partial(answer, health.alive)),
        ("GET", "/readyz", partial(answer, partial(health.ready, app))),
    )
    return [Route(method, path, endpoint, BULK_MEDIA_TYPE) for method, path, endpoint in rows]


async def answer_call(
    app: App, perform: Perform, to_answer: ToAnswer, request: Request, *, at_once: bool = False
) -> Answer:
    """Everything but an upload: log in, read the body, and run the handler in a thread.

    With `at_once` the handler runs on the event loop: it reads a few rows of a file by their keys, in a tenth of a
    millisecond. A thread would take five times as long, since both fight for the interpreter at each step of SQLite.
    """
    try:
        refuse_form(request)
        caller = await authenticate(app, request, writes=request.method not in READING)
        deadline = asyncio.get_running_loop().time() + app.settings.request_timeout_seconds
        body = await read_object(request, deadline)
        in_path = request.path_parameters
        call = Call(app, caller, read_id(in_path), read_parameters(request.query), body, in_path)
        return perform(call) if at_once else await anyio.to_thread.run_sync(perform, call)
    except RequestError as error:
        return to_answer(error)


class Rim:
    """What every request passes: its path is brought to its canonical spelling, it is observed, and it is answered.

    Before a refusal the rest of the body is read: many clients send all of it before they look at the answer.

    Args:
        routes: all of them.
        timeout_seconds: how long a body may take, also one that is not wanted.
    """

    def __init__(self, routes: Sequence[Route], timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.known = spellings(route.path for route in routes)
        self.table = RouteTable(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
            return
        begun = asyncio.get_running_loop().time()
        path = canonical_path(scope["path"], self.known)
        found = self.table.find(path)
        request = Request(scope, path, found.parameters, receive)
        route = found.route_for(request.method)
        with ObservedRequest(request, found, self.known) as observed:
            answer = await self.answer(request, found, route)
            observed.status = answer.status
            if answer.status >= HTTPStatus.BAD_REQUEST:
                await request.drain(begun + self.timeout_seconds)
            media_type = BULK_MEDIA_TYPE if route is None else route.media_type
            await send_answer(send, request, answer, media_type, observed.id)

    async def answer(self, request: Request, found: Found, route: Route | None) -> Answer:
        """The answer to a request, whatever goes wrong."""
        hosts = [value for name, value in request.scope["headers"] if name == b"host"]
        # HTTP/1.0 knows no Host (RFC 9112, 3.2).
        if len(hosts) > 1 or not (hosts or request.scope["http_version"] == "1.0"):
            failure = Failure("request", "Must be well-formed HTTP: one Host header.")
            return errors.to_answer(ValidationFailed(failure))
        if not HOST.fullmatch(request.headers.get("host", "")):
            failure = Failure("request", "Must be well-formed HTTP: Invalid host header.")
            return errors.to_answer(ValidationFailed(failure))
        if route is None:
            return answer_no_route(request, found)
        try:
            return await route.answer(request)
        except RequestError as error:
            return errors.to_answer(error)
        except Exception as error:
            what = f"{request.method} {route.path}"
            return errors.fault_answer(error, what, may_have_stored=request.method not in READING)


def answer_no_route(request: Request, found: Found) -> Answer:
    """No such path, or not with this method; OPTIONS asks which methods there are."""
    if not found.routes:
        return errors.no_path_answer(request.path)
    if request.method == "OPTIONS":
        return Answer(HTTPStatus.NO_CONTENT, headers={"Allow": found.allow})
    return errors.no_method_answer(request.path, found.allow)


async def live(receive: Receive, send: Send) -> None:
    """Answer the server that tells when the process begins and ends to serve."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            lifetime.stop()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
