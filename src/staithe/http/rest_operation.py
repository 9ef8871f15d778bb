"""What an operation of the Application API is, and how it tells what is wrong with a request."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from staithe.domain.errors import RequestError, ValidationFailed
from staithe.http import errors
from staithe.http.calls import Answer, Call
from staithe.wire import rest as wire


class RestOperation(Struct, frozen=True):
    """A method on a path; `takes` and `gives` name the schemas of its bodies, `object_type` what errors are about."""

    method: str
    path: str
    perform: Callable[[Call], Answer]
    object_type: str
    takes: str = ""
    gives: str = ""

    def handle(self, call: Call) -> Answer:
        """Answer a call; what is wrong with its properties or parameters as the Application API says it."""
        try:
            return self.perform(call)
        except ValidationFailed as error:
            if self.method == "GET":
                return Answer(errors.to_status(error), [wire.parameter_error_body(f) for f in error.failures])
            return property_errors(error, self.object_type)


def property_errors(error: ValidationFailed, object_type: str) -> Answer:
    return Answer(errors.to_status(error), [wire.property_error_body(f, object_type) for f in error.failures])


def to_answer(error: RequestError) -> Answer:
    """A refused request: a list of what is wrong with it, or the body that the Bulk API gives too."""
    return property_errors(error, "") if isinstance(error, ValidationFailed) else errors.to_answer(error)
