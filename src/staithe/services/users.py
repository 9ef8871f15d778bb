"""The users of a company as the Application API shows them: by their ids, while rows have their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from staithe.domain.companies import Account
from staithe.domain.errors import NotFound
from staithe.domain.item_page import Getters, search_items
from staithe.domain.limits import SECOND
from staithe.domain.list_query import Condition, PropertyType
from staithe.domain.search_query import USER_PROPERTIES, SearchQuery
from staithe.services.caller import Caller
from staithe.storage import control

SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "id": PropertyType.NUMBER,
    "name": PropertyType.TEXT,
    "loginName": PropertyType.TEXT,
    "emailAddress": PropertyType.TEXT,
    "createdAt": PropertyType.TIME,
}
GETTERS: Final[Getters[Account]] = {
    "id": lambda account: account.user.id,
    "name": lambda account: account.user.name,
    "loginName": lambda account: account.user.name,
    "emailAddress": lambda account: account.user.email_address,
    "createdAt": lambda account: account.created_at // SECOND,
}


def ids_by_name(caller: Caller) -> Mapping[str, str]:
    """The id of each user of the company, as a text, by the name in lower case.

    They are read anew when the control store has changed, so that with PostgreSQL they are a second old at most; the
    caller is always among them.
    """
    version, known = caller.store.user_ids
    if version != caller.control_version:
        with caller.stores.control.read() as connection:
            users = control.users_of(connection, caller.user.company)
        known = {user.name.lower(): str(user.id) for user in users}
        caller.store.user_ids = caller.control_version, known
    own = {caller.name.lower(): str(caller.user.id)}
    return known if own.items() <= known.items() else {**known, **own}


def by_names(caller: Caller, query: SearchQuery) -> SearchQuery:
    """The same search with the names of users in place of their ids; what is no user's id stays as it is."""
    if not any(term.name in USER_PROPERTIES for term in (*query.alternatives, *query.restrictions)):
        return query
    names = {number: name for name, number in ids_by_name(caller).items()}

    def replace(terms: Iterable[Condition]) -> tuple[Condition, ...]:
        return tuple(
            msgspec.structs.replace(term, value=names.get(str(term.value), term.value))
            if term.name in USER_PROPERTIES
            else term
            for term in terms
        )

    return msgspec.structs.replace(
        query, alternatives=replace(query.alternatives), restrictions=replace(query.restrictions)
    )


def search(caller: Caller, query: SearchQuery) -> tuple[list[Account], int]:
    """One page of the users that a search finds, by id unless another order is asked for, and how many there are."""
    with caller.stores.control.read() as connection:
        return search_items(control.accounts_of(connection, caller.user.company), GETTERS, query)


def read(caller: Caller, user_id: int) -> Account:
    """One user of the company.

    Raises:
        NotFound: it has none with this id, or has none any more.
    """
    with caller.stores.control.read() as connection:
        found = [a for a in control.accounts_of(connection, caller.user.company) if a.user.id == user_id]
    if not found:
        raise NotFound(f"There is no user {user_id}.")
    return found[0]
