"""The identifiers a demo uploads: made up here or read from a file, and cut into the bodies of requests."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from staithe.domain.elements import CONTACTS
from staithe.domain.fields import external_id
from staithe.domain.limits import UPLOAD_BYTES

Value = str | int | float | bool | None

CONTACT_ID, EMAIL_ADDRESS, EXTERNAL_ID = CONTACTS.identifiers
CONTENT_TYPES: Final[Mapping[str, str]] = {"JSON": "application/json", "CSV": "text/csv"}

REQUESTS: Final = 10
LEAST_RECORDS: Final = 100
MOST_RECORDS: Final = 250_000
CONTACTS_PER_RECORD: Final = 4
FIRST_MADE_UP_ID: Final = 4
"""The first contacts are left out, so that whoever uploads 1 and 3 by hand sees them come in."""

UNKNOWN_PER_MILLE, MALFORMED_PER_MILLE, EMPTY_PER_MILLE, REPEATED_PER_MILLE = 10, 2, 1, 20
MALFORMED: Final = ("n/a", "12x")


class Records(Struct, frozen=True):
    """What is uploaded: one identifier a record, the name of its field, and the statement that field has.

    `formats` are taken in turn, a request each.
    """

    field: str
    statement: str
    values: Sequence[Value]
    formats: tuple[str, ...]


class Body(Struct, frozen=True):
    """The body of one upload."""

    content: bytes
    content_type: str
    records: int


def make_records(contacts: int) -> Records:
    """Ids of a company that has the contacts 1 to `contacts`, the same ones each time, in no order.

    At most a quarter of the contacts; of the records 1 % are unknown, 0.2 % malformed, 0.1 % empty, 2 % repeated.
    """
    dice = random.Random(1)  # noqa: S311 (a demo, and to be repeatable)
    count = min(MOST_RECORDS, max(LEAST_RECORDS, contacts // CONTACTS_PER_RECORD))
    shares = (UNKNOWN_PER_MILLE, MALFORMED_PER_MILLE, EMPTY_PER_MILLE, REPEATED_PER_MILLE)
    unknown, malformed, empty, repeated = (max(1, count * share // 1000) for share in shares)
    known = count - unknown - malformed - empty - repeated
    ids = dice.sample(range(FIRST_MADE_UP_ID, contacts + 1), known)
    ids += dice.choices(ids, k=repeated)
    ids += [contacts + dice.randint(1, contacts) for _ in range(unknown)]
    values: list[Value] = [str(contact_id) for contact_id in ids]
    values += dice.choices(MALFORMED, k=malformed)
    values += [""] * empty
    dice.shuffle(values)
    return Records("Id", CONTACT_ID, values, ("JSON", "CSV"))


def sample_value(statement: str, contact_id: int) -> str:
    """How a record names a seeded contact in a field with this statement."""
    match statement:
        case _ if statement == EMAIL_ADDRESS:
            return f"contact-{contact_id}@example.com"
        case _ if statement == EXTERNAL_ID:
            return external_id(contact_id)
        case _:
            return str(contact_id)


def cut_into_bodies(records: Records) -> Iterator[Body]:
    """About ten bodies, in the order of the records; more if one would be larger than an upload may be."""
    size = -(-len(records.values) // REQUESTS)
    for number, start in enumerate(range(0, len(records.values), size)):
        data_format = records.formats[number % len(records.formats)]
        yield from encode(records.field, records.values[start : start + size], data_format)


def encode(field: str, values: Sequence[Value], data_format: str) -> Iterator[Body]:
    """One body, or the halves of it if it is too large."""
    content = to_json(field, values) if data_format == "JSON" else to_csv(field, values)
    if len(content) <= UPLOAD_BYTES or len(values) == 1:
        yield Body(content, CONTENT_TYPES[data_format], len(values))
        return
    middle = len(values) // 2
    yield from encode(field, values[:middle], data_format)
    yield from encode(field, values[middle:], data_format)


def to_json(field: str, values: Sequence[Value]) -> bytes:
    return msgspec.json.encode([{field: value} for value in values])


def to_csv(field: str, values: Sequence[Value]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([field])
    writer.writerows([value] for value in values)
    return text.getvalue().encode()
