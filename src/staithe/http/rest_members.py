"""The Application API's operations on the contacts of lists, segments and filters, and on subscriptions to groups."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from staithe.domain.search_query import Depth, read_depth
from staithe.http.calls import Answer, Call, read_id
from staithe.http.rest_operation import RestOperation, read_query
from staithe.services import contacts, members
from staithe.services.contacts import ContactView
from staithe.services.members import GroupSubscription
from staithe.storage.assets import SEARCHABLE
from staithe.wire import rest as wire
from staithe.wire.bulk import Body

CONTAINERS: Final = (("contactlist", "list"), ("contactsegment", "segment"), ("contactfilter", "filter"))
"""(kind of what has contacts, its name in the path)."""


def contact_body(view: ContactView, depth: Depth = Depth.COMPLETE) -> Body:
    """A contact with its states."""
    states = {"is_subscribed": view.is_subscribed, "is_bounced": view.is_bounced}
    return wire.contact_body(view.contact, view.catalogue, depth, **states)


def subscription_body(found: GroupSubscription, depth: Depth = Depth.COMPLETE) -> Body:
    return wire.subscription_body(found.contact_id, found.group, depth, is_subscribed=found.is_subscribed)


def search_members(kind: str, call: Call) -> Answer:
    query = read_query(call, contacts.searchable(call.caller))
    found, total = members.search(call.caller, kind, call.id, query)
    return Answer(200, wire.page_body([contact_body(view, query.depth) for view in found], query, total))


def search_subscriptions(call: Call) -> Answer:
    query = read_query(call, SEARCHABLE)
    found, total = members.search_subscriptions(call.caller, call.id, query)
    return Answer(200, wire.page_body([subscription_body(s, query.depth) for s in found], query, total))


def get_subscription(call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    found = members.read_subscription(call.caller, call.id, read_id(call.path, "groupId"))
    return Answer(200, subscription_body(found, depth))


def change_subscription(call: Call) -> Answer:
    properties = wire.read_properties(call.body, ("isSubscribed",))
    changed = members.subscribe(call.caller, call.id, read_id(call.path, "groupId"), properties)
    return Answer(200, subscription_body(changed))


def member_operations(root: str) -> Iterator[RestOperation]:
    """The operations on members and subscriptions."""
    for kind, name in CONTAINERS:
        perform = partial(search_members, kind)
        yield RestOperation("GET", f"{root}/data/contacts/{name}/{{id}}", perform, "Contact", gives="ContactSearch")
    name, contact = "ContactEmailSubscription", f"{root}/data/contact/{{id}}/email"
    one = f"{contact}/group/{{groupId}}/subscription"
    yield RestOperation("GET", f"{contact}/groups/subscription", search_subscriptions, name, gives=f"{name}Search")
    yield RestOperation("GET", one, get_subscription, name, gives=name)
    yield RestOperation("PUT", one, change_subscription, name, f"{name}Request", name)
