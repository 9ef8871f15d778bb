"""From the identifiers of staged rows to contact ids, a batch at a time: which records are known, which are rejected.

The work is done on whole columns. A record's outcome is one number: 0 for a known contact, else a place in
`OUTCOMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from staithe.domain import codes
from staithe.domain.fields import EXTERNAL_ID_PREFIX
from staithe.domain.id_set import IdSet
from staithe.domain.identifiers import WHITE_SPACE, IdentifierKind, is_email_address, normal_email
from staithe.domain.limits import CONTACT_ID
from staithe.staging.rows import UNREADABLE, text_column

Ids = npt.NDArray[np.uint32]
Outcomes = npt.NDArray[np.uint8]
MatchEmails = Callable[[list[str]], list[int]]
"""Normal email addresses -> position x 2**32 + contact id, for each that a contact has."""

OUTCOMES: Final = (
    None,
    codes.REQUIRED_MISSING,
    codes.UNREADABLE,
    codes.INVALID_EMAIL,
    codes.UNKNOWN_CONTACT,
)
KNOWN, MISSING, MALFORMED, INVALID_EMAIL, UNKNOWN = range(len(OUTCOMES))
CODES: Final = [outcome.code if outcome else "" for outcome in OUTCOMES]
LONGEST_ID_DIGITS: Final = 18
OUR_EXTERNAL_ID: Final = f"(?i)^{EXTERNAL_ID_PREFIX}[0-9]{{12}}$"
compute: Any = pc


class MatchedBatch:
    """What became of one batch: the contacts found, and the outcome of each record."""

    def __init__(self, batch: pa.RecordBatch, known: IdSet, outcomes: Outcomes) -> None:
        self.batch = batch
        self.known = known
        self.outcomes = outcomes
        self.records = batch.num_rows
        self.known_records = int(np.count_nonzero(outcomes == KNOWN))

    def rejected(self, first_record: int) -> tuple[pa.RecordBatch, list[int], list[str]]:
        """The rejected rows, their numbers if the first row has the number `first_record`, and their status codes."""
        positions = np.flatnonzero(self.outcomes)
        codes = [CODES[outcome] for outcome in self.outcomes[positions].tolist()]
        return self.batch.take(pa.array(positions)), (positions + first_record).tolist(), codes


def match_batch(
    batch: pa.RecordBatch, field: str, kind: IdentifierKind, contacts: IdSet, match_emails: MatchEmails
) -> MatchedBatch:
    """Match the records of a batch.

    Args:
        batch: staged rows.
        field: the name of the identifier field.
        kind: what that field identifies by.
        contacts: the ids of all contacts.
        match_emails: looks email addresses up.
    """
    column = compute.utf8_trim(text_column(batch, field), WHITE_SPACE)
    match kind:
        case IdentifierKind.CONTACT_ID:
            ids, outcomes = read_ids(column)
        case IdentifierKind.EXTERNAL_ID:
            ids, outcomes = read_external_ids(column)
        case IdentifierKind.EMAIL_ADDRESS:
            ids, outcomes = find_emails(column, match_emails)
    unreadable = batch.column(UNREADABLE)
    if unreadable.true_count:
        # Before contacts are found: a record that cannot be read may have an identifier all the same.
        outcomes[to_mask(unreadable)] = MALFORMED
    known = find_known(ids, outcomes, contacts)
    return MatchedBatch(batch, known, outcomes)


def read_ids(column: pa.Array) -> tuple[Ids, Outcomes]:
    """Contact ids: positive whole numbers. One too high for any contact is unknown, not malformed."""
    decimal = compute.ascii_is_decimal(column)
    longest = compute.max(compute.binary_length(column)).as_py()
    if longest in range(1, 10) and compute.all(decimal).as_py():
        ids = compute.cast(column, pa.uint32()).to_numpy()
        if ids.all():
            return ids, np.zeros(len(column), np.uint8)
    digits = compute.ascii_ltrim(column, "0")
    too_long = compute.greater(compute.binary_length(digits), LONGEST_ID_DIGITS)
    usable = compute.and_(decimal, compute.invert(too_long))
    numbers = compute.cast(compute.if_else(usable, column_or_zero(digits), "0"), pa.int64()).to_numpy()
    outcomes = np.where(to_mask(decimal), KNOWN, MALFORMED).astype(np.uint8)
    outcomes[to_mask(decimal) & ((numbers > CONTACT_ID) | to_mask(too_long))] = UNKNOWN
    outcomes[to_mask(decimal) & (numbers == 0) & ~to_mask(too_long)] = MALFORMED
    outcomes[to_mask(compute.equal(column, ""))] = MISSING
    return np.where(outcomes == KNOWN, numbers, 0).astype(np.uint32), outcomes


def column_or_zero(digits: pa.Array) -> pa.Array:
    return compute.if_else(compute.equal(digits, ""), "0", digits)


def to_mask(column: pa.Array) -> npt.NDArray[np.bool_]:
    return column.to_numpy(zero_copy_only=False)


def read_external_ids(column: pa.Array) -> tuple[Ids, Outcomes]:
    """`ContactIDExt`: ours has our prefix and the id; any other text is an id that no contact has."""
    ours = compute.match_substring_regex(column, OUR_EXTERNAL_ID)
    numbers = compute.if_else(ours, compute.utf8_slice_codeunits(column, len(EXTERNAL_ID_PREFIX)), "x")
    ids, outcomes = read_ids(numbers)
    outcomes[outcomes != KNOWN] = UNKNOWN
    outcomes[to_mask(compute.equal(column, ""))] = MISSING
    return ids, outcomes


def find_emails(column: pa.Array, match_emails: MatchEmails) -> tuple[Ids, Outcomes]:
    """Email addresses, looked up in sorted order, because that walks the index once."""
    keys = normal_emails(column)
    order = compute.sort_indices(keys)
    sorted_keys: list[str] = keys.take(order).to_pylist()
    places = order.to_numpy()
    ids = np.zeros(len(keys), np.uint32)
    found = np.array(match_emails(sorted_keys), np.uint64)
    ids[places[found >> 32]] = found & 0xFFFFFFFF
    outcomes = np.where(ids == 0, UNKNOWN, KNOWN).astype(np.uint8)
    for position in np.flatnonzero(outcomes):
        key: str = keys[int(position)].as_py()
        outcomes[position] = UNKNOWN if is_email_address(key) else INVALID_EMAIL if key else MISSING
    return ids, outcomes


def normal_emails(column: pa.Array) -> pa.Array:
    """As `normal_email` does it to texts that are trimmed."""
    return lower_by(normal_email, column)


def lower_by(lower: Callable[[str], str], column: pa.Array) -> pa.Array:
    """What a function makes of each text; the short way is right for one that makes ASCII letters small."""
    if compute.all(compute.string_is_ascii(column)).as_py() is not False:
        return compute.ascii_lower(column)
    return pa.array(map(lower, column.to_pylist()), pa.string())


def find_known(ids: Ids, outcomes: Outcomes, contacts: IdSet) -> IdSet:
    """The contacts among the ids; the others become unknown."""
    candidates = outcomes == KNOWN
    sent = IdSet.of_bytes(np.sort(ids[candidates]).tobytes())
    known = sent & contacts
    if len(known) < len(sent):
        unknown = sent - contacts
        missing = pa.array(np.fromiter(unknown, np.uint32, len(unknown)))
        outcomes[candidates & to_mask(compute.is_in(pa.array(ids), value_set=missing))] = UNKNOWN
    return known
