"""A chunk of staged rows made ready for an import: comparable identifiers, stored values, and what is wrong.

Nothing here asks the store, so it is done before the chunk's transaction begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias, cast

import numpy as np
import pyarrow as pa

from staithe.domain import codes
from staithe.domain.codes import StatusCode
from staithe.domain.contact_parts import TRUTHS
from staithe.domain.definitions import UpdateRule
from staithe.domain.fields import EXTERNAL_ID_PREFIX, DataType, FieldValue
from staithe.domain.folding import fold
from staithe.domain.identifiers import NUL, PLAIN_EMAIL, PLAIN_EMAIL_CHARACTERS, WHITE_SPACE, is_email_address
from staithe.domain.import_plan import ImportColumn, ImportPlan, ImportState
from staithe.domain.limits import CONTACT_ID, HOUR
from staithe.domain.times import EPOCH
from staithe.domain.values import parse_number, parse_value
from staithe.staging.matching import compute, lower_by, normal_emails
from staithe.staging.rows import UNREADABLE, text_column

Key: TypeAlias = str | int | float | None
ID_DIGITS = 18
EXTERNAL_ID_DIGITS = 12
PLAIN_DATES: Final = (
    "^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$",
    "^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
)
"""Of the dates of two centuries: others are rare."""


@dataclass(slots=True)
class ImportRows:
    """Rows by position.

    `keys` are what contacts are matched by: a text, the number of an id or of a numeric field, None for what is none.
    `values` hold a list a column of the plan: stored values, None to leave a field as it is, an empty text to empty
    it. `refused` records are not imported, each for a reason and with the field at fault; records with `unusable`
    values are, without these fields, which have those that are `too_long` among them. `american_dates` are where a
    field has a date that was read month first. `states` hold a list a state of the plan: what was sent, or None.
    `ignored` are where a field has a value that nothing is done with.
    """

    batch: pa.RecordBatch
    keys: list[Key]
    values: list[list[FieldValue]] = field(default_factory=list)
    email_keys: list[str | None] = field(default_factory=list)
    refused: dict[int, tuple[StatusCode, str]] = field(default_factory=dict)
    unusable: dict[int, list[str]] = field(default_factory=dict)
    too_long: dict[int, list[str]] = field(default_factory=dict)
    american_dates: dict[str, list[int]] = field(default_factory=dict)
    states: list[list[bool | None]] = field(default_factory=list)
    ignored: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, position: int, code: StatusCode, name: str) -> None:
        """Reject a record, unless it is rejected already."""
        self.refused.setdefault(position, (code, name))

    def refuse_all(self, positions: Iterable[int], code: StatusCode, name: str) -> None:
        """Reject some records for the same reason."""
        for position in positions:
            self.refuse(position, code, name)

    def rejects(self, first_record: int) -> tuple[pa.RecordBatch, list[int], list[str], list[list[str]]]:
        """What a `RejectWriter` takes: the refused records, and the imported ones with unusable values."""
        in_order = self.batch.schema.names.index
        reasons = {p: (self.reason_of(p), sorted(names, key=in_order)) for p, names in self.unusable.items()}
        reasons |= {p: (code, [name]) for p, (code, name) in self.refused.items()}
        positions = sorted(reasons)
        rows = self.batch.take(pa.array(positions, pa.int64()))
        numbers = [position + first_record for position in positions]
        return rows, numbers, [reasons[p][0].reason for p in positions], [reasons[p][1] for p in positions]

    def count_imported(self, by_name: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """How many of some positions are of imported records, by field: of `american_dates` or of `ignored`."""
        counts = {name: sum(p not in self.refused for p in positions) for name, positions in by_name.items()}
        return {name: count for name, count in counts.items() if count}

    def leave_out(self, position: int, name: str, *, is_too_long: bool = False) -> None:
        """Remember that a record has a value that is not stored."""
        self.unusable.setdefault(position, []).append(name)
        if is_too_long:
            self.too_long.setdefault(position, []).append(name)

    def reason_of(self, position: int) -> StatusCode:
        """Why values of a record are not stored: that they are too long, if that is so of all of them."""
        is_too_long = self.too_long.get(position) == self.unusable[position]
        return codes.TOO_LONG if is_too_long else codes.UNUSABLE_VALUE


def prepare_rows(batch: pa.RecordBatch, plan: ImportPlan) -> ImportRows:
    """Make the rows of a batch ready. Records without a usable identifier or with a wrong email address are refused."""
    texts = without_blanks(compute.utf8_trim(text_column(batch, plan.identifier_name), WHITE_SPACE))
    rows = ImportRows(batch, read_keys(texts, plan))
    check_keys(rows, plan, texts)
    rows.values = [read_column(rows, column, plan) for column in plan.columns]
    email = plan.email_position
    if email is None:
        rows.email_keys = [None] * batch.num_rows
    else:
        read_emails(rows, plan.columns[email], email, is_identifier=plan.identifies_by_email)
    rows.states = [read_state(rows, state) for state in plan.states]
    for name in plan.ignored:
        sent = read_sent(rows, name)
        rows.ignored[name] = [] if sent is None else compute.indices_nonzero(compute.not_equal(sent, "")).to_pylist()
    return rows


def read_sent(rows: ImportRows, name: str) -> pa.Array | None:
    """The texts that were sent of a field, empty where they are no value; None if none was."""
    index = rows.batch.schema.get_field_index(name)
    return None if index < 0 else without_blanks(compute.utf8_trim(rows.batch.column(index), WHITE_SPACE))


def read_state(rows: ImportRows, state: ImportState) -> list[bool | None]:
    """Whether the state is so, position by position; what does not fit is remembered, and so is what is ignored."""
    sent = read_sent(rows, state.name)
    if sent is None:
        return [None] * rows.batch.num_rows
    texts: list[str | None] = sent.to_pylist()
    read = {text: TRUTHS.get(text.lower()) if text else None for text in set(texts)}
    values = [read[text] for text in texts]
    for position, value in enumerate(values):
        if value is None and texts[position]:
            rows.leave_out(position, state.name)
    if not state.takes_out:
        rows.ignored[state.name] = [p for p, value in enumerate(values) if value is (not state.is_in)]
    return values


def read_keys(texts: pa.Array, plan: ImportPlan) -> list[Key]:
    """Identifiers in the form they are compared in."""
    if plan.identifies_by_email:
        return normal_emails(texts).to_pylist()
    if plan.identifies_by_id:
        prefix = EXTERNAL_ID_PREFIX if plan.identifies_by_external_id else ""
        return [read_id(text, prefix) for text in texts.to_pylist()]
    if plan.identifier.data_type is DataType.NUMBER:
        return [read_number(text) for text in texts.to_pylist()]
    return (texts if plan.is_case_sensitive else lower_by(fold, texts)).to_pylist()


def read_id(text: str, prefix: str) -> int | None:
    """A contact id, 0 for one that no contact can have; None for what is no id. Any text can be an external id."""
    digits = text[len(prefix) :] if text[: len(prefix)].upper() == prefix else ""
    is_number = digits.isascii() and digits.isdigit()
    if prefix:
        return int(digits) if is_number and len(digits) == EXTERNAL_ID_DIGITS and int(digits) <= CONTACT_ID else 0
    significant = digits.lstrip("0")
    if not is_number or not significant:
        return None
    return int(significant) if len(significant) <= ID_DIGITS and int(significant) <= CONTACT_ID else 0


def read_number(text: str) -> float | None:
    """The number that a numeric field would hold."""
    try:
        return parse_number(text)
    except ValueError:
        return None


def check_keys(rows: ImportRows, plan: ImportPlan, trimmed: pa.Array) -> None:
    """Refuse records whose identifier is missing or malformed."""
    texts: list[str] = trimmed.to_pylist()
    is_own_key = plan.identifies_by_email or plan.identifies_by_id
    unreadable: list[bool] = rows.batch.column(UNREADABLE).to_pylist()
    missing = [p for p, text in enumerate(texts) if not text]
    faults: list[tuple[StatusCode, list[int]]] = [
        (codes.NO_VALUES, without_values(rows.batch, missing)),
        (codes.UNREADABLE, [p for p, is_unreadable in enumerate(unreadable) if is_unreadable]),
        (codes.REQUIRED_MISSING, missing),
        (codes.UNREADABLE, [p for p, key in enumerate(rows.keys) if key is None]),
    ]
    if not is_own_key:
        most = plan.identifier.field.most_characters if plan.identifier.field is not None else 0
        faults.append((codes.UNREADABLE, [p for p, text in enumerate(texts) if NUL in text or len(text) > most]))
    if plan.identifies_by_email:
        faults.append((codes.INVALID_EMAIL, [p for p in not_plain(trimmed) if not is_email_address(str(rows.keys[p]))]))
    for code, positions in faults:
        rows.refuse_all(positions, code, plan.identifier_name)


def without_values(batch: pa.RecordBatch, candidates: list[int]) -> list[int]:
    """Those of some records that have no value in any field."""
    if not candidates:
        return []
    rows = batch.take(pa.array(candidates, pa.int64()))
    has_value = np.zeros(len(candidates), np.bool_)
    for name in rows.schema.names:
        if name != UNREADABLE:
            blank = is_blank(rows.column(name).fill_null(""))
            has_value |= ~blank.to_numpy(zero_copy_only=False)
    return [candidates[i] for i in np.flatnonzero(~has_value)]


def is_blank(texts: pa.Array) -> pa.Array:
    """Which texts are no value: they have nothing but white space."""
    return compute.or_(compute.equal(texts, ""), compute.utf8_is_space(texts))


def without_blanks(texts: pa.Array) -> pa.Array:
    """The texts, empty where they are no value."""
    blank = is_blank(texts)
    return compute.if_else(blank, "", texts) if compute.any(blank).as_py() else texts


def not_plain(texts: pa.Array) -> list[int]:
    """The positions of texts that have to be looked at one by one to tell whether they are email addresses."""
    is_plain = compute.and_(
        compute.match_substring_regex(texts, f"^{PLAIN_EMAIL}$"),
        compute.less_equal(compute.utf8_length(texts), PLAIN_EMAIL_CHARACTERS),
    )
    return compute.indices_nonzero(compute.invert(is_plain)).to_pylist()


def read_column(rows: ImportRows, column: ImportColumn, plan: ImportPlan) -> list[FieldValue]:
    """The stored values of a field, position by position; what does not fit is left out and remembered.

    An identifier is stored as it is compared, without blanks around it: or it would not be found again.
    """
    index = rows.batch.schema.get_field_index(column.name)
    if index < 0:
        return [None] * rows.batch.num_rows
    data_type, sent = column.field.data_type, rows.batch.column(index)
    if data_type is DataType.EMAIL_ADDRESS or (column.name == plan.identifier_name and data_type is DataType.STRING):
        sent = compute.utf8_trim(sent, WHITE_SPACE)
    sent = without_blanks(sent)
    texts: list[str | None] = sent.to_pylist()
    match data_type:
        case DataType.EMAIL_ADDRESS:
            return cast(list[FieldValue], texts)
        case DataType.STRING:
            leave_out_unfit_texts(rows, column, sent, texts)
            return cast(list[FieldValue], texts)
        case DataType.NUMBER:
            return read_texts(rows, column, texts)
        case DataType.DATE:
            dates = read_texts(rows, column, texts)
            american = [p for p, text in enumerate(texts) if text and "/" in text and dates[p] is not None]
            if american:
                rows.american_dates[column.name] = american
            return dates


def read_texts(rows: ImportRows, column: ImportColumn, texts: list[str | None]) -> list[FieldValue]:
    """The dates or numbers that texts stand for. Those that stand for none are left out and remembered."""
    data_type = column.field.data_type
    read: dict[str | None, FieldValue] = {None: None, "": ""}
    unfit: set[str] = set()
    different = [text for text in dict.fromkeys(texts) if text]
    plain = parse_plain_dates(different, column.zone) if data_type is DataType.DATE else None
    if plain is not None:
        read.update(zip(different, plain, strict=True))
        different = []
    for text in different:
        try:
            read[text] = parse_value(text, data_type, column.zone)
        except ValueError:
            read[text] = None
            unfit.add(text)
    if unfit:
        for position, text in enumerate(texts):
            if text in unfit:
                rows.leave_out(position, column.name)
    return [read[text] for text in texts]


def leave_out_unfit_texts(rows: ImportRows, column: ImportColumn, sent: pa.Array, texts: list[str | None]) -> None:
    """Leave out the texts that their field cannot hold: with more characters than it takes, or with the character NUL,
    which not every database can hold."""
    most = column.field.most_characters
    is_long = compute.greater(compute.utf8_length(sent), most)
    if compute.any(is_long).as_py():
        for position in compute.indices_nonzero(is_long.fill_null(False)).to_pylist():
            texts[position] = None
            rows.leave_out(position, column.name, is_too_long=True)
    if compute.any(compute.match_substring(sent, NUL)).as_py():
        for position, text in enumerate(texts):
            if text is not None and NUL in text:
                texts[position] = None
                rows.leave_out(position, column.name)


def parse_plain_dates(texts: list[str], zone: tzinfo) -> list[int] | None:
    """As `parse_date` reads them, a whole column at once.

    None if they are not all written alike, as YYYY-MM-DD or as YYYY-MM-DD HH:MM:SS, or if one is no date.
    """
    column = pa.array(texts, pa.string())
    for form in PLAIN_DATES:
        if compute.all(compute.match_substring_regex(column, form)).as_py():
            try:
                moments: list[int] = compute.cast(column, pa.timestamp("us")).cast(pa.int64()).to_pylist()
            except pa.ArrowInvalid:  # such as the 30th of February
                return None
            return moments if zone is UTC else [m - offset_in(m // HOUR, zone) for m in moments]
    return None


@lru_cache(2**16)
def offset_in(hour: int, zone: tzinfo) -> int:
    """Microseconds between UTC and a zone in one of its own hours, counted from 1970; none has two since 1900.

    Arrow could do it for whole columns, but in years without a table of their own it is wrong.
    """
    offset = (EPOCH + timedelta(hours=hour)).replace(tzinfo=zone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def read_emails(rows: ImportRows, column: ImportColumn, place: int, *, is_identifier: bool) -> None:
    """Work out what the trimmed addresses of the email column are compared by.

    An address that is none refuses its record; an empty one that is not the identifier, and that the update rule would
    write, is unusable: contacts keep theirs.
    """
    if is_identifier:
        rows.email_keys = cast(list[str | None], rows.keys)
        return
    texts = cast(list[str | None], rows.values[place])
    rows.email_keys = [text.lower() if text else None for text in texts]
    for position, text in enumerate(texts):
        if text == "":
            if column.rule is UpdateRule.ALWAYS:
                rows.leave_out(position, column.name)
            texts[position] = None
        elif text is not None and not is_email_address(text):
            rows.refuse(position, codes.INVALID_EMAIL, column.name)
