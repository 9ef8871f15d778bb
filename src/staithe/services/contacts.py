"""Contacts: make, read, change, delete, search, and the lists that one is on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from staithe.domain.assets import Asset
from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_changes import (
    EMAIL_NAME,
    ContactChanges,
    new_address,
    read_contact_changes,
    subscription_wish,
)
from staithe.domain.errors import Failure, Gone, NotFound, NotUnique
from staithe.domain.fields import Contact
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.list_query import PropertyType
from staithe.domain.properties import Requirement
from staithe.domain.search_query import SearchQuery
from staithe.domain.sync_actions import BOUNCED_SET, GLOBAL_UNSUBSCRIBED_SET, contact_list_set
from staithe.services.caller import Caller
from staithe.storage import address_states, assets, contacts, sets
from staithe.storage.address_states import NOTHING_LEFT
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection

LIST_SETS: Final = contact_list_set(0).removesuffix("0")


class ContactView(Struct, frozen=True):
    """A contact with the states that are kept as sets, and the fields that it can have."""

    contact: Contact
    catalogue: Catalogue
    is_subscribed: bool
    is_bounced: bool


def get_contact(connection: Connection, catalogue: Catalogue, contact_id: int) -> Contact:
    """One contact.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted.
    """
    found = contacts.find_contact(connection, catalogue, contact_id)
    if found is not None:
        return found
    if contacts.was_given(connection, contact_id):
        raise Gone(f"The contact {contact_id} was deleted.")
    raise NotFound(f"There is no contact {contact_id}.")


def view(connection: Connection, catalogue: Catalogue, found: list[Contact]) -> list[ContactView]:
    """The contacts with their states: reads the chunks that they are in of two sets."""
    ids = IdSet.of(contact.id for contact in found)
    chunks = ids.chunk_numbers()
    unsubscribed = sets.load_set(connection, GLOBAL_UNSUBSCRIBED_SET, chunks)
    bounced = sets.load_set(connection, BOUNCED_SET, chunks)
    return [ContactView(c, catalogue, c.id not in unsubscribed, c.id in bounced) for c in found]


def read(caller: Caller, contact_id: int) -> ContactView:
    """One contact with its states."""
    with caller.database.read() as connection:
        return view_one(connection, load_catalogue(connection), contact_id)


def view_one(connection: Connection, catalogue: Catalogue, contact_id: int) -> ContactView:
    return view(connection, catalogue, [get_contact(connection, catalogue, contact_id)])[0]


def searchable(caller: Caller) -> Mapping[str, PropertyType]:
    """What contacts can be searched and ordered by: the company's own fields too."""
    with caller.database.read() as connection:
        return contacts.searchable(load_catalogue(connection))


def search(caller: Caller, query: SearchQuery) -> tuple[list[ContactView], int]:
    """One page of the contacts that a search finds, and how many there are."""
    with caller.database.read() as connection:
        catalogue = load_catalogue(connection)
        found, total = contacts.search_contacts(connection, catalogue, query)
        return view(connection, catalogue, found), total


def read_memberships(caller: Caller, contact_id: int) -> list[Asset]:
    """The contact lists that a contact is on, by their ids."""
    with caller.database.read() as connection:
        get_contact(connection, load_catalogue(connection), contact_id)
        names = contacts.sets_of(connection, contact_id)
        list_ids = [int(name.removeprefix(LIST_SETS)) for name in names if name.startswith(LIST_SETS)]
        return assets.lists_by_id(connection, list_ids)


def create(caller: Caller, properties: Mapping[str, object]) -> ContactView:
    """Make a contact. It has the states of its address, and so is unsubscribed if that is, whatever is asked for.

    Raises:
        ValidationFailed: a property is wrong, or there is no email address.
        NotUnique: another contact has the email address.
    """
    with caller.database.write() as connection:
        sets.hold(connection, contacts_change=True)
        catalogue = load_catalogue(connection)
        changes = read_contact_changes(properties, None, catalogue)
        refuse_taken_email(connection, changes, 0)
        change_id = sets.record_change(connection, "creation of a contact", caller.now, caller.name)
        contact_id = contacts.add_contact(connection, catalogue, changes.values, caller.now, caller.name, change_id)
        sets.change_sets(connection, change_id, subscription_change(contact_id, subscription_wish(changes, None)))
        return view_one(connection, catalogue, contact_id)


def change(caller: Caller, contact_id: int, properties: Mapping[str, object]) -> ContactView:
    """Change what the properties name of a contact. One that gets another address has the states of that.

    Raises:
        ValidationFailed: a property is wrong.
        NotUnique: another contact has the email address.
    """
    with caller.database.write() as connection:
        sets.hold(connection, contacts_change=True)
        catalogue = load_catalogue(connection)
        before = get_contact(connection, catalogue, contact_id)
        changes = read_contact_changes(properties, before, catalogue)
        refuse_taken_email(connection, changes, contact_id)
        address = new_address(changes, before)
        left = NOTHING_LEFT if address is None else address_states.leave(connection, IdSet.of([contact_id]))
        contacts.change_contact(connection, catalogue, contact_id, changes.values, caller.now, caller.name)
        wish = subscription_change(contact_id, subscription_wish(changes, before))
        if wish or address is not None:
            action = f"change of contact {contact_id}"
            change_id = partial(sets.record_change, connection, action, caller.now, caller.name)
            takers = [] if address is None else [(address, contact_id)]
            address_states.settle(connection, change_id, left, takers, wish)
        return view_one(connection, catalogue, contact_id)


def refuse_taken_email(connection: Connection, changes: ContactChanges, own_id: int) -> None:
    email = changes.values.get(EMAIL_NAME)
    if email and contacts.find_by_email(connection, str(email)) not in (None, own_id):
        rule = "Must be an address that no other contact has."
        raise NotUnique(Failure("emailAddress", rule, email, Requirement.UNIQUENESS))


def subscription_change(contact_id: int, is_subscribed: bool | None) -> dict[str, SetChange]:
    """What becomes of the sets: a contact is subscribed when it is not in the set of the unsubscribed."""
    if is_subscribed is None:
        return {}
    one, none = IdSet.of([contact_id]), IdSet()
    return {GLOBAL_UNSUBSCRIBED_SET: SetChange(none, one) if is_subscribed else SetChange(one, none)}


def delete(caller: Caller, contact_id: int) -> None:
    """Delete a contact, and take it out of every set it is in; the states of its address are kept."""
    with caller.database.write() as connection:
        sets.hold(connection, contacts_change=True)
        get_contact(connection, load_catalogue(connection), contact_id)
        change_id = sets.record_change(connection, f"deletion of contact {contact_id}", caller.now, caller.name)
        contacts.remove_contact(connection, contact_id, change_id)
