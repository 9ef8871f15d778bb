"""What a request of the Application API changes of a contact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.fields import FIELDS_BY_REST_NAME, Contact, DataType, Field, FieldValue
from staithe.domain.identifiers import EMAIL_CHARACTERS, WHITE_SPACE, is_email_address, normal_email
from staithe.domain.limits import SECOND
from staithe.domain.properties import PropertyReader, Requirement, to_id, to_text
from staithe.domain.times import parse_unix_seconds
from staithe.domain.values import FIRST_SECOND, LAST_SECOND, format_value, parse_number

EMAIL_NAME: Final = "C_EmailAddress"


class ContactChanges(Struct, frozen=True):
    """New values by internal name (None clears); None for a subscription that stays as it is."""

    values: Mapping[str, FieldValue]
    is_subscribed: bool | None


def read_contact_changes(
    properties: Mapping[str, object], before: Contact | None, catalogue: Catalogue
) -> ContactChanges:
    """Read a contact as a request has it, properties in canonical spelling; unknown ones are ignored.

    Read-only fields may be sent with the value they have, so that a contact that was read can be sent back.

    Args:
        properties: of the request; `fieldValues` is an array of objects with `id` and `value`.
        before: the contact that is changed, or None for a new one.
        catalogue: the company's contact fields.

    Raises:
        ValidationFailed: a property is wrong, or there is no email address.
    """
    reader = PropertyReader(properties)
    values: dict[str, FieldValue] = {}
    for name, field in FIELDS_BY_REST_NAME.items():
        text = reader.text(name)
        if text is not None:
            values[field.internal_name] = read_value(reader, field, text)
    for field, text in read_field_values(reader, catalogue):
        if not field.is_read_only:
            values[field.internal_name] = read_value(reader, field, text)
        elif before is None or text != field_text(field, before):
            reader.refuse(field.internal_name, "Must not be changed: it is read-only.", text, Requirement.IMMUTABILITY)
    if before is None and EMAIL_NAME not in values and properties.get("emailAddress") is None:
        reader.refuse("emailAddress", "Must not be empty.", "", Requirement.NOT_NULL)
    changes = ContactChanges(values, reader.boolean("isSubscribed"))
    reader.finish()
    return changes


def subscription_wish(changes: ContactChanges, before: Contact | None) -> bool | None:
    """What becomes of the subscription of the address that the contact has then; None for nothing.

    Who said no stays so: only a contact that is there is subscribed, and not in the same step as it gets an address.
    """
    if not changes.is_subscribed:
        return changes.is_subscribed
    return None if before is None or new_address(changes, before) is not None else True


def new_address(changes: ContactChanges, before: Contact) -> str | None:
    """The address in its normal form that takes the place of another."""
    email = changes.values.get(EMAIL_NAME)
    address = normal_email(str(email)) if email else None
    return None if address == normal_email(before.text(EMAIL_NAME)) else address


def read_field_values(reader: PropertyReader, catalogue: Catalogue) -> Iterator[tuple[Field, str]]:
    """The fields of `fieldValues` that have a value there, with it."""
    items: Any = reader.properties.get("fieldValues") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        reader.refuse("fieldValues", "Must be an array of objects with id and value.", None, Requirement.SYNTAX)
        return
    for item in items:
        field = catalogue.by_id.get(to_id(item.get("id")) or 0)
        text = to_text(item.get("value"))
        if field is None:
            rule = "Must name contact fields by their ids."
            reader.refuse("fieldValues", rule, to_text(item.get("id")), Requirement.RELATIONSHIP)
        elif text is not None:
            yield field, text
        elif item.get("value") is not None:
            reader.refuse(field.internal_name, "Must be a text.", None, Requirement.SYNTAX)


def read_value(reader: PropertyReader, field: Field, text: str) -> FieldValue:
    """The stored form of a value; None if it is empty or wrong."""
    property_name = field.rest_name or field.internal_name
    match field.data_type:
        case DataType.STRING:
            if len(text) > field.most_characters:
                rule = f"Must have at most {field.most_characters:,} characters."
                reader.refuse(property_name, rule, text[: field.most_characters], Requirement.TEXT_LENGTH)
            return text or None
        case DataType.NUMBER:
            try:
                return parse_number(text) if text else None
            except ValueError as error:
                reader.refuse(property_name, f"M{str(error)[1:]}.", text, Requirement.SYNTAX)
                return None
        case DataType.DATE:
            seconds = parse_unix_seconds(text)
            is_date = seconds is not None and FIRST_SECOND <= seconds <= LAST_SECOND
            if text and not is_date:
                rule = "Must be a time in Unix seconds, in the years 1 to 9999."
                reader.refuse(property_name, rule, text, Requirement.DATE)
            return None if seconds is None else seconds * SECOND
        case DataType.EMAIL_ADDRESS:
            email = text.strip(WHITE_SPACE)
            if not email:
                reader.refuse(property_name, "Must not be empty.", "", Requirement.NOT_NULL)
            elif not is_email_address(email):
                rule = f"Must be an email address of at most {EMAIL_CHARACTERS} characters."
                reader.refuse(property_name, rule, text, Requirement.EMAIL_ADDRESS)
            return email


def field_text(field: Field, contact: Contact) -> str:
    """A field's value as the Application API shows it: dates in Unix seconds; empty if it has none."""
    value = contact.value(field)
    if isinstance(value, int) and field.data_type is DataType.DATE:
        return str(value // SECOND)
    return format_value(value, field.data_type)
