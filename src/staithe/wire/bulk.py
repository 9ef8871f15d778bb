"""Bodies of the Bulk API. Keys stand in the order of recorded replies, and those without a value are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from staithe.domain.assets import Asset
from staithe.domain.codes import REJECT_REASONS
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS, StoredDefinition
from staithe.domain.errors import Failure, ParseFailed, ValidationFailed
from staithe.domain.fields import BUILT_IN_AT, DataType, Field
from staithe.domain.identifiers import NUL
from staithe.domain.import_priorities import ImportPriority
from staithe.domain.list_query import ListQuery
from staithe.domain.sync_actions import SyncAction
from staithe.domain.syncs import LogEntry, Reject, Sync, SyncStatus
from staithe.domain.times import format_time

Body = dict[str, Any]

IMPORT_PROPERTIES: Final[Mapping[str, str]] = {
    "name": "name",
    "fields": "fields",
    "identifierFieldName": "identifier_field_name",
    "syncActions": "sync_actions",
    "isSyncTriggeredOnImport": "is_sync_triggered_on_import",
    "dataRetentionDuration": "data_retention_duration",
    "autoDeleteDuration": "auto_delete_duration",
    "updateRule": "update_rule",
    "updateRuleByField": "update_rule_by_field",
    "importRule": "import_rule",
    "isUpdatingMultipleMatchedRecords": "is_updating_multiple_matched_records",
    "isIdentifierFieldCaseSensitive": "is_identifier_field_case_sensitive",
    "nullIdentifierFieldName": "null_identifier_field_name",
    "importPriorityUri": "import_priority_uri",
}
EXPORT_PROPERTIES: Final[Mapping[str, str]] = {
    "name": "name",
    "fields": "fields",
    "filter": "filter",
    "maxRecords": "max_records",
    "syncActions": "sync_actions",
    "areSystemTimestampsInUTC": "are_system_timestamps_in_utc",
    "dataRetentionDuration": "data_retention_duration",
    "autoDeleteDuration": "auto_delete_duration",
}
DEFINITION_PROPERTIES: Final[Mapping[str, Mapping[str, str]]] = {
    SYNC_ACTIONS: {
        name: IMPORT_PROPERTIES[name]
        for name in (
            "name",
            "fields",
            "identifierFieldName",
            "syncActions",
            "isSyncTriggeredOnImport",
            "autoDeleteDuration",
        )
    },
    IMPORTS: IMPORT_PROPERTIES,
    EXPORTS: EXPORT_PROPERTIES,
}
"""Kind of definition -> (property on the wire -> attribute inside), in the order of recorded replies."""

SYNC_ACTION_PROPERTIES: Final = ("action", "destination", "status", "updateAll")
SYNC_PROPERTIES: Final = ("syncedInstanceUri", "callbackUrl")


ESCAPED_NUL: Final = b"\\u0000"
NUL_RULE: Final = "Must not contain the character NUL (U+0000)."
MOST_DEPTH: Final = 64
TOO_DEEP: Final = f"Must be a JSON object of at most {MOST_DEPTH} levels."


def decode_object(body: bytes) -> Mapping[str, object]:
    """A JSON object, as any client sends it.

    Raises:
        ParseFailed: it is not JSON, or not an object.
    """
    try:
        decoded = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseFailed(f"Must be a JSON object: {str(error)[0].lower()}{str(error)[1:]}.") from None
    except RecursionError:
        raise ParseFailed(TOO_DEEP) from None
    if not isinstance(decoded, dict):
        raise ParseFailed("Must be a JSON object.")
    refuse_depth(decoded)
    if ESCAPED_NUL in body:
        refuse_nul("body", decoded)
    return decoded


def refuse_depth(value: object) -> None:
    """Let nothing in that is nested so deeply that whoever walks through it may fail.

    Raises:
        ParseFailed: it is.
    """
    level = [value]
    for _ in range(MOST_DEPTH):
        dicts = (inner.values() for inner in level if isinstance(inner, dict))
        lists = (inner for inner in level if isinstance(inner, list))
        level = list(chain.from_iterable(chain(dicts, lists)))
        if not level:
            return
    raise ParseFailed(TOO_DEEP)


def refuse_nul(name: str, value: object) -> None:
    """Let no text with the character NUL in: not every database can hold one, so none is given any.

    Raises:
        ValidationFailed: there is one, in a name or in a value.
    """
    if isinstance(value, str) and NUL in value:
        raise ValidationFailed(Failure(name, NUL_RULE, value))
    if isinstance(value, list):
        for item in value:
            refuse_nul(name, item)
    if isinstance(value, dict):
        for key, item in value.items():
            refuse_nul(name, key)
            refuse_nul(str(key), item)


def canonical_names(body: Mapping[str, object], names: Sequence[str]) -> dict[str, object]:
    """The properties that are known, in canonical spelling: clients send them in any case [observed]."""
    by_folded = {name.lower(): name for name in names}
    found = {by_folded[key.lower()]: value for key, value in body.items() if key.lower() in by_folded}
    return found | {name: body[name] for name in names if name in body}


def read_properties(kind: str, body: Mapping[str, object]) -> dict[str, object]:
    """What a definition of a kind is made of, in canonical spelling."""
    properties = canonical_names(body, tuple(DEFINITION_PROPERTIES[kind]))
    actions = properties.get("syncActions")
    entries: list[Any] = actions if isinstance(actions, list) else [actions]
    if actions is not None:
        properties["syncActions"] = [
            canonical_names(entry, SYNC_ACTION_PROPERTIES) if isinstance(entry, dict) else entry for entry in entries
        ]
    return properties


def audit(stored: StoredDefinition | Asset) -> Body:
    return {
        "createdBy": stored.created_by,
        "createdAt": format_time(stored.created_at),
        "updatedBy": stored.updated_by,
        "updatedAt": format_time(stored.updated_at),
    }


def definition_body(stored: StoredDefinition, used_bytes: int = 0) -> Body:
    """A definition; `kbUsed` only when data is kept for it."""
    return {
        **definition_properties(stored),
        **({"kbUsed": kilobytes(used_bytes)} if used_bytes else {}),
        "uri": stored.uri,
        **audit(stored),
    }


def definition_properties(stored: StoredDefinition) -> Body:
    """The properties that a client can set, those without a value left out."""
    properties: Body = {}
    for name, attribute in DEFINITION_PROPERTIES[stored.key.kind].items():
        value = getattr(stored.definition, attribute)
        if name == "syncActions":
            value = [sync_action_body(action) for action in value] or None
        if value is not None:
            properties[name] = msgspec.to_builtins(value)
    return properties


def sync_action_body(action: SyncAction) -> Body:
    """One sync action, as it was sent."""
    return {
        "action": action.action,
        "destination": action.destination,
        **({"status": action.status} if action.status is not None else {}),
        **({"updateAll": action.update_all} if action.update_all is not None else {}),
    }


def sync_body(sync: Sync) -> Body:
    """A sync."""
    return {
        "syncedInstanceUri": sync.definition_uri,
        **({"callbackUrl": sync.callback_url} if sync.callback_url else {}),
        **({"syncStartedAt": format_time(sync.started_at)} if sync.started_at is not None else {}),
        **({"syncEndedAt": format_time(sync.ended_at)} if sync.ended_at is not None else {}),
        "status": sync.status.value,
        "createdAt": format_time(sync.created_at),
        "createdBy": sync.created_by,
        "uri": f"/syncs/{sync.id}",
    }


def created_sync_body(sync: Sync) -> Body:
    """A sync as its creation answers: pending, however far it has come meanwhile [clients rely on it]."""
    return sync_body(msgspec.structs.replace(sync, status=SyncStatus.PENDING, started_at=None, ended_at=None))


def log_body(sync_id: int, entry: LogEntry) -> Body:
    """A line of a sync log."""
    return {
        "syncUri": f"/syncs/{sync_id}",
        "count": entry.count,
        "severity": entry.severity.value,
        "statusCode": entry.code,
        "message": entry.message,
        "createdAt": format_time(entry.created_at),
    }


def reject_body(reject: Reject) -> Body:
    """A rejected record."""
    reason = REJECT_REASONS[reject.reason]
    return {
        "fieldValues": dict(reject.field_values),
        "message": reason.text_of_reject,
        "statusCode": reason.code,
        "recordIndex": reject.record_index,
        "invalidFields": list(reject.invalid_fields),
    }


def contact_field_body(field: Field) -> Body:
    """A contact field in the catalogue; who made it is shown only of fields that a company made [observed]."""
    return {
        "name": field.name,
        "internalName": field.internal_name,
        "dataType": field.data_type.value,
        "hasReadOnlyConstraint": field.is_read_only,
        "hasNotNullConstraint": field.data_type is DataType.EMAIL_ADDRESS,
        "hasUniquenessConstraint": field.data_type is DataType.EMAIL_ADDRESS,
        "statement": field.statement,
        "uri": f"/contacts/fields/{field.id}",
        **({"createdBy": field.created_by} if field.created_by else {}),
        "createdAt": format_time(field.created_at),
        **({"updatedBy": field.updated_by} if field.updated_by else {}),
        "updatedAt": format_time(field.updated_at),
    }


def contact_list_body(contact_list: Asset, size: int) -> Body:
    """A contact list in the catalogue."""
    return {
        "name": contact_list.name,
        "count": size,
        "statement": f"{{{{ContactList[{contact_list.id}]}}}}",
        "uri": f"/contacts/lists/{contact_list.id}",
        **audit(contact_list),
    }


def segment_body(kind: str, asset: Asset) -> Body:
    """A segment (`Segment`) or a filter (`Filter`) in the catalogue: how many it had, and when that was counted."""
    return {
        "name": asset.name,
        "count": asset.size,
        "executedAt": format_time(asset.executed_at),
        "statement": f"{{{{Contact{kind}[{asset.id}]}}}}",
        "uri": f"/contacts/{kind.lower()}s/{asset.id}",
        **audit(asset),
    }


def import_priority_body(priority: ImportPriority) -> Body:
    """An import priority; who made it is not shown, as nobody did."""
    return {
        "name": priority.name,
        "priority": priority.priority,
        "uri": priority.uri,
        "createdAt": format_time(BUILT_IN_AT),
        "updatedAt": format_time(BUILT_IN_AT),
    }


def email_group_body(group: Asset) -> Body:
    """An email group in the catalogue."""
    return {
        "name": group.name,
        "statement": f"{{{{EmailGroup[{group.id}]}}}}",
        "uri": f"/emailGroups/{group.id}",
        **audit(group),
    }


def storage_body(allowed_kb: int, used_bytes: int) -> Body:
    """The company's staging quota."""
    return {"kbAllowed": allowed_kb, "kbUsed": kilobytes(used_bytes)}


def kilobytes(size: int) -> int:
    """Bytes as kB, rounded up: something staged never shows as nothing."""
    return -(-size // 1024)


def page_body(items: list[Body], query: ListQuery, total: int | None, has_more: bool) -> Body:
    """The envelope of a list; without `totalResults` if that was not wanted."""
    return {
        "items": items,
        **({"totalResults": total} if total is not None else {}),
        "limit": query.limit,
        "offset": query.offset,
        "count": len(items),
        "hasMore": has_more,
    }
