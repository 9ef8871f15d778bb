"""The API by which apps tell of the instances of their services, and by which the app of a decision answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from msgspec import Struct

from staithe.domain.app_instances import SERVICES, read_instance_id
from staithe.domain.errors import NotFound
from staithe.http.calls import Answer, Call, read_id
from staithe.services import app_instances
from staithe.wire import app_instances as wire

ROOT: Final = "/api/cloud/1.0"


class AppOperation(Struct, frozen=True):
    """A method on a path; `takes` and `gives` name the schemas of its bodies."""

    method: str
    path: str
    perform: Callable[[Call], Answer]
    takes: str
    gives: str


def instance_of(call: Call) -> str:
    """The id of the instance that a path names, as 32 hex digits.

    Raises:
        NotFound: it is no id.
    """
    text = call.path["instanceId"]
    instance_id = read_instance_id(text)
    if instance_id is None:
        advice = "The id of an instance is a GUID: 32 hex digits, with dashes or without."
        raise NotFound(f"There is no instance {text}.", advice)
    return instance_id


def get_instance(service: str, call: Call) -> Answer:
    return Answer(200, app_instances.read(call.caller, service, instance_of(call)))


def configure_instance(service: str, call: Call) -> Answer:
    properties = wire.read_properties(call.body)
    return Answer(200, app_instances.configure(call.caller, service, instance_of(call), properties))


def answer_decision(call: Call) -> Answer:
    contact_id = read_id(call.path, "contactId")
    decision = app_instances.decide(call.caller, instance_of(call), contact_id, wire.read_decision(call.body))
    return Answer(200, {"decision": decision})


def operations() -> Iterator[AppOperation]:
    """What apps may call."""
    for service in SERVICES:
        path = f"{ROOT}/{service}/instances/{{instanceId}}"
        yield AppOperation("GET", path, partial(get_instance, service), "", "AppInstance")
        yield AppOperation("PUT", path, partial(configure_instance, service), "AppInstance", "AppInstance")
    contact = f"{ROOT}/decisions/instances/{{instanceId}}/contacts/{{contactId}}"
    yield AppOperation("POST", contact, answer_decision, "Decision", "Decision")


OPERATIONS: Final = tuple(operations())
