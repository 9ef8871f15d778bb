"""Companies, users and logins."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from staithe.domain.companies import (
    COMPANY_RULE,
    DISABLED,
    USER_RULE,
    Company,
    Role,
    User,
    is_company_name,
    is_user_name,
)
from staithe.domain.errors import Conflict, Failure, NotAuthenticated, NotFound, ValidationFailed
from staithe.services.guesses import Attempt, Guesses, wrong_login
from staithe.services.stores import Stores
from staithe.storage import control
from staithe.storage.database import Connection

HASHER: Final = PasswordHasher()


def create_company(stores: Stores, name: str, at: int) -> Company:
    """Make a company with an empty store.

    Raises:
        ValidationFailed: the name cannot be used.
        Conflict: there is one with this name, or a used store where its own would be.
    """
    if not is_company_name(name):
        raise ValidationFailed(Failure("name", f"Must have {COMPANY_RULE}.", name))
    with stores.control.write() as connection:
        company = add_company(stores, connection, name, at)
        if company is None:
            raise name_taken(connection, name)
        return company


def add_company(stores: Stores, connection: Connection, name: str, at: int) -> Company | None:
    """Insert a company, and make its store before that is committed: who is known has a store. None if it is taken.

    If this breaks off in between, an empty store is left that no company has; the next attempt takes it.
    """
    company = control.add_company(connection, name, at)
    if company is not None:
        stores.make(company)
    return company


def name_taken(connection: Connection, name: str) -> Conflict:
    """Why a company cannot have a name: another has it, or a restore will."""
    if control.find_company(connection, name) is not None:
        return Conflict(f"There is a company {name} already.", "Choose another name.")
    return Conflict(
        f"A restore to the name {name} is under way, or has broken off.",
        "Choose another name; or call staithe restore again, which removes what a restore that broke off has left.",
    )


def find_company(stores: Stores, name: str) -> Company:
    """A company by name.

    Raises:
        NotFound: there is none.
    """
    name = as_text(name)
    with stores.control.read() as connection:
        company = control.find_company(connection, name)
    if company is None:
        raise NotFound(f"There is no company {name}.", f"Make it with: staithe company create {name}")
    return company


def as_text(word: str) -> str:
    """A word of a command line without bytes that are no UTF-8, which no store takes and no terminal shows."""
    return word.encode("utf-8", "replace").decode()


def hash_new(password: str) -> str:
    """The hash of a password that is set.

    Raises:
        ValidationFailed: it cannot be used.
    """
    if not password:
        raise ValidationFailed(Failure("password", "Must not be empty."))
    return HASHER.hash(password)


def keep_disabled(old_hash: str, new_hash: str) -> str:
    """The new hash of a user, who stays disabled if that was so."""
    return f"{DISABLED}{new_hash}" if old_hash.startswith(DISABLED) else new_hash


def set_user(stores: Stores, company: Company, name: str, password: str, role: Role, at: int) -> User:
    """Make a user, or give one that exists another password and role; one who is disabled stays so.

    Raises:
        ValidationFailed: the name or the password cannot be used.
    """
    password_hash = hash_new(password)
    with stores.control.write() as connection:
        found = control.find_user(connection, company.name, as_text(name))
        if found is None:
            if not is_user_name(name):
                raise ValidationFailed(Failure("name", f"Must have {USER_RULE}.", name))
            return control.add_user(connection, company, name, password_hash, role, at)
        user, old_hash = found
        control.change_user(connection, user, keep_disabled(old_hash, password_hash), role)
        return User(user.id, company, user.name, role)


def bootstrap(stores: Stores, login: str, at: int) -> tuple[str, str] | None:
    """Make the first company and its admin in a fresh store; of servers that start at once, one does.

    Args:
        stores: of the data directory.
        login: `company\\user:password`, or empty for company demo, user admin and a random password.
        at: the time.

    Returns:
        (`company\\user`, the password if it was made up, else empty), or None if there are companies already.

    Raises:
        ValidationFailed: the login is not of that form.
    """
    with stores.control.read() as connection:
        if not control.is_empty(connection):
            return None
    company_name, _, rest = (login or "demo\\admin:").partition("\\")
    user_name, _, password = rest.partition(":")
    if login and not (is_company_name(company_name) and is_user_name(user_name) and password):
        raise ValidationFailed(Failure("STAITHE_BOOTSTRAP", "Must have the form company\\user:password.", company_name))
    made_up = "" if password else secrets.token_urlsafe(12)
    password_hash = HASHER.hash(password or made_up)
    with stores.control.write() as connection:
        # Another server may have been quicker, with a company of another name.
        company = add_company(stores, connection, company_name, at) if control.is_empty(connection) else None
        if company is None:
            return None
        control.add_user(connection, company, user_name, password_hash, Role.ADMIN, at)
    return f"{company_name}\\{user_name}", made_up


def judge_login(stores: Stores, login: str) -> str:
    """What is wrong with the login of a first start, at a later one; empty if it is good.

    Args:
        stores: of the server.
        login: `company\\user:password`.
    """
    company, backslash, rest = login.partition("\\")
    user, colon, password = rest.partition(":")
    if not (backslash and colon):
        return "it has not the form company\\user:password."
    try:
        prove(stores, Guesses(), Attempt(f"{company}\\{user}", password))
    except NotAuthenticated:
        words = f"{shlex.quote(company)} {shlex.quote(user)}"
        return (
            f"{company}\\{user} cannot log in with the password in it. staithe user list shows who can; staithe user "
            f"password {words} sets it; staithe company create and staithe user create make what is missing."
        )
    return ""


class Proof(Struct, frozen=True):
    """A user who has logged in; `mark` is another as soon as the password or the role is set anew."""

    user: User
    mark: bytes


def mark_password(password_hash: str) -> bytes:
    """What stands for a stored password hash, whose salt is new each time it is set."""
    return hashlib.sha256(password_hash.encode()).digest()


def prove(stores: Stores, guesses: Guesses, attempt: Attempt, mark: bytes = b"") -> Proof:
    """The user of `company\\user` with this password, and a mark of the password as it is now.

    Args:
        stores: of the server.
        guesses: who may have a password hashed now, which is slow on purpose.
        attempt: who sends which password; the login in any case.
        mark: of an earlier proof with the same login and password. If it is still good, nothing is hashed.

    Raises:
        NotAuthenticated: there is none, the password is another, or the user is disabled.
        TooManyRequests: too many others were wrong before.
        Busy: too many are being verified.
    """
    company_name, _, user_name = attempt.login.partition("\\")
    with stores.control.read() as connection:
        found = control.find_user(connection, company_name, user_name)
    now = None if found is None else Proof(found[0], mark_password(found[1]))
    if now is not None and now.mark == mark:
        return now
    with guesses.verifying(attempt, now.mark if now else b""):
        try:
            # As long as for a known user: who exists must not be told by the time it takes.
            HASHER.verify(found[1].removeprefix(DISABLED) if found else hash_of_nobody(HASHER), attempt.password)
        except (VerificationError, InvalidHashError):
            now = None
        # Who is disabled must not be told by the time it takes either.
        if now is None or (found is not None and found[1].startswith(DISABLED)):
            raise wrong_login()
    return now


@cache
def hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash to verify the passwords of users against who do not exist."""
    return hasher.hash(secrets.token_urlsafe())
