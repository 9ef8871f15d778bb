"""The OpenAPI 3.1 document, made from the same tables as the routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from msgspec import Struct

from staithe import __version__
from staithe.domain.elements import OPERATIONS
from staithe.domain.limits import DATA_PAGE_RECORDS, PAGE_ITEMS
from staithe.http import app_instances, rest
from staithe.http.bulk import EXTRA_OPERATIONS, find_handler
from staithe.http.calls import Answer
from staithe.http.errors import BULK_ROOT
from staithe.http.openapi_login import LOGIN_PATHS, SECURITY_SCHEMES
from staithe.wire.app_instances import APP_SCHEMAS
from staithe.wire.login_schemas import LOGIN_SCHEMAS
from staithe.wire.rest_schemas import REST_SCHEMAS
from staithe.wire.schemas import SCHEMAS, Schema, refer

LIST_PARAMETERS: Final = (
    ("limit", {"type": "integer", "minimum": 1, "maximum": PAGE_ITEMS, "default": PAGE_ITEMS}),
    ("offset", {"type": "integer", "minimum": 0, "default": 0}),
    ("orderBy", {"type": "string", "examples": ["createdAt DESC"]}),
    ("q", {"type": "string", "examples": ["name=*fair*"]}),
    ("totalResults", {"type": "boolean", "default": True}),
)
DATA_PARAMETERS: Final = (
    ("limit", {"type": "integer", "minimum": 1, "maximum": DATA_PAGE_RECORDS, "default": PAGE_ITEMS}),
    ("offset", {"type": "integer", "minimum": 0, "default": 0}),
    ("totalResults", {"type": "boolean", "default": True}),
)
SEARCH_PARAMETERS: Final = (
    ("count", {"type": "integer", "minimum": 1, "maximum": PAGE_ITEMS, "default": PAGE_ITEMS}),
    ("page", {"type": "integer", "minimum": 1, "default": 1}),
    ("search", {"type": "string", "examples": ["name='My list'"]}),
    ("orderBy", {"type": "string", "examples": ["name ASC"]}),
    ("depth", {"type": "string", "enum": ["minimal", "partial", "complete"]}),
)
UPLOAD_HEADERS: Final = (
    ("Idempotency-Key", {"type": "string", "maxLength": 255}),
    ("Content-Encoding", {"type": "string", "enum": ["gzip", "identity"]}),
)
NUMBER: Final[Schema] = {"type": "integer", "minimum": 1}
IN_PATH: Final[Mapping[str, Schema]] = {
    "id": NUMBER,
    "contactId": NUMBER,
    "groupId": NUMBER,
    "instanceId": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
}
REFUSALS: Final[Mapping[str, str]] = {
    "400": "Something in the request is wrong: `failures` says what.",
    "401": "No login, or a wrong one.",
    "403": "The login's role may only read.",
    "404": "There is no such thing, nor was there.",
    "409": "The present state forbids it.",
    "410": "It was deleted, or has expired.",
    "412": "Something else names it.",
    "413": "The request is too large, or the staging quota is full.",
    "429": "The company is over a limit of its own: see Retry-After.",
    "500": "A fault of the server: the error id stands in its log.",
    "503": "Not now: see Retry-After.",
}
LATER: Final = ("429", "503")
"""The refusals of requests that succeed later as they are."""

RETRY_HEADERS: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
}


class Entry(Struct, frozen=True):
    """An operation as the document shows it."""

    method: str
    path: str
    takes: str
    gives: str
    status: str
    parameters: tuple[tuple[str, Schema], ...] = ()
    headers: tuple[tuple[str, Schema], ...] = ()


def bulk_entries() -> Iterator[Entry]:
    """The served operations of the Bulk API."""
    for operation in (*(o for o in OPERATIONS if o.served), *EXTRA_OPERATIONS):
        path = BULK_ROOT + operation.path
        if operation.verb == "upload":
            yield Entry(operation.method, path, "Records", "Sync", "201", headers=UPLOAD_HEADERS)
            continue
        if operation.verb == "read":
            yield Entry(operation.method, path, "", "ExportedPage", "200", DATA_PARAMETERS)
            continue
        row = find_handler(operation)
        status = {"POST": "201", "DELETE": "204"}.get(operation.method, "200")
        parameters = LIST_PARAMETERS if row.gives.endswith("Page") else ()
        yield Entry(operation.method, path, row.takes, row.gives, status, parameters)


def rest_entries() -> Iterator[Entry]:
    """The operations of the Application API."""
    for operation in rest.OPERATIONS:
        status = "201" if operation.method == "POST" else "200"
        parameters = SEARCH_PARAMETERS if operation.gives.endswith("Search") else ()
        yield Entry(operation.method, operation.path, operation.takes, operation.gives, status, parameters)


def app_entries() -> Iterator[Entry]:
    """The operations of the API of apps."""
    for operation in app_instances.OPERATIONS:
        yield Entry(operation.method, operation.path, operation.takes, operation.gives, "200")


def describe(entry: Entry) -> dict[str, Any]:
    """One operation object."""
    name = "".join(part.strip("{}").title() for part in entry.path.replace(".", "_").split("/"))
    success: dict[str, Any] = {"description": "Done."}
    if entry.gives:
        success["content"] = {"application/json": {"schema": refer(entry.gives)}}
    responses = {entry.status: success} | {status: refusal(entry, status) for status in REFUSALS}
    if entry.takes == "Records":
        responses["204"] = {"description": "Stored; the definition starts no sync by itself."}
    return {
        "operationId": entry.method.lower() + name,
        "parameters": [
            *({"name": n, "in": "path", "required": True, "schema": IN_PATH[n]} for n in named_in(entry.path)),
            *({"name": n, "in": "query", "schema": schema} for n, schema in entry.parameters),
            *({"name": n, "in": "header", "schema": schema} for n, schema in entry.headers),
        ],
        **({"requestBody": request_body(entry.takes)} if entry.takes else {}),
        "responses": responses,
    }


def named_in(path: str) -> list[str]:
    """The names that stand in a path in place of what is asked for."""
    return re.findall(r"{(\w+)}", path)


def request_body(schema: str) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": refer(schema)}}
    if schema == "Records":
        content["text/csv"] = {"schema": {"type": "string", "examples": ["Id\n1\n3\n"]}}
    return {"required": True, "content": content}


def refusal(entry: Entry, status: str) -> dict[str, Any]:
    is_rest = entry.path.startswith(rest.REST_ROOT)
    schema = "Error" if status != "400" else "RestFailures" if is_rest else "Failures"
    schemas = [refer(schema), *([refer("RestFailures"), refer("Error")] if is_rest else [])]
    chosen = {"anyOf": schemas} if is_rest else schemas[0]
    headers = {"headers": RETRY_HEADERS} if status in LATER else {}
    return {"description": REFUSALS[status], **headers, "content": {"application/json": {"schema": chosen}}}


@cache
def build_document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {**LOGIN_PATHS}
    for entry in (*bulk_entries(), *rest_entries(), *app_entries()):
        paths.setdefault(entry.path, {})[entry.method.lower()] = describe(entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Staithe",
            "version": __version__,
            "description": "Eloqua Bulk API 2.0 for contacts, and the Application API that goes with it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{name: []} for name in ("basic", "bearer")],
        "paths": paths,
        "components": {
            "securitySchemes": SECURITY_SCHEMES,
            "schemas": {**SCHEMAS, **REST_SCHEMAS, **APP_SCHEMAS, **LOGIN_SCHEMAS},
        },
    }


def schema_answer() -> Answer:
    """The document as an answer."""
    return Answer(200, build_document())
