"""Bodies of the Application API: ids, counts, times (Unix seconds) and booleans are texts there.

Keys stand in the order of recorded replies, and those without a value are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from staithe.domain.assets import Asset, GroupProperties
from staithe.domain.catalogue import Catalogue
from staithe.domain.companies import Account
from staithe.domain.contact_changes import field_text
from staithe.domain.contact_parts import EMAIL_FORMAT
from staithe.domain.errors import Failure
from staithe.domain.field_changes import UPDATE_TYPES, rest_data_type
from staithe.domain.fields import FIELDS_BY_REST_NAME, Contact, DataType, Field
from staithe.domain.properties import Requirement
from staithe.domain.search_query import USER_PROPERTIES, Depth, SearchQuery
from staithe.domain.times import format_unix
from staithe.wire.bulk import Body, canonical_names, decode_object

LIST_PROPERTIES: Final = ("name", "description", "membershipAdditions", "membershipDeletions")
GROUP_PROPERTIES: Final = (
    "name",
    "description",
    "displayName",
    "isVisibleInOutlookPlugin",
    "isVisibleInPublicSubscriptionList",
)
CONTACT_PROPERTIES: Final = (*FIELDS_BY_REST_NAME, "isSubscribed", "fieldValues")
FIELD_VALUE_PROPERTIES: Final = ("id", "value")

ROOT_FOLDER: Final = "1"
PERMISSIONS: Final = "fullControl"
VERSIONED_PROPERTIES: Final = frozenset({*USER_PROPERTIES, "permissions"})


def read_properties(body: bytes, names: Sequence[str]) -> dict[str, object]:
    """The properties of a request that are known, in canonical spelling.

    Raises:
        ParseFailed: the body is no JSON object.
    """
    return canonical_names(decode_object(body), names)


def read_contact_properties(body: bytes) -> dict[str, object]:
    """The properties of a contact, those of its `fieldValues` in canonical spelling too.

    Raises:
        ParseFailed: the body is no JSON object.
    """
    properties = read_properties(body, CONTACT_PROPERTIES)
    items: Any = properties.get("fieldValues")
    if isinstance(items, list):
        properties["fieldValues"] = [
            canonical_names(item, FIELD_VALUE_PROPERTIES) if isinstance(item, dict) else item for item in items
        ]
    return properties


def format_boolean(value: bool) -> str:
    return "true" if value else "false"


def asset_head(kind: str, asset: Asset, depth: Depth, folder: str = "") -> Body:
    """What lists and groups begin with, at every depth: recorded replies show it whole even at minimal depth."""
    return {
        "type": kind,
        "id": str(asset.id),
        "createdAt": format_unix(asset.created_at),
        "createdBy": asset.created_by,
        "depth": depth.value,
        **({"description": asset.description} if asset.description and depth is not Depth.MINIMAL else {}),
        **({"folderId": folder} if folder else {}),
        "name": asset.name,
        "permissions": PERMISSIONS,
        "updatedAt": format_unix(asset.updated_at),
        "updatedBy": asset.updated_by,
    }


def contact_list_body(asset: Asset, size: int, depth: Depth) -> Body:
    """A contact list with the number of its members."""
    head = asset_head("ContactList", asset, depth, ROOT_FOLDER)
    if depth is Depth.MINIMAL:
        return head
    return {**head, "count": str(size), "dataLookupId": asset.data_lookup_id, "scope": "global"}


def email_group_body(asset: Asset, _size: int, depth: Depth) -> Body:
    """An email group. It has no emails of its own here, so `emailIds` is empty."""
    head = asset_head("EmailGroup", asset, depth)
    if depth is Depth.MINIMAL:
        return head
    properties = msgspec.json.decode(asset.properties, type=GroupProperties)
    return {
        **head,
        **({"displayName": properties.display_name} if properties.display_name else {}),
        "emailIds": [],
        "isVisibleInOutlookPlugin": format_boolean(properties.is_visible_in_outlook_plugin),
        "isVisibleInPublicSubscriptionList": format_boolean(properties.is_visible_in_public_subscription_list),
        "subscriptionListDataLookupId": asset.data_lookup_id,
    }


FIELD_PROPERTIES: Final = ("name", "description", "dataType", "displayType", "internalName", "updateType")


AUDIT_PROPERTIES: Final = ("createdAt", "createdBy", "updatedAt", "updatedBy")


def new_contact_field_body(field: Field) -> Body:
    """A contact field as the answer to its creation shows it: who made it and when is not told [recorded]."""
    body = contact_field_body(field, Depth.COMPLETE)
    return {name: value for name, value in body.items() if name not in AUDIT_PROPERTIES}


def contact_field_body(field: Field, depth: Depth) -> Body:
    """A contact field."""
    update_type = next(name for name, rule in UPDATE_TYPES.items() if rule == field.update_rule)
    return {
        "type": "ContactField",
        "id": str(field.id),
        "createdAt": format_unix(field.created_at),
        **({"createdBy": field.created_by} if field.created_by else {}),
        "depth": depth.value,
        **({"description": field.description} if field.description and depth is not Depth.MINIMAL else {}),
        "name": field.name,
        "updatedAt": format_unix(field.updated_at),
        **({"updatedBy": field.updated_by} if field.updated_by else {}),
        "dataType": rest_data_type(field),
        "displayType": field.display_type,
        "internalName": field.internal_name,
        "isReadOnly": format_boolean(field.is_read_only),
        "isRequired": format_boolean(field.data_type is DataType.EMAIL_ADDRESS),
        "isStandard": format_boolean(field.is_standard),
        "showTrustedVisitorsOnly": "true",
        "updateType": update_type,
    }


def membership_body(contact_list: Asset) -> Body:
    """A list that a contact is on."""
    return {"type": "ContactList", "id": str(contact_list.id), "name": contact_list.name}


def contact_body(
    contact: Contact, catalogue: Catalogue, depth: Depth, *, is_subscribed: bool, is_bounced: bool
) -> Body:
    """A contact: first what every object has, then the rest by name.

    Source: Oracle's page "Request depth" and recorded replies.
    """
    email = contact.text("C_EmailAddress")
    head = {
        "type": "Contact",
        **({"currentStatus": "Awaiting action"} if depth is not Depth.MINIMAL else {}),
        "id": str(contact.id),
        "createdAt": format_unix(contact.created_at),
        "depth": depth.value,
        **({"name": email} if email else {}),
        "updatedAt": format_unix(contact.updated_at),
    }
    if depth is Depth.MINIMAL:
        return {**head, **({"emailAddress": email} if email else {})}
    rest: Body = {name: text for name, field in FIELDS_BY_REST_NAME.items() if (text := field_text(field, contact))}
    rest["emailFormatPreference"] = EMAIL_FORMAT
    rest["isBounceback"] = format_boolean(is_bounced)
    rest["isSubscribed"] = format_boolean(is_subscribed)
    if is_subscribed:
        rest["subscriptionDate"] = format_unix(contact.created_at)
    if depth is Depth.COMPLETE:
        rest["fieldValues"] = field_values(contact, catalogue)
    return {**head, **dict(sorted(rest.items()))}


def field_values(contact: Contact, catalogue: Catalogue) -> list[Body]:
    return [
        {"type": "FieldValue", "id": str(field.id), "value": text}
        for field in catalogue.without_property
        if (text := field_text(field, contact))
    ]


def in_version(body: Body, version: str, user_ids: Mapping[str, str]) -> Body:
    """An object as a version of the API shows it: users by their ids, in both; permissions as one text (1.0 [recorded])
    or as several (2.0 [typed clients]).

    Args:
        body: of an object, in which users have their names.
        version: `1.0` or `2.0`.
        user_ids: of the company, by name in lower case; a name that no user has is left out.
    """
    if VERSIONED_PROPERTIES.isdisjoint(body):
        return body
    shown: dict[str, Any] = {}
    for name, value in body.items():
        if name in USER_PROPERTIES:
            if str(value).lower() in user_ids:
                shown[name] = user_ids[str(value).lower()]
        else:
            shown[name] = [value] if name == "permissions" and version == "2.0" else value
    return shown


def subscription_body(contact_id: int, group: Asset, depth: Depth, *, is_subscribed: bool) -> Body:
    """What a contact is in an email group. Source: the models of public clients."""
    return {
        "type": "ContactEmailSubscription",
        "depth": depth.value,
        "contactId": str(contact_id),
        "emailGroup": {"type": "EmailGroup", "id": str(group.id), "name": group.name},
        "isSubscribed": format_boolean(is_subscribed),
    }


def user_body(account: Account, depth: Depth) -> Body:
    """A user, who has a name alone: that is the login name too, and the email address if it is one."""
    user = account.user
    head = {
        "type": "User",
        "id": str(user.id),
        "createdAt": format_unix(account.created_at),
        "depth": depth.value,
        "name": user.name,
    }
    if depth is Depth.MINIMAL:
        return head
    email = {"emailAddress": user.email_address} if user.email_address else {}
    return {**head, **email, "isDisabled": format_boolean(account.is_disabled), "loginName": user.name}


def page_body(elements: list[Body], query: SearchQuery, total: int) -> Body:
    """The envelope of a search."""
    return {"elements": elements, "page": query.page, "pageSize": query.count, "total": total}


def property_error_body(failure: Failure, object_type: str) -> Body:
    """A wrong property of an object. A value that was not sent shows as empty."""
    return {
        "type": "ObjectValidationError",
        **({"container": {"type": "ObjectKey", "objectType": object_type}} if object_type else {}),
        "property": failure.field,
        **broken_rule(failure),
    }


def parameter_error_body(failure: Failure) -> Body:
    """A wrong query parameter."""
    return {"type": "EndpointParameterError", "parameter": failure.field, **broken_rule(failure)}


def malformed_id_body(name: str, text: str) -> Body:
    """An id in a path that is none [documented]."""
    requirement = {"type": Requirement.ID.value, "isRelativeAllowed": False}
    return {"type": "EndpointParameterError", "parameter": name, "requirement": requirement, "value": text}


def broken_rule(failure: Failure) -> Mapping[str, object]:
    value = "" if failure.value is None else str(failure.value)
    return {"requirement": {"type": failure.requirement or Requirement.SYNTAX.value}, "value": value}
