"""The Bulk API's operations: a handler for each pair of operation kind and verb in the table of elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS, DefinitionKey
from staithe.domain.elements import Element, Operation
from staithe.domain.errors import NotFound
from staithe.domain.import_priorities import IMPORT_PRIORITIES, PRIORITIES_BY_ID, ImportPriority
from staithe.domain.item_page import Getters, list_items
from staithe.domain.list_query import PropertyType, read_list_query
from staithe.http.calls import Answer, Call
from staithe.services import assets, contact_fields, definitions, exports, syncs, uploads
from staithe.staging.reject_search import SEARCHABLE as REJECT_PROPERTIES
from staithe.storage.assets import SEARCHABLE as ASSET_PROPERTIES
from staithe.storage.definitions import SEARCHABLE as DEFINITION_PROPERTIES
from staithe.storage.syncs import LOG_SEARCHABLE as LOG_PROPERTIES
from staithe.storage.syncs import SEARCHABLE as SYNC_PROPERTIES
from staithe.wire import bulk as wire

PRIORITY_PROPERTIES: Final = {"name": PropertyType.TEXT, "priority": PropertyType.NUMBER}
PRIORITY_GETTERS: Final[Getters[ImportPriority]] = {"name": lambda p: p.name, "priority": lambda p: p.priority}
Handler = Callable[[Call, Element], Answer]


def list_definitions(kind: str, call: Call, element: Element) -> Answer:
    query = read_list_query(call.parameters, DEFINITION_PROPERTIES)
    found, total, more = definitions.read_page(call.caller, element, kind, query)
    return Answer(200, wire.page_body([wire.definition_body(d) for d in found], query, total, more))


def create_definition(kind: str, call: Call, element: Element) -> Answer:
    properties = wire.read_properties(kind, wire.decode_object(call.body))
    return Answer(201, wire.definition_body(definitions.create(call.caller, element, kind, properties)))


def get_definition(kind: str, call: Call, element: Element) -> Answer:
    return Answer(200, wire.definition_body(*definitions.read(call.caller, element, DefinitionKey(kind, call.id))))


def replace_definition(kind: str, call: Call, element: Element) -> Answer:
    properties = wire.read_properties(kind, wire.decode_object(call.body))
    key = DefinitionKey(kind, call.id)
    return Answer(200, wire.definition_body(*definitions.replace(call.caller, element, key, properties)))


def delete_definition(kind: str, call: Call, element: Element) -> Answer:
    definitions.delete(call.caller, element, DefinitionKey(kind, call.id))
    return Answer(204)


def clear_staged_data(kind: str, call: Call, element: Element) -> Answer:
    definitions.clear_staged_data(call.caller, element, DefinitionKey(kind, call.id))
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
    query = read_list_query(call.parameters, REJECT_PROPERTIES)
    rejects, count = syncs.read_rejected(call.caller, call.id, query)
    more = query.offset + len(rejects) < count
    total = count if query.with_total else None
    return Answer(200, wire.page_body([wire.reject_body(r) for r in rejects], query, total, more))


def clear_sync_data(call: Call, _element: Element) -> Answer:
    exports.delete_of_sync(call.caller, call.id)
    return Answer(204)


def clear_exported_data(call: Call, element: Element) -> Answer:
    exports.delete_of_definition(call.caller, element, call.id)
    return Answer(204)


def get_import_storage(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.storage_body(call.caller.limits.staging_quota_kb, uploads.read_staged_bytes(call.caller)))


def get_export_storage(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.storage_body(call.caller.limits.staging_quota_kb, exports.read_used_bytes(call.caller)))


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


def list_contact_fields(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, contact_fields.SEARCHABLE)
    found, total, more = contact_fields.read_page(call.caller, query)
    return Answer(200, wire.page_body([wire.contact_field_body(f) for f in found], query, total, more))


def get_contact_field(call: Call, _element: Element) -> Answer:
    return Answer(200, wire.contact_field_body(contact_fields.read(call.caller, call.id)))


def list_segments(kind: str, call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, ASSET_PROPERTIES)
    found, total, more = assets.read_page(call.caller, f"contact{kind.lower()}", query)
    return Answer(200, wire.page_body([wire.segment_body(kind, asset) for asset in found], query, total, more))


def get_segment(kind: str, call: Call, _element: Element) -> Answer:
    return Answer(200, wire.segment_body(kind, assets.read(call.caller, f"contact{kind.lower()}", call.id)))


def list_priorities(call: Call, _element: Element) -> Answer:
    query = read_list_query(call.parameters, PRIORITY_PROPERTIES)
    found, total, more = list_items(IMPORT_PRIORITIES, PRIORITY_GETTERS, query)
    return Answer(200, wire.page_body([wire.import_priority_body(p) for p in found], query, total, more))


def get_priority(call: Call, _element: Element) -> Answer:
    found = PRIORITIES_BY_ID.get(call.id)
    if found is None:
        raise NotFound(f"There is no import priority {call.id}.", "GET /imports/priorities lists those that there are.")
    return Answer(200, wire.import_priority_body(found))


def list_none(call: Call, _element: Element) -> Answer:
    """A catalogue of what no company can have yet: it is empty, and clients that look into it go on."""
    query = read_list_query(call.parameters, {"name": PropertyType.TEXT})
    return Answer(200, wire.page_body([], query, 0 if query.with_total else None, False))


def get_none(call: Call, _element: Element) -> Answer:
    raise NotFound(f"There is none with the id {call.id}: this version of Staithe has none of this kind.")


class HandlerRow(Struct, frozen=True):
    """A handler with the name of the schema of the body it takes, and of the one it gives.

    One that `reads_few_rows` finds each of them by its key, however many there are, and reads no file.
    """

    handle: Handler
    takes: str = ""
    gives: str = ""
    reads_few_rows: bool = False


EXTRA_OPERATIONS: Final = (
    # No operation of the Bulk API, but a clean-up script sends it and expects 204 [observed].
    Operation("DELETE", "/syncs/{id}", "", "syncs", "delete", served=True),
)


def definition_handlers(kind: str, schema: str) -> dict[tuple[str, str], HandlerRow]:
    """What every kind of definition offers."""
    return {
        (kind, "list"): HandlerRow(partial(list_definitions, kind), gives=f"{schema}Page"),
        (kind, "create"): HandlerRow(partial(create_definition, kind), schema, schema),
        (kind, "get"): HandlerRow(partial(get_definition, kind), gives=schema),
        (kind, "replace"): HandlerRow(partial(replace_definition, kind), schema, schema),
        (kind, "delete"): HandlerRow(partial(delete_definition, kind)),
    }


HANDLERS: Final[Mapping[tuple[str, str], HandlerRow]] = {
    **definition_handlers(SYNC_ACTIONS, "Definition"),
    **definition_handlers(IMPORTS, "ImportDefinition"),
    **definition_handlers(EXPORTS, "ExportDefinition"),
    (SYNC_ACTIONS, "clear"): HandlerRow(partial(clear_staged_data, SYNC_ACTIONS)),
    (IMPORTS, "clear"): HandlerRow(partial(clear_staged_data, IMPORTS)),
    (EXPORTS, "clear"): HandlerRow(clear_exported_data),
    ("syncs", "list"): HandlerRow(list_syncs, gives="SyncPage"),
    ("syncs", "create"): HandlerRow(create_sync, "SyncRequest", "Sync"),
    ("syncs", "get"): HandlerRow(get_sync, gives="Sync", reads_few_rows=True),
    ("syncs", "delete"): HandlerRow(delete_sync),
    ("syncs", "logs"): HandlerRow(list_log, gives="LogPage"),
    ("syncs", "rejects"): HandlerRow(list_rejects, gives="RejectPage"),
    ("syncs", "clear"): HandlerRow(clear_sync_data),
    ("imports/data", "get"): HandlerRow(get_import_storage, gives="Storage"),
    ("exports/data", "get"): HandlerRow(get_export_storage, gives="Storage"),
    ("fields", "list"): HandlerRow(list_contact_fields, gives="ContactFieldPage"),
    ("fields", "get"): HandlerRow(get_contact_field, gives="ContactFieldItem"),
    ("lists", "list"): HandlerRow(list_contact_lists, gives="ContactListPage"),
    ("lists", "get"): HandlerRow(get_contact_list, gives="ContactListItem"),
    ("segments", "list"): HandlerRow(partial(list_segments, "Segment"), gives="SegmentPage"),
    ("segments", "get"): HandlerRow(partial(get_segment, "Segment"), gives="SegmentItem", reads_few_rows=True),
    ("filters", "list"): HandlerRow(partial(list_segments, "Filter"), gives="SegmentPage"),
    ("filters", "get"): HandlerRow(partial(get_segment, "Filter"), gives="SegmentItem", reads_few_rows=True),
    ("imports/priorities", "list"): HandlerRow(list_priorities, gives="ImportPriorityPage"),
    ("imports/priorities", "get"): HandlerRow(get_priority, gives="ImportPriority"),
    ("emailGroups", "list"): HandlerRow(list_email_groups, gives="EmailGroupPage"),
    ("emailGroups", "get"): HandlerRow(get_email_group, gives="EmailGroupItem", reads_few_rows=True),
}

EMPTY: Final = {"list": HandlerRow(list_none, gives="ItemPage"), "get": HandlerRow(get_none, gives="Item")}
EMPTY_CATALOGUES: Final = (
    ("contacts", "scoring/models"),
    ("accounts", "fields"),
    ("activities", "fields"),
    ("customObjects", ""),
)
"""(element, kind) of catalogues that clients read before anything else, and in which nothing can be yet."""


def find_handler(operation: Operation) -> HandlerRow:
    """What answers an operation."""
    if (operation.element, operation.kind) in EMPTY_CATALOGUES:
        return EMPTY[operation.verb]
    return HANDLERS[operation.kind, operation.verb]
