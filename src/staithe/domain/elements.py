"""The table of elements and operations that routes, the OpenAPI document and the coverage page are made from.

The 172 operations of the Bulk API are one pattern, element x operation kind. `served` says which of them this
version answers; the others are known by name, so that a client is told so instead of "unknown path".
Source: the Bulk API 2.0 contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct


class Operation(Struct, frozen=True):
    """One method on one path below `/api/bulk/2.0`, for one element (`""` for the company-wide ones)."""

    method: str
    path: str
    element: str
    kind: str
    verb: str
    served: bool


class OperationKind(Struct, frozen=True):
    """What one kind of resource offers: (verb, method, path behind the collection)."""

    name: str
    offers: tuple[tuple[str, str, str], ...]


CATALOGUE_OFFERS: Final = (("list", "GET", ""), ("get", "GET", "/{id}"))
DEFINITION_OFFERS: Final = (
    ("list", "GET", ""),
    ("create", "POST", ""),
    ("get", "GET", "/{id}"),
    ("replace", "PUT", "/{id}"),
    ("delete", "DELETE", "/{id}"),
)
UPLOAD_OFFERS: Final = (("upload", "POST", "/{id}/data"), ("clear", "DELETE", "/{id}/data"))
READ_OFFERS: Final = (("read", "GET", "/{id}/data"), ("clear", "DELETE", "/{id}/data"))

IMPORTS: Final = OperationKind("imports", DEFINITION_OFFERS + UPLOAD_OFFERS)
EXPORTS: Final = OperationKind("exports", DEFINITION_OFFERS + READ_OFFERS)
SYNC_ACTIONS: Final = OperationKind("syncActions", DEFINITION_OFFERS + UPLOAD_OFFERS)
FIELDS: Final = OperationKind("fields", CATALOGUE_OFFERS)
LISTS: Final = OperationKind("lists", CATALOGUE_OFFERS)
SEGMENTS: Final = OperationKind("segments", CATALOGUE_OFFERS)
FILTERS: Final = OperationKind("filters", CATALOGUE_OFFERS)
SCORING_MODELS: Final = OperationKind("scoring/models", CATALOGUE_OFFERS)
EMAIL_GROUPS: Final = OperationKind("emailGroups", CATALOGUE_OFFERS)
PRIORITIES: Final = OperationKind("imports/priorities", CATALOGUE_OFFERS)
PARENTS: Final = OperationKind("", CATALOGUE_OFFERS)
STORAGE_OF_IMPORTS: Final = OperationKind("imports/data", (("get", "GET", ""),))
STORAGE_OF_EXPORTS: Final = OperationKind("exports/data", (("get", "GET", ""),))
ALL_IMPORTS: Final = OperationKind("imports", (("list", "GET", ""),))
ALL_EXPORTS: Final = OperationKind("exports", (("list", "GET", ""),))
ALL_SYNC_ACTIONS: Final = OperationKind("syncActions", (("list", "GET", ""),))
SYNCS: Final = OperationKind(
    "syncs",
    (
        ("list", "GET", ""),
        ("create", "POST", ""),
        ("get", "GET", "/{id}"),
        ("logs", "GET", "/{id}/logs"),
        ("rejects", "GET", "/{id}/rejects"),
        ("read", "GET", "/{id}/data"),
        ("clear", "DELETE", "/{id}/data"),
    ),
)


class Element(Struct, frozen=True):
    """What a record can be: its path, the kinds of operation it has, and those that are served.

    `identifiers` are the field statements that may identify a record in a sync action definition.
    An element with `has_parent` stands once for each parent: `customObjects/{parentId}/imports`.
    """

    name: str
    kinds: tuple[OperationKind, ...]
    served: frozenset[str] = frozenset()
    identifiers: tuple[str, ...] = ()
    has_parent: bool = False


CONTACTS: Final = Element(
    "contacts",
    (IMPORTS, EXPORTS, SYNC_ACTIONS, FIELDS, LISTS, SEGMENTS, FILTERS, SCORING_MODELS),
    served=frozenset({"imports", "exports", "syncActions", "fields", "lists", "segments", "filters", "scoring/models"}),
    identifiers=("{{Contact.Id}}", "{{Contact.Field(C_EmailAddress)}}", "{{Contact.Field(ContactIDExt)}}"),
)

ELEMENTS: Final = (
    CONTACTS,
    Element("accounts", (IMPORTS, EXPORTS, SYNC_ACTIONS, FIELDS, LISTS), served=frozenset({"fields"})),
    Element(
        "customObjects", (PARENTS, IMPORTS, EXPORTS, SYNC_ACTIONS, FIELDS), served=frozenset({""}), has_parent=True
    ),
    Element("events", (PARENTS, IMPORTS, EXPORTS, FIELDS), has_parent=True),
    Element("activities", (IMPORTS, EXPORTS, FIELDS), served=frozenset({"fields"})),
    Element("campaignResponses", (IMPORTS, EXPORTS, FIELDS)),
    Element("campaigns", (FIELDS,)),
    Element("opportunities", (IMPORTS, FIELDS)),
    Element("opportunities/contacts", (IMPORTS,)),
    Element("emailAddresses", (IMPORTS,)),
    Element(
        "",
        (
            SYNCS,
            EMAIL_GROUPS,
            ALL_IMPORTS,
            ALL_EXPORTS,
            ALL_SYNC_ACTIONS,
            STORAGE_OF_IMPORTS,
            STORAGE_OF_EXPORTS,
            PRIORITIES,
        ),
        served=frozenset(
            {
                "syncs",
                "emailGroups",
                "imports",
                "exports",
                "syncActions",
                "imports/data",
                "exports/data",
                "imports/priorities",
            }
        ),
    ),
)


ELEMENTS_BY_NAME: Final[Mapping[str, Element]] = {element.name: element for element in ELEMENTS}


def collection_path(element: Element, kind: OperationKind) -> str:
    """The path of a collection below `/api/bulk/2.0`, such as `/contacts/syncActions`."""
    parent = "{parentId}" if element.has_parent and kind is not PARENTS else ""
    return "".join(f"/{part}" for part in (element.name, parent, kind.name) if part)


def all_operations() -> Iterator[Operation]:
    """Every operation of the Bulk API: 172."""
    for element in ELEMENTS:
        for kind in element.kinds:
            for verb, method, rest in kind.offers:
                path = collection_path(element, kind) + rest
                yield Operation(method, path, element.name, kind.name, verb, kind.name in element.served)


OPERATIONS: Final = tuple(all_operations())
