"""`staithe company create` and `staithe user create`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import Stores


def create_company(
    name: Annotated[str, typer.Argument(help="The first half of its users' logins.")],
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Make a company with an empty store. Works beside a running server."""
    company = accounts.create_company(Stores(data, database), name, system_clock())
    if json:
        print_json({"id": company.id, "name": company.name})
    else:
        OUTPUT.print(f"Company [bold]{company.name}[/bold] made. Give it a user:")
        OUTPUT.print(f"  staithe user create {company.name} NAME --role api --password-stdin --data {data}")


def create_user(
    company: Annotated[str, typer.Argument(help="An existing company.")],
    name: Annotated[str, typer.Argument(help="The second half of the login.")],
    role: Annotated[Role, typer.Option(help="admin and api read and write; reader only reads.")] = Role.API,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
    ] = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Make a user, or give one that exists another password and role. Works beside a running server."""
    stores = Stores(data, database)
    found = accounts.find_company(stores, company)
    password = (
        sys.stdin.readline().rstrip("\r\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    user = accounts.set_user(stores, found, name, password, role, system_clock())
    if json:
        print_json({"company": found.name, "name": user.name, "role": user.role.value})
    else:
        OUTPUT.print(f"User [bold]{found.name}\\{user.name}[/bold] has the role {user.role.value}.")
