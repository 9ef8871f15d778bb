"""Writes imported contacts: finds those that exist, inserts the new ones, changes the others.

A chunk of records takes a handful of statements however many it has: one finds the contacts, one inserts, one
updates. The update rules are in the statements, so no stored value is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from sqlalchemy import Connection

from staithe.domain.catalogue import Catalogue
from staithe.domain.definitions import UpdateRule
from staithe.domain.errors import StorageFull
from staithe.domain.fields import DataType, Field, FieldValue
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.import_plan import ImportPlan
from staithe.domain.limits import CONTACT_ID
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.storage import contacts, counters, dialect, sets
from staithe.storage.contact_fields import contact_table

EMAIL_KEY: Final = "email_key"
Found: TypeAlias = dict[int, list[int]]
"""Position of a record -> the ids of the contacts that it matches, the oldest first."""


def match_emails(connection: Connection, keys: Mapping[int, str]) -> dict[int, int]:
    """Position -> the contact with that normal email address; looked up in sorted order: the index is walked once."""
    positions = sorted(keys, key=keys.__getitem__)
    found = contacts.match_emails(connection, [keys[position] for position in positions])
    return {positions[packed >> 32]: packed & CONTACT_ID for packed in found}


def match_ids(connection: Connection, keys: Mapping[int, int]) -> Found:
    """The contacts with these ids."""
    wanted = IdSet.of(keys.values())
    known = wanted & sets.load_set(connection, CONTACTS_SET, wanted.chunk_numbers())
    return {position: [key] for position, key in keys.items() if key in known}


def make_match_index(connection: Connection, field: Field) -> None:
    """Make the index by which contacts are found by a field, if there is none yet."""
    dialect.of(connection).make_match_index(connection, field.column, is_text=field.data_type is DataType.STRING)


def match_field(connection: Connection, field: Field, keys: Mapping[int, str | float], *, exact: bool) -> Found:
    """The contacts whose field has these values.

    Args:
        connection: any.
        field: with an index made by `make_match_index`.
        keys: folded texts, or with `exact` any; numbers for a numeric field.
        exact: whether capitals matter.
    """
    is_text = field.data_type is DataType.STRING
    found: Found = defaultdict(list)
    matched = dialect.of(connection).match_values(connection, field.column, keys, is_text=is_text, exact=exact)
    for packed in sorted(matched):
        found[packed >> 32].append(packed & CONTACT_ID)
    return found


class ContactWriter:
    """Inserts and updates contacts as the columns of a plan say.

    Values come by column name; the email address brings its comparison key under `email_key`.
    """

    def __init__(self, catalogue: Catalogue, plan: ImportPlan) -> None:
        self.table = contact_table(catalogue)
        rules = {column.field.column: column.rule for column in plan.columns}
        if plan.email_position is not None:
            rules[EMAIL_KEY] = plan.columns[plan.email_position].rule
        self.columns = list(rules)
        if plan.identifies_by_email:
            # A contact that was found by its email address keeps the key of it: writing that would rewrite the index.
            del rules[EMAIL_KEY]
        self.rules = rules

    def add(
        self, connection: Connection, values: Mapping[str, Sequence[FieldValue]], at: int, by: str, change_id: int
    ) -> IdSet:
        """Insert contacts, and give their ids, in the order of the records.

        Args:
            connection: a write transaction.
            values: of each column, the value of each contact.
            at: when.
            by: who asked.
            change_id: the change that puts them into the set of all contacts.

        Raises:
            StorageFull: the company has given all contact ids.
        """
        count = len(next(iter(values.values())))
        last = counters.take_ids(connection, counters.CONTACTS, count)
        if last > CONTACT_ID:
            raise StorageFull(f"The company has given all {CONTACT_ID} contact ids.", "Use another company.")
        ids = range(last - count + 1, last + 1)
        audit = {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
        sent = {name: values[name] for name in self.columns}
        dialect.of(connection).insert_contacts(connection, self.table, {**sent, "id": ids}, audit)
        new = IdSet.span(ids[0], ids[-1])
        sets.change_sets(connection, change_id, {CONTACTS_SET: SetChange(new, IdSet())})
        contacts.bump_version(connection)
        return new

    def change(
        self,
        connection: Connection,
        ids: Sequence[int],
        values: Mapping[str, Sequence[FieldValue]],
        at: int,
        by: str,
    ) -> None:
        """Update contacts.

        Args:
            connection: a write transaction.
            ids: of the contacts; rising ones are written fastest.
            values: of each column, the value for each contact.
            at: when.
            by: who asked.
        """
        audit = {"updated_at": at, "updated_by": by}
        sent = {name: values[name] for name in self.rules}
        dialect.of(connection).update_contacts(connection, self.table, self.rules, {**sent, "id": ids}, audit)
        if EMAIL_KEY in self.rules:
            contacts.bump_version(connection)


def empty_field(connection: Connection, catalogue: Catalogue, field: Field, ids: IdSet) -> None:
    """Take the value of a field from contacts."""
    values: dict[str, Sequence[FieldValue]] = {"id": list(ids), field.column: [""] * len(ids)}
    rules = {field.column: UpdateRule.ALWAYS}
    dialect.of(connection).update_contacts(connection, contact_table(catalogue), rules, values, {})
