"""The control store: companies, users, hints that a company has pending syncs, and the deployment's id.

A company whose restore is not complete has a row, so that its number and name are taken, and is seen by nobody. One
that was deleted is seen by nobody either: its row keeps its number from being taken again, and says whether what it has
stored is erased.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from staithe.domain.companies import DISABLED, Account, Company, Role, User
from staithe.domain.identifiers import NUL
from staithe.storage import dialect
from staithe.storage.tables import COMPANY, DEPLOYMENT, PENDING, USER

IS_RESTORED: Final = COMPANY.c.restore_began_at.is_not(None)
IS_DELETED: Final = COMPANY.c.deleted_at.is_not(None)
IS_WHOLE: Final = and_(~IS_RESTORED, ~IS_DELETED)


def add_company(connection: Connection, name: str, at: int) -> Company | None:
    """Insert a company; None if there is one of this name in any case, or one is being restored."""
    return insert_company(connection, name, at)


def insert_company(connection: Connection, name: str, at: int, **more: int) -> Company | None:
    values = {"name": name, "name_key": name.lower(), "created_at": at, **more}
    made = connection.execute(insert_new_company(connection), values).scalar()
    return None if made is None else Company(made, name)


@dialect.built_once
def insert_new_company(connection: Connection) -> Executable:
    return dialect.insert(connection, COMPANY).on_conflict_do_nothing().returning(COMPANY.c.id)


SELECT_COMPANY: Final = select(COMPANY).where(IS_WHOLE, COMPANY.c.name_key == bindparam("key"))
SELECT_COMPANIES: Final = select(COMPANY).where(IS_WHOLE).order_by(COMPANY.c.id)
SELECT_SOME: Final = SELECT_COMPANIES.where(COMPANY.c.id.in_(bindparam("ids", expanding=True)))
SELECT_RESTORED: Final = select(COMPANY).where(IS_RESTORED).order_by(COMPANY.c.id)


class CompanyRow(Struct, frozen=True):
    """A company as operators see it."""

    company: Company
    created_at: int
    users: int


SELECT_ROWS: Final = (
    select(COMPANY, func.count(USER.c.id).label("users"))
    .outerjoin(USER, USER.c.company_id == COMPANY.c.id)
    .where(IS_WHOLE)
    .group_by(COMPANY.c.id)
    .order_by(COMPANY.c.id)
)


def company_rows(connection: Connection) -> list[CompanyRow]:
    """Every company with how many users it has, by id."""
    rows = connection.execute(SELECT_ROWS)
    return [CompanyRow(Company(row.id, row.name), row.created_at, row.users) for row in rows]


def find_company(connection: Connection, name: str) -> Company | None:
    """A company by name, in any case."""
    row = connection.execute(SELECT_COMPANY, {"key": name.lower()}).one_or_none()
    return None if row is None else Company(row.id, row.name)


def all_companies(connection: Connection) -> list[Company]:
    """Every company, by id."""
    return to_companies(connection, SELECT_COMPANIES)


def find_companies(connection: Connection, ids: Collection[int]) -> list[Company]:
    """The companies of these numbers, of those that there are, by id."""
    return [Company(row.id, row.name) for row in connection.execute(SELECT_SOME, {"ids": list(ids)})]


def to_companies(connection: Connection, query: Select[Any]) -> list[Company]:
    return [Company(row.id, row.name) for row in connection.execute(query)]


def companies_restored(connection: Connection) -> list[Company]:
    """The companies whose restore has begun and is not complete."""
    return to_companies(connection, SELECT_RESTORED)


def begin_restore(connection: Connection, name: str, at: int) -> Company | None:
    """Insert a company that nobody sees before `end_restore`; None if there is one of this name."""
    return insert_company(connection, name, at, restore_began_at=at)


END_RESTORE: Final = (
    update(COMPANY).where(COMPANY.c.id == bindparam("company_id"), IS_RESTORED).values(restore_began_at=None)
)
DELETE_RESTORED: Final = delete(COMPANY).where(COMPANY.c.id == bindparam("company_id"), IS_RESTORED)


def end_restore(connection: Connection, company: Company) -> bool:
    """Let a company be seen. False, and nothing is changed, if its restore was given up."""
    return connection.execute(END_RESTORE, {"company_id": company.id}).rowcount == 1


def forget_restore(connection: Connection, company: Company) -> None:
    """Delete the row of a company whose restore is given up; what it has stored must be gone already."""
    connection.execute(DELETE_RESTORED, {"company_id": company.id})


NAME_IS_TAKEN: Final = select(COMPANY.c.id).where(
    COMPANY.c.name_key == bindparam("key"), COMPANY.c.id != bindparam("company_id")
)
UPDATE_COMPANY: Final = update(COMPANY).where(COMPANY.c.id == bindparam("company_id"), IS_WHOLE)
"""Sets the columns that its parameters name."""

SELECT_DELETED: Final = select(COMPANY).where(IS_DELETED, COMPANY.c.erased_at.is_(None)).order_by(COMPANY.c.id)
SELECT_DELETED_IDS: Final = select(COMPANY.c.id).where(IS_DELETED)
END_DELETION: Final = (
    update(COMPANY)
    .where(COMPANY.c.id == bindparam("company_id"), IS_DELETED)
    .values(name="", erased_at=bindparam("at", type_=BigInteger))
)
DELETE_USERS: Final = delete(USER).where(USER.c.company_id == bindparam("company"))


def rename_company(connection: Connection, company: Company, name: str) -> Company | None:
    """Give a company another name; None if another has that, in any case, or will have it, being restored."""
    key = name.lower()
    if connection.execute(NAME_IS_TAKEN, {"key": key, "company_id": company.id}).first() is not None:
        return None
    connection.execute(UPDATE_COMPANY, {"company_id": company.id, "name": name, "name_key": key})
    return Company(company.id, name)


def delete_company(connection: Connection, company: Company, at: int) -> bool:
    """Let a company be seen no more, and its users be gone; False if somebody else has just deleted it.

    Its name is free at once: a key with a backslash is no name's. What it has stored is there until `end_deletion`.
    """
    values = {"company_id": company.id, "name_key": f"\\{company.id}", "deleted_at": at}
    was_there = connection.execute(UPDATE_COMPANY, values).rowcount == 1
    connection.execute(DELETE_USERS, {"company": company.id})
    return was_there


def companies_deleted(connection: Connection) -> dict[Company, int]:
    """The companies that were deleted, and have something stored: when they were."""
    return {Company(row.id, row.name): row.deleted_at for row in connection.execute(SELECT_DELETED)}


def deleted_ids(connection: Connection) -> set[int]:
    """The numbers of all companies that ever were deleted."""
    return set(connection.execute(SELECT_DELETED_IDS).scalars())


def end_deletion(connection: Connection, company: Company, at: int) -> None:
    """Note that nothing of a deleted company is stored any more; its name goes too."""
    connection.execute(END_DELETION, {"company_id": company.id, "at": at})


def add_restored(connection: Connection, company: Company, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
    """Insert what a backup has of a company in a table of the control store: values by column, without numbers."""
    for row in zip(*values.values(), strict=True):
        connection.execute(insert(table).values(company_id=company.id, **dict(zip(values, row, strict=True))))


INSERT_USER: Final = insert(USER).returning(USER.c.id)


def add_user(connection: Connection, company: Company, name: str, password_hash: str, role: Role, at: int) -> User:
    """Insert a user."""
    values = {
        "company_id": company.id,
        "name": name,
        "name_key": name.lower(),
        "password_hash": password_hash,
        "role": role.value,
        "created_at": at,
    }
    return User(connection.execute(INSERT_USER, values).scalar_one(), company, name, role)


UPDATE_USER: Final = update(USER).where(USER.c.id == bindparam("user_id"))
"""Sets the columns that its parameters name."""


def change_user(connection: Connection, user: User, password_hash: str, role: Role) -> None:
    """Give a user another password and role."""
    connection.execute(UPDATE_USER, {"user_id": user.id, "password_hash": password_hash, "role": role.value})


SELECT_USER: Final = (
    select(USER, COMPANY.c.name.label("company_name"))
    .join(COMPANY, COMPANY.c.id == USER.c.company_id)
    .where(IS_WHOLE, COMPANY.c.name_key == bindparam("company_key"), USER.c.name_key == bindparam("user_key"))
)
SELECT_USERS: Final = select(USER).where(USER.c.company_id == bindparam("company")).order_by(USER.c.id)


def find_user(connection: Connection, company_name: str, user_name: str) -> tuple[User, str] | None:
    """A user by the two halves of a login, in any case, with the hash of the password."""
    if NUL in company_name or NUL in user_name:
        return None
    keys = {"company_key": company_name.lower(), "user_key": user_name.lower()}
    row = connection.execute(SELECT_USER, keys).one_or_none()
    if row is None:
        return None
    return User(row.id, Company(row.company_id, row.company_name), row.name, Role(row.role)), row.password_hash


DELETE_USER: Final = delete(USER).where(USER.c.id == bindparam("user_id"))
SELECT_ACCOUNTS: Final = (
    select(USER, COMPANY.c.name.label("company_name"))
    .join(COMPANY, COMPANY.c.id == USER.c.company_id)
    .where(IS_WHOLE)
    .order_by(USER.c.company_id, USER.c.id)
)


def all_accounts(connection: Connection) -> list[Account]:
    """Every user of every company, by company and id."""
    return [
        Account(
            User(row.id, Company(row.company_id, row.company_name), row.name, Role(row.role)),
            row.password_hash.startswith(DISABLED),
            row.created_at,
        )
        for row in connection.execute(SELECT_ACCOUNTS)
    ]


def delete_user(connection: Connection, user: User) -> None:
    """Delete a user, who must have no grants any more."""
    connection.execute(DELETE_USER, {"user_id": user.id})


def users_of(connection: Connection, company: Company) -> list[User]:
    """Every user of a company, by id."""
    rows = connection.execute(SELECT_USERS, {"company": company.id})
    return [User(row.id, company, row.name, Role(row.role)) for row in rows]


def accounts_of(connection: Connection, company: Company) -> list[Account]:
    """Every user of a company, by id, as operators see it."""
    rows = connection.execute(SELECT_USERS, {"company": company.id})
    return [
        Account(User(row.id, company, row.name, Role(row.role)), row.password_hash.startswith(DISABLED), row.created_at)
        for row in rows
    ]


def hint_pending(connection: Connection, company_id: int) -> None:
    """Say that a company has a pending sync. A hint that is lost costs seconds: workers also scan."""
    statement = dialect.insert(connection, PENDING).values(company_id=company_id, hints=1)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[PENDING.c.company_id], set_={"hints": PENDING.c.hints + 1})
    )
    dialect.of(connection).wake(connection)


def hinted_companies(connection: Connection) -> dict[int, int]:
    """The companies with hints, each with how many hints it has had: what `forget_hint` wants to know."""
    return {row.company_id: row.hints for row in connection.execute(select(PENDING))}


def forget_hint(connection: Connection, company_id: int, hints: int) -> None:
    """Take a hint away, unless another has come since."""
    connection.execute(delete(PENDING).where(PENDING.c.company_id == company_id, PENDING.c.hints == hints))


FORGET_HINTS: Final = delete(PENDING).where(PENDING.c.company_id == bindparam("company"))


def forget_hints(connection: Connection, company_id: int) -> None:
    """Take away the hint of a company that is gone."""
    connection.execute(FORGET_HINTS, {"company": company_id})


COUNT_COMPANIES: Final = select(func.count()).select_from(COMPANY).where(IS_WHOLE)
SELECT_DEPLOYMENT: Final = select(DEPLOYMENT)
INSERT_DEPLOYMENT: Final = insert(DEPLOYMENT)
UPDATE_DEPLOYMENT: Final = update(DEPLOYMENT)


def is_empty(connection: Connection) -> bool:
    """Whether there is no company yet."""
    return connection.execute(COUNT_COMPANIES).scalar_one() == 0


def find_deployment(connection: Connection) -> tuple[str, str] | None:
    """The id of the deployment and where its staged files are (empty if it has none yet); None before it has an id."""
    row = connection.execute(SELECT_DEPLOYMENT).one_or_none()
    return None if row is None else (row.id, row.staging)


def add_deployment(connection: Connection, deployment_id: str) -> None:
    """Give the deployment its id; it must have none."""
    connection.execute(INSERT_DEPLOYMENT, {"id": deployment_id, "staging": ""})


def note_staging(connection: Connection, staging: str) -> None:
    """Write down where the deployment's staged files are."""
    connection.execute(UPDATE_DEPLOYMENT, {"staging": staging})
