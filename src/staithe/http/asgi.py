"""Builds the application: routes from the tables, and the rim that every request and answer passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import anyio.to_thread
from litestar import HttpMethod, Litestar, Response, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from staithe.app import App
from staithe.domain.elements import ELEMENTS_BY_NAME, OPERATIONS
from staithe.domain.errors import Failure, RequestError, ValidationFailed
from staithe.http import downloads, errors, health, oauth_authorize, oauth_token, openapi, rest, rest_operation, uploads
from staithe.http.auth import authenticate
from staithe.http.bodies import AnyRequest, BodyWatch, read_object
from staithe.http.bulk import EXTRA_OPERATIONS, find_handler
from staithe.http.calls import Answer, Call, Page, Pieces, read_id, read_parameters
from staithe.http.identity import answer_identity
from staithe.http.metrics import PATH as METRICS_PATH
from staithe.http.metrics import MetricsEndpoint
from staithe.http.observed import ObservedRequest, counted_upload
from staithe.http.paths import canonical_path, spellings
from staithe.observing import lifetime

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Perform = Callable[[Call], Answer]
ToAnswer = Callable[[RequestError], Answer]

COMMON_HEADERS: Final = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"), (b"expires", b"-1"))
BODY_HEADERS: Final = (b"content-length", b"content-type")
BULK_MEDIA_TYPE: Final = "application/json; charset=utf-8"
REST_MEDIA_TYPE: Final = "application/json"


def build_application(app: App) -> AsgiApp:
    """The whole HTTP side of a server as an ASGI application."""
    handlers = [*bulk_routes(app), *rest_routes(app), *public_routes(app)]
    litestar = Litestar(
        handlers,
        exception_handlers={HTTPException: answer_no_route, Exception: answer_fault},
        openapi_config=None,
        request_max_body_size=None,
        logging_config=None,
        on_shutdown=[lifetime.stop],
    )
    paths = [path for handler in handlers for path in handler.paths]
    return Rim(cast(AsgiApp, litestar), paths)


def bulk_routes(app: App) -> list[HTTPRouteHandler]:
    """A route for each operation that is served."""
    made: list[HTTPRouteHandler] = []
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
            answer = partial(answer_call, app, partial_handler(row.handle, element), errors.to_answer)
        made.append(make_route(operation.method, path, answer, BULK_MEDIA_TYPE))
    return made


def partial_handler(handle: Callable[[Call, Any], Answer], element: object) -> Perform:
    return lambda call: handle(call, element)


def rest_routes(app: App) -> list[HTTPRouteHandler]:
    """The Application API's routes."""
    return [
        make_route(o.method, o.path, partial(answer_call, app, o.handle, rest_operation.to_answer), REST_MEDIA_TYPE)
        for o in rest.OPERATIONS
    ]


def public_routes(app: App) -> list[HTTPRouteHandler]:
    """What needs no login, and what says who is logged in."""

    async def answer(make: Callable[[], Answer], _request: AnyRequest) -> Answer:
        return await anyio.to_thread.run_sync(make)

    return [
        make_route("GET", "/id", partial(answer_identity, app), BULK_MEDIA_TYPE),
        make_route("GET", oauth_authorize.PATH, partial(oauth_authorize.ask_consent, app), BULK_MEDIA_TYPE),
        make_route("POST", oauth_authorize.PATH, partial(oauth_authorize.take_consent, app), BULK_MEDIA_TYPE),
        make_route("POST", oauth_token.PATH, partial(oauth_token.give_tokens, app), BULK_MEDIA_TYPE),
        make_route("GET", METRICS_PATH, MetricsEndpoint(app).answer, BULK_MEDIA_TYPE),
        make_route("GET", "/schema", partial(answer, openapi.schema_answer), BULK_MEDIA_TYPE),
        make_route("GET", "/healthz", partial(answer, health.alive), BULK_MEDIA_TYPE),
        make_route("GET", "/readyz", partial(answer, partial(health.ready, app)), BULK_MEDIA_TYPE),
    ]


def make_route(
    method: str, path: str, answer: Callable[[AnyRequest], Awaitable[Answer]], media_type: str
) -> HTTPRouteHandler:
    """A route that answers with what `answer` gives, whatever goes wrong."""

    async def endpoint(request: AnyRequest) -> Response[Any]:
        try:
            given = await answer(request)
        except RequestError as error:
            given = errors.to_answer(error)
        except Exception as error:
            given = errors.fault_answer(error, f"{method} {path}")
        return to_response(given, media_type)

    litestar_path = path.replace("}", ":str}")
    return route(litestar_path, http_method=HttpMethod(method), status_code=200, include_in_schema=False)(endpoint)


async def answer_call(app: App, perform: Perform, to_answer: ToAnswer, request: AnyRequest) -> Answer:
    """Everything but an upload: log in, read the body, and run the handler in a thread."""
    try:
        writes = request.method != "GET"
        header = request.headers.get("authorization")
        caller = await anyio.to_thread.run_sync(partial(authenticate, app, header, writes=writes))
        deadline = asyncio.get_running_loop().time() + app.settings.request_timeout_seconds
        body = await read_object(request, deadline)
        parameters = read_parameters(request.scope["query_string"])
        call = Call(app, caller, read_id(request.path_params), parameters, body)
        return await anyio.to_thread.run_sync(perform, call)
    except RequestError as error:
        return to_answer(error)


def to_response(answer: Answer, media_type: str) -> Response[Any]:
    if isinstance(answer.body, Pieces):
        return Stream(answer.body.pieces, headers=dict(answer.headers), media_type=answer.body.media_type)
    if isinstance(answer.body, Page):
        content, media_type = answer.body.html.encode(), "text/html"
    else:
        content = answer.encoded()
    return Response(
        content,
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type=media_type if answer.body is not None else None,
    )


def answer_no_route(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """No such path, or not with this method, or no request at all: a Host header that names no host."""
    if error.status_code == HTTPStatus.BAD_REQUEST:
        failure = Failure("request", f"Must be well-formed HTTP: {error.detail}.")
        return to_response(errors.to_answer(ValidationFailed(failure)), BULK_MEDIA_TYPE)
    if error.status_code not in (404, 405):
        return answer_fault(request, error)
    return to_response(errors.no_route_answer(error.status_code, request.url.path), BULK_MEDIA_TYPE)


def answer_fault(request: AnyRequest, error: Exception) -> Response[Any]:
    """Something went wrong outside a handler."""
    return to_response(errors.fault_answer(error, request.url.path), BULK_MEDIA_TYPE)


class Rim:
    """Outermost: brings paths to their canonical spelling, puts the headers of every reply on the answer, and observes.

    Before a refusal it reads the rest of the body: many clients send all of it before they look at the answer.
    """

    def __init__(self, inner: AsgiApp, route_paths: Sequence[str]) -> None:
        self.inner = inner
        self.known = spellings(route_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        path = canonical_path(scope["path"], self.known)
        body = BodyWatch(receive)
        inner_scope = {**scope, "path": path, "raw_path": path.encode()}
        observed = ObservedRequest(inner_scope, self.known)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                observed.status = message["status"]
                if message["status"] >= HTTPStatus.BAD_REQUEST:
                    await body.drain()
                has_body = message["status"] not in (204, 304)
                own = [(k, v) for k, v in message["headers"] if has_body or k not in BODY_HEADERS]
                message["headers"] = [*COMMON_HEADERS, *own, (b"x-request-id", observed.id.encode())]
            await send(message)

        with observed:
            await self.inner(inner_scope, body.receive, send_with_headers)
