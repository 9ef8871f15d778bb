"""The standard contact fields, as Eloqua numbers and names them.

Source: recorded field catalogue of an Eloqua company, 2021. `rest_name` is the property that carries a field in
the Application API; `is_derived` marks what is worked out from other fields when it is read, and never stored.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from staithe.domain.folding import fold
from staithe.domain.limits import CONTACT_ID, LARGE_TEXT_CHARACTERS, TEXT_CHARACTERS


class DataType(StrEnum):
    """Types of field values on the wire."""

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    EMAIL_ADDRESS = "emailAddress"


BUILT_IN_AT: Final = -2_208_970_800_000_000
"""When built-in fields were made: midnight of 1900-01-01 in Eastern time [observed]."""


class Field(Struct, frozen=True):
    """One contact field. Dates are microseconds since 1970 in UTC inside, Unix seconds in the Application API.

    Numbers are 64-bit floating-point numbers inside, and decimal texts on the wire. A field that a company made has
    `created_by`; `is_large` and `display_type` are told to who asks, and have no effect.
    """

    id: int
    internal_name: str
    name: str
    data_type: DataType = DataType.STRING
    rest_name: str = ""
    is_read_only: bool = False
    is_derived: bool = False
    update_rule: str = "always"
    is_large: bool = False
    display_type: str = "text"
    description: str = ""
    created_at: int = BUILT_IN_AT
    created_by: str = ""
    updated_at: int = BUILT_IN_AT
    updated_by: str = ""

    @property
    def is_standard(self) -> bool:
        """Whether every company has it."""
        return not self.created_by

    @property
    def statement(self) -> str:
        """The field statement that names it."""
        return f"{{{{Contact.Field({self.internal_name})}}}}"

    @property
    def most_characters(self) -> int:
        """How many characters a text in it may have."""
        return LARGE_TEXT_CHARACTERS if self.is_large else TEXT_CHARACTERS

    @property
    def column(self) -> str:
        """The name of the column that holds it."""
        return self.internal_name.lower()


EMAIL, DATE = DataType.EMAIL_ADDRESS, DataType.DATE
EXTERNAL_ID_PREFIX: Final = "CSTAI"
EXTERNAL_ID_DIGITS: Final = 12
LAST_CHARACTER: Final = "\U0010ffff"


def derived(number: int, internal_name: str, name: str, data_type: DataType = DataType.STRING) -> Field:
    """A field that is computed when it is read, so read-only."""
    return Field(number, internal_name, name, data_type, is_read_only=True, is_derived=True)


CONTACT_FIELDS: Final = (
    Field(100001, "C_EmailAddress", "Email Address", EMAIL, "emailAddress"),
    Field(100002, "C_FirstName", "First Name", rest_name="firstName"),
    Field(100003, "C_LastName", "Last Name", rest_name="lastName"),
    Field(100004, "C_Company", "Company", rest_name="accountName"),
    Field(100005, "C_EmailDisplayName", "Email Display Name"),
    Field(100006, "C_Address1", "Address 1", rest_name="address1"),
    Field(100007, "C_Address2", "Address 2", rest_name="address2"),
    Field(100008, "C_Address3", "Address 3", rest_name="address3"),
    Field(100009, "C_City", "City", rest_name="city"),
    Field(100010, "C_State_Prov", "State or Province", rest_name="province"),
    Field(100011, "C_Zip_Postal", "Zip or Postal Code", rest_name="postalCode"),
    Field(100012, "C_Country", "Country", rest_name="country"),
    Field(100013, "C_BusPhone", "Business Phone", rest_name="businessPhone"),
    Field(100014, "C_MobilePhone", "Mobile Phone", rest_name="mobilePhone"),
    Field(100015, "C_Fax", "Fax", rest_name="fax"),
    Field(100016, "C_Title", "Title", rest_name="title"),
    Field(100017, "C_Salutation", "Salutation"),
    Field(100022, "C_Salesperson", "Salesperson", rest_name="salesPerson"),
    Field(100023, "C_SFDCContactID", "SFDC Contact ID"),
    Field(100024, "C_SFDCLeadID", "SFDC Lead ID"),
    derived(100026, "C_DateCreated", "Date Created", DATE),
    derived(100027, "C_DateModified", "Date Modified", DATE),
    derived(100032, "ContactIDExt", "Eloqua Contact ID"),
    Field(100033, "C_SFDCAccountID", "SFDC Account ID"),
    Field(100034, "C_LastModifiedByExtIntegrateSystem", "Last Modified by CRM System", DATE),
    Field(100035, "C_SFDCLastCampaignID", "Last SFDC Campaign ID"),
    Field(100036, "C_SFDCLastCampaignStatus", "Last SFDC Campaign Status"),
    Field(100041, "C_Company_Revenue1", "Company Revenue"),
    Field(100043, "C_SFDC_EmailOptOut1", "SFDC Email Opt Out"),
    Field(100044, "C_Lead_Source___Most_Recent1", "Lead Source - Most Recent"),
    Field(100045, "C_Lead_Source___Original1", "Lead Source - Original"),
    Field(100046, "C_Industry1", "Industry"),
    Field(100047, "C_Annual_Revenue1", "Annual Revenue"),
    Field(100048, "C_Lead_Status1", "Lead Status"),
    Field(100049, "C_Job_Role1", "Job Role"),
    Field(100072, "C_elqPURLName1", "PURL Name (Default Hypersite)", is_read_only=True),
    Field(100081, "C_Lead_Rating___Combined1", "Lead Rating - Combined"),
    derived(100171, "C_EmailAddressDomain", "Email Address Domain"),
    derived(100172, "C_FirstAndLastName", "First and Last Name"),
    Field(100174, "C_Company_Size1", "Company Size"),
    Field(100187, "C_Territory", "Territory"),
    derived(100188, "C_MD5HashedEmailAddress", "MD5 Hashed Email Address"),
    derived(100189, "C_SHA256HashedEmailAddress", "SHA256 Hashed Email Address"),
    derived(100190, "C_MD5HashedBusPhone", "MD5 Hashed Business Phone"),
    derived(100191, "C_SHA256HashedBusPhone", "SHA256 Hashed Business Phone"),
    derived(100192, "C_MD5HashedMobilePhone", "MD5 Hashed Mobile Phone"),
    derived(100193, "C_SHA256HashedMobilePhone", "SHA256 Hashed Mobile Phone"),
    Field(100194, "C_ElqPURLName", "PURL Name", is_read_only=True),
    Field(100195, "C_SFDCLastCampaignName", "Last SFDC Campaign Name"),
)

STORED_FIELDS: Final = tuple(f for f in CONTACT_FIELDS if not f.is_derived)
"""The built-in fields that have a column."""

FIELDS_BY_REST_NAME: Final[Mapping[str, Field]] = {f.rest_name: f for f in CONTACT_FIELDS if f.rest_name}
HASHED: Final = {"EmailAddress": "C_EmailAddress", "BusPhone": "C_BusPhone", "MobilePhone": "C_MobilePhone"}

FieldValue: TypeAlias = str | int | float | None


class Contact(Struct, frozen=True):
    """A contact as it is stored: `values` by internal name, without the empty ones; times in microseconds."""

    id: int
    values: Mapping[str, FieldValue]
    created_at: int
    updated_at: int
    created_by: str
    updated_by: str

    def value(self, field: Field) -> FieldValue:
        """The field's value, stored or derived; None if it is empty."""
        return derive(field.internal_name, self) if field.is_derived else self.values.get(field.internal_name)

    def text(self, internal_name: str) -> str:
        """A stored text field; empty if it has no value."""
        return str(self.values.get(internal_name) or "")


def external_id(contact_id: int) -> str:
    """`ContactIDExt`: a letter C, a marker of four letters and the padded id. The form is Eloqua's, the marker ours."""
    return f"{EXTERNAL_ID_PREFIX}{contact_id:0{EXTERNAL_ID_DIGITS}d}"


def external_id_span(operator: str, folded: str) -> range:
    """The ids of contacts, also of those that are not there, whose `ContactIDExt` compares so with a folded text.

    Args:
        operator: `=`, `<`, `<=`, `>`, `>=`, or `*` for those that begin with the text.
        folded: the text, without difference of case.
    """
    everyone = range(CONTACT_ID + 1)
    # As texts they have the order that they have as numbers.
    first = bisect_left(everyone, folded, key=fold_external_id)
    behind = bisect_right(everyone, folded, key=fold_external_id)
    match operator:
        case "*":
            return everyone[first : bisect_left(everyone, folded + LAST_CHARACTER, key=fold_external_id)]
        case "<":
            return everyone[:first]
        case "<=":
            return everyone[:behind]
        case ">":
            return everyone[behind:]
        case ">=":
            return everyone[first:]
        case _:
            return everyone[first:behind]


def fold_external_id(contact_id: int) -> str:
    return fold(external_id(contact_id))


class Derivation(Struct, frozen=True):
    """How a derived field is worked out: from which columns, empty texts where they have no value; None if empty."""

    columns: tuple[str, ...]
    work_out: Callable[..., FieldValue]


def as_it_is(value: FieldValue) -> FieldValue:
    return value


def domain_of(email: str) -> str | None:
    return email.rpartition("@")[2] or None


def full_name(first: str, last: str) -> str | None:
    return f"{first} {last}".strip() or None


def hash_with(algorithm: str) -> Callable[[str], str | None]:
    def work_out(text: str) -> str | None:
        return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest() if text else None

    return work_out


DERIVATIONS: Final[Mapping[str, Derivation]] = {
    "C_DateCreated": Derivation(("created_at",), as_it_is),
    "C_DateModified": Derivation(("updated_at",), as_it_is),
    "ContactIDExt": Derivation(("id",), external_id),
    "C_EmailAddressDomain": Derivation(("c_emailaddress",), domain_of),
    "C_FirstAndLastName": Derivation(("c_firstname", "c_lastname"), full_name),
    **{
        f"C_{algorithm}Hashed{name}": Derivation((source.lower(),), hash_with(algorithm))
        for algorithm in ("MD5", "SHA256")
        for name, source in HASHED.items()
    },
}


def derive(internal_name: str, contact: Contact) -> FieldValue:
    """Work out a derived field; None if what it comes from is empty."""
    derivation = DERIVATIONS[internal_name]
    own = {"id": contact.id, "created_at": contact.created_at, "updated_at": contact.updated_at}
    texts = {name.lower(): value for name, value in contact.values.items()}
    return derivation.work_out(*(own.get(column) or texts.get(column) or "" for column in derivation.columns))
