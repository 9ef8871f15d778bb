"""The Bulk API's operations: a handler for each pair of operation kind and verb in the table of elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from staithe.domain.elements import ELEMENTS, Element, Operation
from staithe.domain.list_query import read_list_query
from staithe.http.calls import Answer, Call
from staithe.services import assets, definitions, syncs, uploads
from staithe.storage.assets import SEARCHABLE as ASSET_PROPERTIES
from staithe.storage.definitions import SEARCHABLE as DEFINITION_PROPERTIES
from staithe.storage.syncs import LOG_SEARCHABLE as LOG_PROPERTIES
from staithe.storage.syncs import SEARCHABLE as SYNC_PROPERTIES
from staithe.wire import bulk as wire

Handler = Callable[[Call, Element], Answer]
ELEMENTS_BY_NAME: Final[Mapping[str, Element]] = {element.name: element for element in ELEMENTS}


def list_definitions(call: Call, element: Element) -> Answer:
    query = read_list_query(call.parameters, DEFINITION_PROPERTIES)
    found, total, more = definitions.read_page(call.caller, element if element.name else None, query)
    return Answer(200, wire.page_body([wire.definition_body(d) for d in found], query, total, more))


def create_definition(call: Call, element: Element) -> Answer:
    properties = wire.definition_properties(wire.decode_object(call.body))
    return Answer(201, wire.definition_body(definitions.create(call.caller, element, properties)))


def get_definition(call: Call, element: Element) -> Answer:
    return Answer(200, wire.definition_body(*definitions.read(call.caller, element, call.id)))


def replace_definition(call: Call, element: Element) -> Answer:
    properties = wire.definition_properties(wire.decode_object(call.body))
    return Answer(200, wire.definition_body(*definitions.replace(call.caller, element, call.id, properties)))


def delete_definition(call: Call, element: Element) -> Answer:
    definitions.delete(call.caller, element, call.id)
    return Answer(204)


def clear_staged_data(call: Call, element: Element) -> Answer:
    definitions.clear_staged_data(call.caller, element, call.id)
    return Answer(204)


def list_syncs(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, SYNC_PROPERTIES)
    found, total, more = syncs.read_page(call.caller, query)
    return Answer(200, wire.page_body([wire.sync_body(s) for s in found], query, total, more))


def create_sync(call: Call, _element: Element) -> Answer:
    properties = wire.canonical_names(wire.decode_object(call.body), wire.SYNC_PROPERTIES)
    return Answer(201, wire.created_sync_body(syncs.create(call.caller, properties)))


def get_sync(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.sync_body(syncs.read(call.caller, call.id)))


def delete_sync(call: Call, _element: Element) -> Answer:
    syncs.delete(call.caller, call.id)
    return Answer(204)


def list_log(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, LOG_PROPERTIES)
    entries, total, more = syncs.read_log(call.caller, call.id, query)
    return Answer(200, wire.page_body([wire.log_body(call.id, e) for e in entries], query, total, more))


def list_rejects(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, {})
    rejects, count = syncs.read_rejected(call.caller, call.id, query)
    more = query.offset + len(rejects) < count
    total = count if query.with_total else None
    return Answer(200, wire.page_body([wire.reject_body(r) for r in rejects], query, total, more))


def refuse_sync_data(call: Call, _element: Element) -> Answer:
    syncs.refuse_data(call.caller, call.id)
    return Answer(204)


def get_import_storage(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.storage_body(call.app.settings.staging_quota_kb, uploads.read_staged_bytes(call.caller)))


def list_contact_lists(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, ASSET_PROPERTIES)
    found, total, more = assets.read_page(call.caller, "contactlist", query)
    sizes = assets.list_sizes(call.caller, [a.id for a in found])
    return Answer(200, wire.page_body([wire.contact_list_body(a, sizes[a.id]) for a in found], query, total, more))


def get_contact_list(call: Call, _element: Element) -> Answer:
    found = assets.read(call.caller, "contactlist", call.id)
    return Answer(200, wire.contact_list_body(found, assets.list_sizes(call.caller, [found.id])[found.id]))


def list_email_groups(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, ASSET_PROPERTIES)
    found, total, more = assets.read_page(call.caller, "emailgroup", query)
    return Answer(200, wire.page_body([wire.email_group_body(a) for a in found], query, total, more))


def get_email_group(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.email_group_body(assets.read(call.caller, "emailgroup", call.id)))


class HandlerRow(Struct, frozen=True):
    """A handler with the name of the schema of the body it takes, and of the one it gives."""

    handle: Handler
    takes: str = ""
    gives: str = ""


EXTRA_OPERATIONS: Final = (
    # No operation of the Bulk API, but a clean-up script sends it and expects 204 [observed].
    Operation("DELETE", "/syncs/{id}", "", "syncs", "delete", served=True),
)

HANDLERS: Final[Mapping[tuple[str, str], HandlerRow]] = {
    ("syncActions", "list"): HandlerRow(list_definitions, gives="DefinitionPage"),
    ("syncActions", "create"): HandlerRow(create_definition, "Definition", "Definition"),
    ("syncActions", "get"): HandlerRow(get_definition, gives="Definition"),
    ("syncActions", "replace"): HandlerRow(replace_definition, "Definition", "Definition"),
    ("syncActions", "delete"): HandlerRow(delete_definition),
    ("syncActions", "clear"): HandlerRow(clear_staged_data),
    ("syncs", "list"): HandlerRow(list_syncs, gives="SyncPage"),
    ("syncs", "create"): HandlerRow(create_sync, "SyncRequest", "Sync"),
    ("syncs", "get"): HandlerRow(get_sync, gives="Sync"),
    ("syncs", "delete"): HandlerRow(delete_sync),
    ("syncs", "logs"): HandlerRow(list_log, gives="LogPage"),
    ("syncs", "rejects"): HandlerRow(list_rejects, gives="RejectPage"),
    ("syncs", "read"): HandlerRow(refuse_sync_data),
    ("syncs", "clear"): HandlerRow(refuse_sync_data),
    ("imports/data", "get"): HandlerRow(get_import_storage, gives="Storage"),
    ("lists", "list"): HandlerRow(list_contact_lists, gives="ContactListPage"),
    ("lists", "get"): HandlerRow(get_contact_list, gives="ContactListItem"),
    ("emailGroups", "list"): HandlerRow(list_email_groups, gives="EmailGroupPage"),
    ("emailGroups", "get"): HandlerRow(get_email_group, gives="EmailGroupItem"),
}
