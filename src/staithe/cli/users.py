"""`staithe user`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.cli.places import open_stores
from staithe.clock import system_clock
from staithe.domain.companies import Role, User
from staithe.domain.times import format_time
from staithe.services import accounts, administration

Company = Annotated[str, typer.Argument(help="An existing company.")]
Name = Annotated[str, typer.Argument(help="An existing user: the second half of the login.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
]


def create_user(
    company: Company,
    name: Annotated[str, typer.Argument(help="The second half of the login.")],
    role: Annotated[Role, typer.Option(help="admin and api read and write; reader only reads.")] = Role.API,
    password_stdin: PasswordStdin = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Make a user, or give one that exists another password and role. Works beside a running server.

    A name may have 100 printable characters without blanks, backslash and
    colon. One who is disabled stays so.

    Example: staithe user create acme ann --role reader --password-stdin < password.txt
    """
    stores = open_stores(data, database)
    found = accounts.find_company(stores, company)
    user = accounts.set_user(stores, found, name, read_password(password_stdin), role, system_clock())
    tell(user, f"has the role {user.role.value}.", json=json)


def read_password(from_stdin: bool) -> str:
    """A new password: a line of standard input, or what is typed twice at the terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)


def tell(user: User, what: str, *, json: bool) -> None:
    """Say what was done to a user."""
    if json:
        print_json({"company": user.company.name, "name": user.name, "role": user.role.value})
    else:
        OUTPUT.print(Text(f"User {user.company.name}\\{user.name} {what}"), soft_wrap=True)


def list_users(
    company: Annotated[str, typer.Argument(help="An existing company. Default: all of them.")] = "",
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Show who may log in, and what for.

    Example: staithe user list acme
    """
    stores = open_stores(data, database)
    found = administration.list_users(stores, accounts.find_company(stores, company) if company else None)
    if json:
        print_json(
            [
                {
                    "company": account.user.company.name,
                    "name": account.user.name,
                    "role": account.user.role.value,
                    "isDisabled": account.is_disabled,
                    "createdAt": format_time(account.created_at),
                }
                for account in found
            ]
        )
        return
    table = Table("login", "role", "state", "created")
    for account in found:
        user = account.user
        state = Text("disabled", "yellow") if account.is_disabled else Text("enabled")
        table.add_row(
            Text(f"{user.company.name}\\{user.name}"), user.role.value, state, format_time(account.created_at)
        )
    OUTPUT.print(table)


def change_password(
    company: Company,
    name: Name,
    password_stdin: PasswordStdin = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Give a user another password. Whatever the old one was good for ends at once.

    Logins with the old password get 401, with PostgreSQL within a second, and
    so do all tokens that clients got for the user. The role stays.

    Example: staithe user password acme ann
    """
    stores = open_stores(data, database)
    found = accounts.find_company(stores, company)
    administration.get_user(stores, found, name)
    user = administration.change_password(stores, found, name, read_password(password_stdin))
    tell(user, "has another password.", json=json)


def disable_user(
    company: Company, name: Name, data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False
) -> None:
    """Let a user log in no more, and end every token. user enable undoes it.

    Requests get 401 at once, with PostgreSQL within a second. Syncs that the
    user has started run on. Tokens do not come back with user enable.

    Example: staithe user disable acme ann
    """
    stores = open_stores(data, database)
    user = administration.disable_user(stores, accounts.find_company(stores, company), name)
    tell(user, "is disabled: no password and no token is good for it.", json=json)


def enable_user(
    company: Company, name: Name, data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False
) -> None:
    """Let a user who was disabled log in again, with the same password.

    Example: staithe user enable acme ann
    """
    stores = open_stores(data, database)
    user = administration.enable_user(stores, accounts.find_company(stores, company), name)
    tell(user, "may log in.", json=json)


def delete_user(
    company: Company, name: Name, data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False
) -> None:
    """Delete a user, and end every token. What the user has made stays.

    Requests get 401 at once, with PostgreSQL within a second. Definitions,
    lists and syncs go on naming who made them. Who is given the same name
    later may read exported data that the user has left.

    Example: staithe user delete acme ann
    """
    stores = open_stores(data, database)
    user = administration.delete_user(stores, accounts.find_company(stores, company), name)
    tell(user, "is deleted.", json=json)
