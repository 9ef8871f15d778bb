"""JSON Schemas of the Bulk API's bodies, by the names the OpenAPI document gives them.

Shapes and limits: the Bulk API contract, corrected by recorded replies (`fields` is an object, and so on).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from staithe.domain.definitions import ImportRule, UpdateRule
from staithe.domain.elements import CONTACTS
from staithe.domain.fields import DataType
from staithe.domain.limits import (
    EXPORT_FIELDS,
    FIELD_NAME_CHARACTERS,
    IMPORT_FIELDS,
    MOST_SYNC_ACTIONS,
    NAME_CHARACTERS,
)

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
TIME: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "readOnly": True,
    "examples": ["2026-03-02T09:15:04.1234560Z"],
}
READ_ONLY_TEXT: Final[Schema] = {"type": "string", "readOnly": True}
AUDIT: Final[Mapping[str, Schema]] = {
    "uri": READ_ONLY_TEXT,
    "createdBy": READ_ONLY_TEXT,
    "createdAt": TIME,
    "updatedBy": READ_ONLY_TEXT,
    "updatedAt": TIME,
}


def make_object(properties: Mapping[str, Schema], required: tuple[str, ...] = (), **more: object) -> Schema:
    """An object schema; unknown properties are allowed, as old clients send some."""
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        **more,
    }


def refer(name: str) -> Schema:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def make_page(item: str) -> Schema:
    """The envelope of a list."""
    properties = {
        "items": {"type": "array", "items": refer(item)},
        "totalResults": COUNT,
        "limit": COUNT,
        "offset": COUNT,
        "count": COUNT,
        "hasMore": {"type": "boolean"},
    }
    return make_object(properties, ("items", "limit", "offset", "count", "hasMore"))


SYNC_ACTION: Final = make_object(
    {
        "action": {"type": "string", "enum": ["add", "remove", "setStatus"], "default": "add"},
        "destination": {
            "type": "string",
            "examples": ["{{ContactList[12]}}", "{{EmailGroup[3]}}", "{{GlobalSubscribe}}"],
        },
        "status": {
            "type": "string",
            "enum": ["subscribed", "unsubscribed", "active", "complete", "errored", "yes", "no"],
        },
        "updateAll": {"type": "boolean"},
    },
    ("destination",),
)

DURATION: Final[Schema] = {"type": "string", "examples": ["P7D", "PT12H"]}
DEFINITION: Final = make_object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS},
        "fields": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": "string", "enum": list(CONTACTS.identifiers)},
            "examples": [{"Id": "{{Contact.Id}}"}],
        },
        "identifierFieldName": {"type": "string", "minLength": 1, "maxLength": FIELD_NAME_CHARACTERS},
        "syncActions": {"type": "array", "minItems": 1, "maxItems": MOST_SYNC_ACTIONS, "items": refer("SyncAction")},
        "isSyncTriggeredOnImport": {"type": "boolean", "default": False},
        "autoDeleteDuration": DURATION,
        "kbUsed": {"type": "integer", "readOnly": True},
        **AUDIT,
    },
    ("fields", "identifierFieldName", "syncActions"),
    description="A definition of sync actions.",
)

UPDATE_RULE: Final[Schema] = {"type": "string", "enum": list(UpdateRule)}


def make_fields(most: int) -> Schema:
    """The fields of an import or an export."""
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": most,
        "additionalProperties": TEXT,
        "examples": [{"Email": "{{Contact.Field(C_EmailAddress)}}", "First": "{{Contact.Field(C_FirstName)}}"}],
    }


SYNC_ACTIONS: Final[Schema] = {"type": "array", "maxItems": MOST_SYNC_ACTIONS, "items": refer("SyncAction")}
IMPORT_DEFINITION: Final = make_object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS},
        "fields": make_fields(IMPORT_FIELDS),
        "identifierFieldName": {"type": "string", "minLength": 1, "maxLength": FIELD_NAME_CHARACTERS},
        "isSyncTriggeredOnImport": {"type": "boolean", "default": False},
        "dataRetentionDuration": DURATION,
        "autoDeleteDuration": DURATION,
        "updateRule": UPDATE_RULE,
        "updateRuleByField": {"type": "object", "additionalProperties": UPDATE_RULE},
        "importRule": {"type": "string", "enum": list(ImportRule)},
        "isUpdatingMultipleMatchedRecords": {"type": "boolean", "default": False},
        "isIdentifierFieldCaseSensitive": {"type": "boolean"},
        "nullIdentifierFieldName": {"type": "boolean"},
        "importPriorityUri": TEXT,
        "syncActions": SYNC_ACTIONS,
        "kbUsed": {"type": "integer", "readOnly": True},
        **AUDIT,
    },
    ("fields", "identifierFieldName"),
    description="A definition of an import.",
)
EXPORT_DEFINITION: Final = make_object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS},
        "fields": make_fields(EXPORT_FIELDS),
        "filter": {"type": "string", "examples": ["'{{Contact.Field(C_Country)}}' = 'NL'"]},
        "maxRecords": {"type": "integer", "minimum": 1},
        "areSystemTimestampsInUTC": {"type": "boolean"},
        "dataRetentionDuration": DURATION,
        "autoDeleteDuration": DURATION,
        "syncActions": SYNC_ACTIONS,
        "kbUsed": {"type": "integer", "readOnly": True},
        **AUDIT,
    },
    ("fields",),
    description="A definition of an export.",
)

SYNC_STATUS: Final[Schema] = {"type": "string", "enum": ["pending", "active", "success", "warning", "error"]}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "SyncAction": SYNC_ACTION,
    "Definition": DEFINITION,
    "DefinitionPage": make_page("Definition"),
    "ImportDefinition": IMPORT_DEFINITION,
    "ImportDefinitionPage": make_page("ImportDefinition"),
    "ExportDefinition": EXPORT_DEFINITION,
    "ExportDefinitionPage": make_page("ExportDefinition"),
    "Exported": {"type": "object", "additionalProperties": TEXT, "description": "An exported record."},
    "ExportedPage": make_page("Exported"),
    "Records": {
        "type": "array",
        "items": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        "examples": [[{"Id": "1"}, {"Id": "3"}]],
    },
    "SyncRequest": make_object(
        {"syncedInstanceUri": {"type": "string", "examples": ["/contacts/syncActions/1"]}, "callbackUrl": TEXT},
        ("syncedInstanceUri",),
    ),
    "Sync": make_object(
        {
            "syncedInstanceUri": TEXT,
            "callbackUrl": TEXT,
            "syncStartedAt": TIME,
            "syncEndedAt": TIME,
            "status": SYNC_STATUS,
            "createdAt": TIME,
            "createdBy": READ_ONLY_TEXT,
            "uri": READ_ONLY_TEXT,
        },
        ("syncedInstanceUri", "status", "createdAt", "createdBy", "uri"),
    ),
    "SyncPage": make_page("Sync"),
    "LogEntry": make_object(
        {
            "syncUri": TEXT,
            "count": COUNT,
            "severity": {"type": "string", "enum": ["information", "warning", "error"]},
            "statusCode": TEXT,
            "message": TEXT,
            "createdAt": TIME,
        },
        ("syncUri", "count", "severity", "statusCode", "message", "createdAt"),
    ),
    "LogPage": make_page("LogEntry"),
    "Reject": make_object(
        {
            "fieldValues": {"type": "object", "additionalProperties": TEXT},
            "message": TEXT,
            "statusCode": TEXT,
            "recordIndex": {"type": "integer", "minimum": 1},
            "invalidFields": {"type": "array", "items": TEXT},
        },
        ("fieldValues", "message", "statusCode", "recordIndex", "invalidFields"),
    ),
    "RejectPage": make_page("Reject"),
    "Storage": make_object({"kbAllowed": COUNT, "kbUsed": COUNT}, ("kbAllowed", "kbUsed")),
    "ContactFieldItem": make_object(
        {
            "name": TEXT,
            "internalName": TEXT,
            "dataType": {"type": "string", "enum": list(DataType)},
            "hasReadOnlyConstraint": {"type": "boolean"},
            "hasNotNullConstraint": {"type": "boolean"},
            "hasUniquenessConstraint": {"type": "boolean"},
            "statement": TEXT,
            **AUDIT,
        },
        ("name", "internalName", "dataType", "statement", "uri"),
    ),
    "ContactFieldPage": make_page("ContactFieldItem"),
    "ContactListItem": make_object(
        {"name": TEXT, "count": COUNT, "statement": TEXT, **AUDIT}, ("name", "count", "statement", "uri")
    ),
    "ContactListPage": make_page("ContactListItem"),
    "SegmentItem": make_object(
        {"name": TEXT, "count": COUNT, "executedAt": TIME, "statement": TEXT, **AUDIT},
        ("name", "count", "statement", "uri"),
    ),
    "SegmentPage": make_page("SegmentItem"),
    "ImportPriority": make_object(
        {"name": TEXT, "priority": {"type": "integer"}, **AUDIT}, ("name", "priority", "uri")
    ),
    "ImportPriorityPage": make_page("ImportPriority"),
    "Item": make_object({"name": TEXT, **AUDIT}),
    "ItemPage": make_page("Item"),
    "EmailGroupItem": make_object({"name": TEXT, "statement": TEXT, **AUDIT}, ("name", "statement", "uri")),
    "EmailGroupPage": make_page("EmailGroupItem"),
    "Failures": make_object(
        {
            "failures": {
                "type": "array",
                "items": make_object({"field": TEXT, "value": {}, "constraint": TEXT}, ("field", "constraint")),
            }
        },
        ("failures",),
        description="What is wrong, one entry a property.",
    ),
    "Error": make_object(
        {"status": {"type": "integer"}, "error": TEXT, "message": TEXT, "advice": TEXT},
        ("status", "error", "message"),
        description="Why the request was refused, and what to do.",
    ),
}
