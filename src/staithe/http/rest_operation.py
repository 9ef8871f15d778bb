"""What an operation of the Application API is, and how it tells what is wrong with a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from staithe.domain.errors import MalformedId, RequestError, ValidationFailed
from staithe.domain.list_query import PropertyType
from staithe.domain.search_query import SearchQuery, read_search_query
from staithe.http import errors
from staithe.http.calls import Answer, Call
from staithe.services import users
from staithe.wire import rest as wire


class RestOperation(Struct, frozen=True):
    """A method on a path; `takes` and `gives` name the schemas of its bodies, `object_type` what errors are about."""

    method: str
    path: str
    perform: Callable[[Call], Answer]
    object_type: str
    takes: str = ""
    gives: str = ""

    @property
    def version(self) -> str:
        """`1.0` or `2.0`."""
        return self.path.split("/")[3]

    def handle(self, call: Call) -> Answer:
        """Answer a call; what is wrong with its properties or parameters as the Application API says it."""
        try:
            return in_version(call, self.version, self.perform(call))
        except ValidationFailed as error:
            if self.method == "GET":
                return Answer(errors.to_status(error), [wire.parameter_error_body(f) for f in error.failures])
            return property_errors(error, self.object_type)


def in_version(call: Call, version: str, answer: Answer) -> Answer:
    """An answer as a version of the API shows it, and with the ids of users."""
    body: Any = answer.body
    if not isinstance(body, dict):
        return answer
    ids = users.ids_by_name(call.caller)
    if "total" in body:
        shown = {**body, "elements": [wire.in_version(element, version, ids) for element in body["elements"]]}
    else:
        shown = wire.in_version(body, version, ids)
    return Answer(answer.status, shown, answer.headers)


def read_query(call: Call, properties: Mapping[str, PropertyType]) -> SearchQuery:
    """The parameters of a search, in which users are named.

    Raises:
        ValidationFailed: a value cannot be used.
    """
    return users.by_names(call.caller, read_search_query(call.parameters, properties))


def property_errors(error: ValidationFailed, object_type: str) -> Answer:
    return Answer(errors.to_status(error), [wire.property_error_body(f, object_type) for f in error.failures])


def to_answer(error: RequestError) -> Answer:
    """A refused request: a list of what is wrong with it, or the body that the Bulk API gives too."""
    if isinstance(error, MalformedId):
        return Answer(HTTPStatus.BAD_REQUEST, [wire.malformed_id_body(error.name, error.text)])
    return property_errors(error, "") if isinstance(error, ValidationFailed) else errors.to_answer(error)
