"""Reads the identifiers out of a reader's own CSV or JSON file."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from staithe.cli.demo_records import CONTACT_ID, EMAIL_ADDRESS, EXTERNAL_ID, Records, Value
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.fields import EXTERNAL_ID_PREFIX
from staithe.domain.limits import FIELD_NAME_CHARACTERS, UPLOAD_BYTES

WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
IDENTIFYING_WORDS: Final = frozenset({"id", "email", "mail", "contactid", "emailaddress", "contactidext"})
IDENTIFIER: Final = re.compile(rf"\d+|\S+@\S+|{EXTERNAL_ID_PREFIX}\d+", re.IGNORECASE)
FLAT_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Value]])
NAMES_SHOWN: Final = 10


def read_records(path: Path, column: str) -> Records:
    """The identifiers of a file, one a record.

    Args:
        path: CSV whose first line has the column names, or a JSON array of flat objects.
        column: which column to take; empty for the first whose name speaks of an id or an email address, else the
            first of all.

    Raises:
        ValidationFailed: the file cannot be read, or has nothing to upload.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                name, values = read_csv(path, column)
            case ".json":
                name, values = read_json(path, column)
            case _:
                refuse(path, "Must be a file whose name ends in .csv or .json.")
    except OSError as error:
        refuse(path, f"Cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        refuse(path, f"Must be UTF-8: byte 0x{error.object[error.start]:02x} is not.")
    first = next((text for value in values if (text := to_text(value))), "")
    if not first:
        refuse(path, f"Must have an identifier, but no record has one in the column {name}.")
    return Records(name, statement_of(first), values, (path.suffix[1:].upper(),))


def read_csv(path: Path, column: str) -> tuple[str, list[Value]]:
    """A column of a CSV file. Blank lines are no records; a line that is too short has no identifier."""
    csv.field_size_limit(UPLOAD_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = (line for line in csv.reader(file) if line)
            header = [name.strip() for name in next(lines, [])]
            if not header:
                refuse(path, "Must have a first line with column names, but is empty.")
            if not column and any(IDENTIFIER.fullmatch(name) for name in header):
                refuse(path, f"Must have a first line with column names, but begins with {','.join(header)}.")
            name = pick_column(path, header, column)
            place = header.index(name)
            values: list[Value] = [line[place] if place < len(line) else "" for line in lines]
    except csv.Error as error:
        refuse(path, f"Must be CSV: {error}.")
    return name, values


def read_json(path: Path, column: str) -> tuple[str, list[Value]]:
    """One key's values of a JSON array of flat objects; None where an object lacks it."""
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        refuse(path, "Must be a JSON array of flat objects, but is empty.")
    try:
        rows = FLAT_OBJECTS.decode(content)
    except msgspec.DecodeError as error:
        refuse(path, f"Must be a JSON array of flat objects: {error}.")
    name = pick_column(path, list(dict.fromkeys(chain.from_iterable(rows))), column)
    return name, [row.get(name) for row in rows]


def pick_column(path: Path, names: Sequence[str], wanted: str) -> str:
    """The column of the identifiers: the wanted one, or the likeliest."""
    usable = [name for name in names if name.strip() and len(name) <= FIELD_NAME_CHARACTERS]
    if not usable:
        refuse(path, f"Must have a column with a name of 1 to {FIELD_NAME_CHARACTERS} characters, and records.")
    if wanted:
        found = [name for name in usable if name == wanted] or [n for n in usable if n.lower() == wanted.lower()]
        if not found:
            refuse(path, f"Has no column {wanted}; it has {', '.join(usable[:NAMES_SHOWN])}.")
        return found[0]
    likely = (name for name in usable if IDENTIFYING_WORDS.intersection(word.lower() for word in WORD.findall(name)))
    return next(likely, usable[0])


def statement_of(identifier: str) -> str:
    """What an identifier identifies by, told from its look."""
    if "@" in identifier:
        return EMAIL_ADDRESS
    return EXTERNAL_ID if identifier.upper().startswith(EXTERNAL_ID_PREFIX) else CONTACT_ID


def to_text(value: Value) -> str:
    return "" if value is None else str(value).strip()


def refuse(path: Path, reason: str) -> NoReturn:
    raise ValidationFailed(Failure(f"--file {path}", reason))
