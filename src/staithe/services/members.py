"""The contacts of a list, a segment or a filter, and what a contact is in the email groups of the company."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from staithe.domain.assets import Asset
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.filter_plan import InSets
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.properties import PropertyReader, Requirement
from staithe.domain.search_query import SearchQuery
from staithe.domain.sync_actions import contact_list_set, email_group_set
from staithe.services.assets import CONTACT_LIST, EMAIL_GROUP, describe, get_asset
from staithe.services.caller import Caller
from staithe.services.contacts import ContactView, get_contact, view
from staithe.services.finding import ContactFinder
from staithe.storage import assets, contacts, sets
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection

STATES = ("subscribed", "unsubscribed")


class GroupSubscription(Struct, frozen=True):
    """What a contact is in an email group: subscribed, or not."""

    contact_id: int
    group: Asset
    is_subscribed: bool


def search(caller: Caller, kind: str, asset_id: int, query: SearchQuery) -> tuple[list[ContactView], int]:
    """One page of the contacts of a list, a segment or a filter that a search finds, and how many there are.

    Who is in a segment or a filter is found anew.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted.
    """
    with caller.database.read() as connection:
        get_asset(connection, kind, asset_id)
        catalogue = load_catalogue(connection)
        finder = ContactFinder(connection, catalogue)
        if kind == CONTACT_LIST:
            members = finder.find(InSets((contact_list_set(asset_id),)))
        else:
            members = finder.find_container(kind, asset_id)
        found, total = contacts.search_among(connection, catalogue, query, members)
        return view(connection, catalogue, found), total


def search_subscriptions(caller: Caller, contact_id: int, query: SearchQuery) -> tuple[list[GroupSubscription], int]:
    """What a contact is in one page of the email groups that a search finds, and how many groups there are.

    Raises:
        NotFound: there never was such a contact.
        Gone: there was, and it was deleted.
    """
    with caller.database.read() as connection:
        get_contact(connection, load_catalogue(connection), contact_id)
        groups, total = assets.search_assets(connection, EMAIL_GROUP, query)
        own = set(contacts.sets_of(connection, contact_id))
        found = [GroupSubscription(contact_id, group, subscribed_set(group.id) in own) for group in groups]
        return found, total


def subscribed_set(group_id: int) -> str:
    return email_group_set(group_id, "subscribed")


def read_subscription(caller: Caller, contact_id: int, group_id: int) -> GroupSubscription:
    """What a contact is in an email group.

    Raises:
        NotFound: there never was such a contact or group.
        Gone: there was, and it was deleted.
    """
    with caller.database.read() as connection:
        return get_subscription(connection, contact_id, group_id)


def get_subscription(connection: Connection, contact_id: int, group_id: int) -> GroupSubscription:
    get_contact(connection, load_catalogue(connection), contact_id)
    group = get_asset(connection, EMAIL_GROUP, group_id)
    members = sets.load_set(connection, subscribed_set(group_id), IdSet.of([contact_id]).chunk_numbers())
    return GroupSubscription(contact_id, group, contact_id in members)


def subscribe(caller: Caller, contact_id: int, group_id: int, properties: Mapping[str, object]) -> GroupSubscription:
    """Subscribe a contact to an email group, or unsubscribe it, as the property `isSubscribed` says.

    Raises:
        ValidationFailed: the property is missing or wrong.
        NotFound: there never was such a contact or group.
        Gone: there was, and it was deleted.
    """
    reader = PropertyReader(properties)
    is_subscribed = reader.boolean("isSubscribed")
    reader.finish()
    if is_subscribed is None:
        raise ValidationFailed(Failure("isSubscribed", "Must be true or false.", None, Requirement.NOT_NULL))
    names = [email_group_set(group_id, state) for state in STATES]
    with caller.database.write() as connection:
        sets.hold(connection, names, contacts_change=True)
        get_subscription(connection, contact_id, group_id)
        one, none = IdSet.of([contact_id]), IdSet()
        changes = (SetChange(one, none), SetChange(none, one))
        action = f"change of contact {contact_id} in {describe(EMAIL_GROUP, group_id)}"
        change_id = sets.record_change(connection, action, caller.now, caller.name)
        sets.change_sets(
            connection, change_id, dict(zip(names, changes if is_subscribed else changes[::-1], strict=True))
        )
        return get_subscription(connection, contact_id, group_id)
