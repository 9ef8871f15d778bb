"""Fills a company with contacts to try things on."""

from __future__ import annotations

from collections.abc import Callable

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import CONTACT_ID
from staithe.services.stores import CompanyStore
from staithe.storage import contacts, counters, sets


def seed(store: CompanyStore, count: int, at: int, progress: Callable[[int], None]) -> tuple[int, int]:
    """Add `count` contacts `contact-{id}@example.com`, all or none; gives the first and the last id.

    Raises:
        ValidationFailed: not a positive number, or more than the ids that are left.
    """
    with store.database.write() as connection:
        sets.hold(connection, contacts_change=True)
        last = counters.last_id(connection, counters.CONTACTS)
        if not 0 < count <= CONTACT_ID - last:
            raise ValidationFailed(Failure("contacts", f"Must be a number from 1 to {CONTACT_ID - last}.", count))
        change_id = sets.record_change(connection, f"seed of {count} contacts", at, "staithe seed")
        for done in contacts.seed_contacts(connection, count, at, "staithe seed", change_id):
            progress(done)
        return last + 1, last + count
