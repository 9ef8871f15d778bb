"""The Application API's operations: those on lists, email groups, contact fields and contacts, and all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from msgspec import Struct

from staithe.domain.assets import Asset
from staithe.domain.search_query import Depth, read_depth
from staithe.http.calls import Answer, Call
from staithe.http.rest_empty import empty_operations
from staithe.http.rest_members import contact_body, member_operations
from staithe.http.rest_operation import RestOperation, read_query
from staithe.http.rest_segments import segment_operations
from staithe.http.rest_users import user_operations
from staithe.services import assets, contact_fields, contacts
from staithe.storage.assets import SEARCHABLE as ASSET_PROPERTIES
from staithe.wire import rest as wire
from staithe.wire.bulk import Body

REST_ROOT: Final = "/api/REST"
VERSIONS: Final = ("1.0", "2.0")
"""Clients use both for the same things [observed], and where they differ lies outside of what is served."""


class AssetKind(Struct, frozen=True):
    """What tells contact lists and email groups apart."""

    name: str
    object_type: str
    path: str
    properties: tuple[str, ...]
    to_body: Callable[[Asset, int, Depth], Body]


ASSET_KINDS: Final = (
    AssetKind(assets.CONTACT_LIST, "ContactList", "/assets/contact/list", wire.LIST_PROPERTIES, wire.contact_list_body),
    AssetKind(assets.EMAIL_GROUP, "EmailGroup", "/assets/email/group", wire.GROUP_PROPERTIES, wire.email_group_body),
)


def search_assets(kind: AssetKind, call: Call) -> Answer:
    query = read_query(call, ASSET_PROPERTIES)
    found, total = assets.search(call.caller, kind.name, query)
    bodies = [kind.to_body(asset, size, query.depth) for asset, size in found]
    return Answer(200, wire.page_body(bodies, query, total))


def create_asset(kind: AssetKind, call: Call) -> Answer:
    properties = wire.read_properties(call.body, kind.properties)
    return Answer(201, kind.to_body(*assets.create(call.caller, kind.name, properties), Depth.COMPLETE))


def get_asset(kind: AssetKind, call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    return Answer(200, kind.to_body(*assets.read_sized(call.caller, kind.name, call.id), depth))


def change_asset(kind: AssetKind, call: Call) -> Answer:
    properties = wire.read_properties(call.body, kind.properties)
    return Answer(200, kind.to_body(*assets.change(call.caller, kind.name, call.id, properties), Depth.COMPLETE))


def delete_asset(kind: AssetKind, call: Call) -> Answer:
    assets.delete(call.caller, kind.name, call.id)
    return Answer(200)


def search_contacts(call: Call) -> Answer:
    query = read_query(call, contacts.searchable(call.caller))
    found, total = contacts.search(call.caller, query)
    return Answer(200, wire.page_body([contact_body(view, query.depth) for view in found], query, total))


def create_contact(call: Call) -> Answer:
    return Answer(201, contact_body(contacts.create(call.caller, wire.read_contact_properties(call.body))))


def get_contact(call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    return Answer(200, contact_body(contacts.read(call.caller, call.id), depth))


def change_contact(call: Call) -> Answer:
    return Answer(200, contact_body(contacts.change(call.caller, call.id, wire.read_contact_properties(call.body))))


def delete_contact(call: Call) -> Answer:
    contacts.delete(call.caller, call.id)
    return Answer(200)


def list_memberships(call: Call) -> Answer:
    return Answer(200, [wire.membership_body(a) for a in contacts.read_memberships(call.caller, call.id)])


def search_fields(call: Call) -> Answer:
    query = read_query(call, contact_fields.SEARCHABLE)
    found, total = contact_fields.search(call.caller, query)
    return Answer(200, wire.page_body([wire.contact_field_body(f, query.depth) for f in found], query, total))


def create_field(call: Call) -> Answer:
    properties = wire.read_properties(call.body, wire.FIELD_PROPERTIES)
    return Answer(201, wire.new_contact_field_body(contact_fields.create(call.caller, properties)))


def get_field(call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    return Answer(200, wire.contact_field_body(contact_fields.read(call.caller, call.id), depth))


def change_field(call: Call) -> Answer:
    properties = wire.read_properties(call.body, wire.FIELD_PROPERTIES)
    return Answer(200, wire.contact_field_body(contact_fields.change(call.caller, call.id, properties), Depth.COMPLETE))


def delete_field(call: Call) -> Answer:
    contact_fields.delete(call.caller, call.id)
    return Answer(200)


def asset_operations(root: str) -> Iterator[RestOperation]:
    """The operations on lists and groups."""
    for kind in ASSET_KINDS:
        name, one = kind.object_type, f"{root}{kind.path}/{{id}}"
        yield RestOperation("GET", f"{root}{kind.path}s", partial(search_assets, kind), name, gives=f"{name}Search")
        yield RestOperation("POST", root + kind.path, partial(create_asset, kind), name, f"{name}Request", name)
        yield RestOperation("GET", one, partial(get_asset, kind), name, gives=name)
        yield RestOperation("PUT", one, partial(change_asset, kind), name, f"{name}Request", name)
        yield RestOperation("DELETE", one, partial(delete_asset, kind), name)


def contact_operations(root: str) -> Iterator[RestOperation]:
    """The operations on contacts."""
    one = f"{root}/data/contact/{{id}}"
    yield RestOperation("GET", f"{root}/data/contacts", search_contacts, "Contact", gives="ContactSearch")
    yield RestOperation("POST", f"{root}/data/contact", create_contact, "Contact", "ContactRequest", "Contact")
    yield RestOperation("GET", one, get_contact, "Contact", gives="Contact")
    yield RestOperation("PUT", one, change_contact, "Contact", "ContactRequest", "Contact")
    yield RestOperation("DELETE", one, delete_contact, "Contact")
    yield RestOperation("GET", f"{one}/membership", list_memberships, "Contact", gives="ContactMemberships")


def field_operations(root: str) -> Iterator[RestOperation]:
    """The operations on contact fields."""
    name, one = "ContactField", f"{root}/assets/contact/field/{{id}}"
    yield RestOperation("GET", f"{root}/assets/contact/fields", search_fields, name, gives=f"{name}Search")
    yield RestOperation("POST", f"{root}/assets/contact/field", create_field, name, f"{name}Request", f"New{name}")
    yield RestOperation("GET", one, get_field, name, gives=name)
    yield RestOperation("PUT", one, change_field, name, f"{name}Request", name)
    yield RestOperation("DELETE", one, delete_field, name)


OPERATIONS: Final = tuple(
    operation
    for version in VERSIONS
    for operations in (
        asset_operations,
        segment_operations,
        field_operations,
        contact_operations,
        member_operations,
        user_operations,
        empty_operations,
    )
    for operation in operations(f"{REST_ROOT}/{version}")
)
