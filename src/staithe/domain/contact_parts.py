"""What a field statement means of a contact: one of its fields, its id, a time, a state, or a membership.

One resolution serves imports, exports and filters, so that they agree on what exists.
Source: Eloqua markup language v3; statements of public clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.field_statement import FieldStatement, Part
from staithe.domain.fields import DataType, Field
from staithe.domain.sync_actions import BOUNCED_SET, GLOBAL_UNSUBSCRIBED_SET, contact_list_set, email_group_set


class PartKind(StrEnum):
    """Kinds of what a statement can name."""

    FIELD = "field"
    ID = "id"
    CREATED_AT = "createdAt"
    UPDATED_AT = "updatedAt"
    IS_SUBSCRIBED = "isSubscribed"
    IS_BOUNCED = "isBounced"
    EMAIL_FORMAT = "emailFormat"
    CONTACT_LIST = "contactList"
    EMAIL_GROUP = "emailGroup"
    ACCOUNT = "account"
    """Anything of the account of a contact. There are no accounts yet, so it has no value."""


class ContactPart(Struct, frozen=True):
    """A resolved statement: `field` belongs to the kind FIELD, `asset_id` to lists and email groups."""

    kind: PartKind
    field: Field | None = None
    asset_id: int = 0

    @property
    def data_type(self) -> DataType:
        """The type its values are compared by; states and memberships are the texts True and False."""
        if self.field is not None:
            return self.field.data_type
        return DATA_TYPES.get(self.kind, DataType.STRING)

    @property
    def is_text(self) -> bool:
        """Whether its values compare as texts."""
        return self.data_type in (DataType.STRING, DataType.EMAIL_ADDRESS)

    @property
    def is_system_time(self) -> bool:
        """Whether `areSystemTimestampsInUTC` decides about the zone it is shown in [system-timestamps.htm]."""
        if self.field is not None:
            return self.field.internal_name in SYSTEM_TIMES
        return self.kind in (PartKind.CREATED_AT, PartKind.UPDATED_AT)

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the sets that it comes from."""
        match self.kind:
            case PartKind.IS_SUBSCRIBED:
                return (GLOBAL_UNSUBSCRIBED_SET,)
            case PartKind.IS_BOUNCED:
                return (BOUNCED_SET,)
            case PartKind.CONTACT_LIST:
                return (contact_list_set(self.asset_id),)
            case PartKind.EMAIL_GROUP:
                return (email_group_set(self.asset_id, "subscribed"), email_group_set(self.asset_id, "unsubscribed"))
            case _:
                return ()

    @property
    def can_be_imported(self) -> bool:
        """Whether an import can write it as a field."""
        return self.field is not None and not self.field.is_read_only

    @property
    def can_be_sent(self) -> bool:
        """Whether it may stand in an import, also where its values are ignored [observed: app clients].

        Who sends memberships means them: to ignore those could lose a no.
        """
        return self.kind not in MEMBERSHIPS.values()


DATA_TYPES: Final[Mapping[PartKind, DataType]] = {
    PartKind.ID: DataType.NUMBER,
    PartKind.CREATED_AT: DataType.DATE,
    PartKind.UPDATED_AT: DataType.DATE,
}
TRUTHS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "0", "no", "n"), False),
}
"""How clients write whether something is so, in lower case."""

EMAIL_FORMAT: Final = "unspecified"
"""As the Application API's `emailFormatPreference`: no contact has another here."""

CONSTANTS: Final[Mapping[PartKind, str]] = {PartKind.EMAIL_FORMAT: EMAIL_FORMAT, PartKind.ACCOUNT: ""}
"""What is the same of every contact."""

SYSTEM_TIMES: Final = ("C_DateCreated", "C_DateModified", "C_LastModifiedByExtIntegrateSystem")
ATTRIBUTES: Final[Mapping[str, PartKind]] = {
    "contact.id": PartKind.ID,
    "contact.createdat": PartKind.CREATED_AT,
    "contact.updatedat": PartKind.UPDATED_AT,
    "contact.email.issubscribed": PartKind.IS_SUBSCRIBED,
    "contact.email.isbounced": PartKind.IS_BOUNCED,
    "contact.email.format": PartKind.EMAIL_FORMAT,
}
ACCOUNT_ATTRIBUTES: Final = ("id", "createdat", "updatedat")
MEMBERSHIPS: Final[Mapping[str, PartKind]] = {
    "contactlist": PartKind.CONTACT_LIST,
    "emailgroup": PartKind.EMAIL_GROUP,
}


def resolve_contact_part(statement: FieldStatement, catalogue: Catalogue) -> ContactPart:
    """What a statement names of a contact. Lists and email groups are not looked up.

    Raises:
        ValueError: a sentence that starts with "must": nothing of a contact has this name.
    """
    attribute = ATTRIBUTES.get(statement.canonical.strip("{}"))
    if attribute is not None:
        return ContactPart(attribute)
    match statement.parts:
        case [Part(name, int(number), None)] if name.lower() in MEMBERSHIPS:
            return ContactPart(MEMBERSHIPS[name.lower()], asset_id=number)
        case [Part(root, None, None), Part(name, None, str(key))] if (root.lower(), name.lower()) == (
            "contact",
            "field",
        ):
            field = catalogue.find(key)
            if field is None:
                raise ValueError(f"must name a contact field that exists: there is no {key}")
            return ContactPart(PartKind.FIELD, field)
        case [Part(root, None, None), Part(related, None, None), of_account] if (root.lower(), related.lower()) == (
            "contact",
            "account",
        ) and is_of_account(of_account):
            return ContactPart(PartKind.ACCOUNT)
        case _:
            raise ValueError(
                "must be a statement of a contact, such as {{Contact.Field(C_EmailAddress)}} or {{Contact.Id}}: "
                f"{statement.text} is none"
            )


def is_of_account(part: Part) -> bool:
    """Whether it is a field of accounts, whatever its name, or one of their attributes."""
    if part.name.lower() == "field":
        return part.key is not None
    return part.name.lower() in ACCOUNT_ATTRIBUTES and part.number is None and part.key is None
