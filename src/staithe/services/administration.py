"""What operators do with companies and users that exist.

Whatever it ends, it ends in every process: at once with SQLite, with PostgreSQL within `Pauses.control_seconds`, as
`staithe.services.known_logins` has it.

A company is deleted in two steps. In one transaction its users, clients and tokens go, its name becomes free, and
nobody sees it any more. A little later, when no request is left that came before, what it has stored is erased. If that
cannot be done or is cut short, the next retention of a worker does it, or the next `staithe company delete`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Final

from staithe.domain.companies import COMPANY_RULE, DISABLED, Account, Company, User, is_company_name
from staithe.domain.errors import Failure, NotFound, ValidationFailed
from staithe.domain.limits import SECOND
from staithe.domain.pauses import Pauses
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.storage import company_limits, control, oauth, syncs
from staithe.storage.control import CompanyRow
from staithe.storage.database import Connection

LOGGER: Final = logging.getLogger(__name__)
PURPOSE: Final = "delete"


def list_companies(stores: Stores) -> list[CompanyRow]:
    """Every company, by id."""
    with stores.control.read() as connection:
        return control.company_rows(connection)


def rename_company(stores: Stores, company: Company, name: str) -> Company:
    """Give a company another name: its logins have that from now on, with the passwords they had.

    Raises:
        ValidationFailed: the name cannot be used.
        Conflict: there is another company with this name.
    """
    if not is_company_name(name):
        raise ValidationFailed(Failure("name", f"Must have {COMPANY_RULE}.", name))
    with stores.control.write() as connection:
        renamed = control.rename_company(connection, company, name)
        if renamed is None:
            raise accounts.name_taken(connection, name)
        return renamed


def delete_company(stores: Stores, company: Company, at: int) -> None:
    """End all logins of a company for good, free its name, and begin no more of its syncs.

    What it has stored is for `erase_deleted`.

    Raises:
        NotFound: somebody else has just deleted it.
    """
    with stores.control.write() as connection:
        oauth.delete_clients(connection, company)
        company_limits.write_limits(connection, company.id, company_limits.NO_LIMITS)
        if not control.delete_company(connection, company, at):
            raise NotFound(f"There is no company {company.name} any more.")
    # A store that is damaged or gone must not keep its company from being deleted: it has no syncs that run on.
    with contextlib.suppress(Exception), stores.open(company).database.write(alone=False) as connection:
        syncs.forget_all(connection)


def grace_seconds(pauses: Pauses) -> float:
    """How long after its deletion a company's store is still left in place, for requests that came before."""
    return 2 * pauses.control_seconds


def erase_deleted(stores: Stores, at: int) -> list[Company]:
    """Erase what deleted companies have stored, but for those that were deleted only now; of several who do, one does.

    Raises:
        Busy: a store is in use.
        StagingUnavailable: the object store fails.
    """
    with stores.control.read() as connection:
        found = control.companies_deleted(connection)
    until = at - int(grace_seconds(stores.pauses) * SECOND)
    due = [company for company, deleted_at in found.items() if deleted_at <= until]
    if not due:
        return []
    with stores.control.alone(PURPOSE) as is_alone:
        for company in due if is_alone else ():
            stores.erase(company)
            with stores.hints.write() as connection:
                control.forget_hints(connection, company.id)
            with stores.control.write() as connection:
                control.end_deletion(connection, company, at)
            LOGGER.info("company %s is erased", company.name)
    return due if is_alone else []


def list_users(stores: Stores, company: Company | None) -> list[Account]:
    """Every user of a company, or of all."""
    with stores.control.read() as connection:
        found = control.all_accounts(connection)
    return [account for account in found if company is None or account.user.company.id == company.id]


def change_password(stores: Stores, company: Company, name: str, password: str) -> User:
    """Give a user another password; the role stays. All that was given for the old one ends.

    Raises:
        NotFound: there is no such user.
        ValidationFailed: the password cannot be used.
    """
    password_hash = accounts.hash_new(password)
    return change_user(stores, company, name, lambda old: accounts.keep_disabled(old, password_hash))


def disable_user(stores: Stores, company: Company, name: str) -> User:
    """Let a user log in no more, with whatever password; all tokens end.

    Raises:
        NotFound: there is no such user.
    """
    return change_user(stores, company, name, lambda old: f"{DISABLED}{old.removeprefix(DISABLED)}")


def enable_user(stores: Stores, company: Company, name: str) -> User:
    """Let a user who was disabled log in again, with the password of before; tokens that have ended stay ended.

    Raises:
        NotFound: there is no such user.
    """
    return change_user(stores, company, name, lambda old: old.removeprefix(DISABLED))


def change_user(stores: Stores, company: Company, name: str, to_hash: Callable[[str], str]) -> User:
    """Replace a user's password hash; if it is another then, all tokens end."""
    with stores.control.write() as connection:
        user, old = find_user(connection, company, name)
        new = to_hash(old)
        if new != old:
            oauth.end_grants(connection, user)
            control.change_user(connection, user, new, user.role)
        return user


def delete_user(stores: Stores, company: Company, name: str) -> User:
    """Delete a user. What the user has made and started stays, and goes on naming who did it.

    Raises:
        NotFound: there is no such user.
    """
    with stores.control.write() as connection:
        user, _ = find_user(connection, company, name)
        oauth.end_grants(connection, user)
        control.delete_user(connection, user)
        return user


def get_user(stores: Stores, company: Company, name: str) -> User:
    """A user of a company, in any case.

    Raises:
        NotFound: there is none.
    """
    with stores.control.read() as connection:
        return find_user(connection, company, name)[0]


def find_user(connection: Connection, company: Company, name: str) -> tuple[User, str]:
    """A user of a company, in any case, with the hash of the password."""
    found = control.find_user(connection, company.name, accounts.as_text(name))
    if found is None:
        raise NotFound(
            f"Company {company.name} has no user {accounts.as_text(name)}.",
            f"staithe user list {company.name} shows them.",
        )
    return found
