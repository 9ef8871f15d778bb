"""JSON Schemas of the Application API's bodies, by the names the OpenAPI document gives them.

Ids, counts, times (Unix seconds) and booleans are texts there [recorded replies].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.domain.field_changes import DATA_TYPES, DISPLAY_TYPES, UPDATE_TYPES
from staithe.domain.fields import FIELDS_BY_REST_NAME
from staithe.domain.limits import NAME_CHARACTERS
from staithe.wire.schemas import TEXT, Schema, make_object, refer

TIME_TEXT: Final[Schema] = {"type": "string", "pattern": "^-?[0-9]+$"}
NUMBER_TEXT: Final[Schema] = {"type": "string", "pattern": "^[0-9]+$"}
BOOLEAN_TEXT: Final[Schema] = {"type": "string", "enum": ["true", "false"]}
NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}
IDS: Final[Schema] = {"type": "array", "items": {"type": ["string", "integer"]}}
FIELD_VALUES: Final[Schema] = {
    "type": "array",
    "items": make_object({"type": TEXT, "id": NUMBER_TEXT, "value": {"type": ["string", "null"]}}, ("id",)),
}
OBJECT: Final[Mapping[str, Schema]] = {
    "type": TEXT,
    "id": NUMBER_TEXT,
    "createdAt": TIME_TEXT,
    "depth": {"type": "string", "enum": ["minimal", "partial", "complete"]},
    "updatedAt": TIME_TEXT,
}
ASSET: Final[Mapping[str, Schema]] = {
    **OBJECT,
    "createdBy": TEXT,
    "description": TEXT,
    "name": TEXT,
    "permissions": {
        "anyOf": [TEXT, {"type": "array", "items": TEXT}],
        "description": "A text in 1.0, an array of texts in 2.0.",
    },
    "updatedBy": TEXT,
}
ASSET_REQUIRED: Final = ("type", "id", "createdAt", "depth", "name", "updatedAt")
COUNTED: Final[Mapping[str, Schema]] = {
    **ASSET,
    "folderId": TEXT,
    "count": NUMBER_TEXT,
    "lastCalculatedAt": TIME_TEXT,
}
OBJECTS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
CONTACT_TEXTS: Final[Mapping[str, Schema]] = dict.fromkeys(FIELDS_BY_REST_NAME, TEXT)
FLAGS: Final[Mapping[str, Schema]] = dict.fromkeys(
    ("isVisibleInOutlookPlugin", "isVisibleInPublicSubscriptionList"), BOOLEAN_TEXT
)


FIELD_CHOICES: Final[Mapping[str, Schema]] = {
    "dataType": {"type": "string", "enum": list(DATA_TYPES)},
    "displayType": {"type": "string", "enum": list(DISPLAY_TYPES)},
    "updateType": {"type": "string", "enum": list(UPDATE_TYPES)},
}


FIELD_PROPERTIES: Final[Mapping[str, Schema]] = {
    **FIELD_CHOICES,
    "internalName": TEXT,
    **dict.fromkeys(("isReadOnly", "isRequired", "isStandard", "showTrustedVisitorsOnly"), BOOLEAN_TEXT),
}
NEW_REQUIRED: Final = ("type", "id", "depth", "name")


SEARCH_COUNTS: Final[Mapping[str, Schema]] = {
    name: {"type": "integer", "minimum": 0} for name in ("page", "pageSize", "total")
}


def make_search(element: str) -> Schema:
    """The envelope of a search."""
    elements = {"type": "array", "items": refer(element)}
    return make_object({"elements": elements, **SEARCH_COUNTS}, ("elements", "page", "pageSize", "total"))


REST_SCHEMAS: Final[Mapping[str, Schema]] = {
    "ContactListRequest": make_object(
        {"name": NAME, "description": TEXT, "membershipAdditions": IDS, "membershipDeletions": IDS}, ("name",)
    ),
    "ContactList": make_object(
        {**ASSET, "folderId": TEXT, "count": NUMBER_TEXT, "dataLookupId": TEXT, "scope": TEXT}, ASSET_REQUIRED
    ),
    "ContactListSearch": make_search("ContactList"),
    "EmailGroupRequest": make_object({"name": NAME, "description": TEXT, "displayName": TEXT, **FLAGS}, ("name",)),
    "EmailGroup": make_object(
        {
            **ASSET,
            "displayName": TEXT,
            "emailIds": {"type": "array", "items": TEXT},
            **FLAGS,
            "subscriptionListDataLookupId": TEXT,
        },
        ASSET_REQUIRED,
    ),
    "EmailGroupSearch": make_search("EmailGroup"),
    "ContactSegmentRequest": make_object({"name": NAME, "description": TEXT, "elements": OBJECTS}, ("name",)),
    "ContactSegment": make_object({**COUNTED, "elements": OBJECTS}, ASSET_REQUIRED),
    "ContactSegmentSearch": make_search("ContactSegment"),
    "ContactFilterRequest": make_object(
        {"name": NAME, "description": TEXT, "criteria": OBJECTS, "statement": TEXT}, ("name", "criteria")
    ),
    "ContactFilter": make_object({**COUNTED, "criteria": OBJECTS, "statement": TEXT, "scope": TEXT}, ASSET_REQUIRED),
    "ContactFilterSearch": make_search("ContactFilter"),
    "ContactFieldRequest": make_object({"name": NAME, "description": TEXT, **FIELD_CHOICES}, ("name",)),
    "ContactField": make_object({**ASSET, **FIELD_PROPERTIES}, ASSET_REQUIRED),
    "NewContactField": make_object(
        {name: ASSET[name] for name in NEW_REQUIRED} | {"description": TEXT, **FIELD_PROPERTIES}, NEW_REQUIRED
    ),
    "ContactFieldSearch": make_search("ContactField"),
    "ContactRequest": make_object(
        {**CONTACT_TEXTS, "isSubscribed": BOOLEAN_TEXT, "fieldValues": FIELD_VALUES},
        ("emailAddress",),
    ),
    "Contact": make_object(
        {
            **OBJECT,
            "currentStatus": TEXT,
            "name": TEXT,
            **CONTACT_TEXTS,
            "emailFormatPreference": TEXT,
            "isBounceback": BOOLEAN_TEXT,
            "isSubscribed": BOOLEAN_TEXT,
            "subscriptionDate": NUMBER_TEXT,
            "fieldValues": FIELD_VALUES,
        },
        ("type", "id", "createdAt", "depth", "updatedAt"),
    ),
    "ContactSearch": make_search("Contact"),
    "ContactMemberships": {
        "type": "array",
        "items": make_object({"type": TEXT, "id": NUMBER_TEXT, "name": TEXT}, ("type", "id", "name")),
    },
    "ContactEmailSubscriptionRequest": make_object({"isSubscribed": BOOLEAN_TEXT}, ("isSubscribed",)),
    "ContactEmailSubscription": make_object(
        {
            "type": TEXT,
            "depth": OBJECT["depth"],
            "contactId": NUMBER_TEXT,
            "emailGroup": make_object({"type": TEXT, "id": NUMBER_TEXT, "name": TEXT}, ("type", "id", "name")),
            "isSubscribed": BOOLEAN_TEXT,
        },
        ("type", "contactId", "emailGroup", "isSubscribed"),
    ),
    "ContactEmailSubscriptionSearch": make_search("ContactEmailSubscription"),
    "User": make_object(
        {
            "type": TEXT,
            "id": NUMBER_TEXT,
            "createdAt": TIME_TEXT,
            "depth": OBJECT["depth"],
            "name": TEXT,
            "emailAddress": TEXT,
            "isDisabled": BOOLEAN_TEXT,
            "loginName": TEXT,
        },
        ("type", "id", "createdAt", "depth", "name"),
    ),
    "UserSearch": make_search("User"),
    "EmptySearch": make_object(
        {**SEARCH_COUNTS, "elements": {"type": "array", "maxItems": 0}}, ("elements", "page", "pageSize", "total")
    ),
    "RestFailures": {
        "type": "array",
        "items": make_object(
            {
                "type": TEXT,
                "container": make_object({"type": TEXT, "objectType": TEXT}),
                "property": TEXT,
                "parameter": TEXT,
                "requirement": make_object({"type": TEXT, "isRelativeAllowed": {"type": "boolean"}}, ("type",)),
                "value": TEXT,
            },
            ("type", "requirement"),
        ),
        "description": "What is wrong, one entry a property or parameter.",
    },
}
