"""`staithe company`, but for its limits."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, StagingAddress, print_json, read_staging
from staithe.cli.places import open_stores
from staithe.clock import system_clock
from staithe.domain.companies import Company
from staithe.domain.errors import Busy, Failure, NotFound, ValidationFailed
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.domain.times import format_time
from staithe.services import accounts, administration
from staithe.services.stores import Stores
from staithe.storage.sets import set_size

Name = Annotated[str, typer.Argument(help="An existing company.")]


def create_company(
    name: Annotated[str, typer.Argument(help="The first half of its users' logins.")],
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Make a company with an empty store. Works beside a running server.

    Its name may have 64 letters, digits, '.', '_' and '-', and blanks inside.

    Example: staithe company create acme
    """
    company = accounts.create_company(open_stores(data, database, makes=True), name, system_clock())
    if json:
        print_json({"id": company.id, "name": company.name})
    else:
        OUTPUT.print(Text(f"Company {company.name} made. Give it a user:"), soft_wrap=True)
        options = f"--role api --password-stdin --data {shlex.quote(str(data))}"
        OUTPUT.print(Text(f"  staithe user create {shlex.quote(company.name)} NAME {options}"), soft_wrap=True)


def list_companies(data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False) -> None:
    """Show the companies, and how many users each has.

    staithe status shows what each has stored.

    Example: staithe company list
    """
    found = administration.list_companies(open_stores(data, database))
    rows = [
        {"id": row.company.id, "name": row.company.name, "users": row.users, "createdAt": format_time(row.created_at)}
        for row in found
    ]
    if json:
        print_json(rows)
        return
    table = Table("company", "created")
    table.add_column("users", justify="right")
    for row in rows:
        table.add_row(Text(str(row["name"])), str(row["createdAt"]), f"{row['users']:,}")
    OUTPUT.print(table)


def rename_company(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name that it has from now on.")],
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Give a company another name: its users log in under that from now on. Works beside a running server.

    Passwords, clients and tokens stay as they are. Logins with the old name
    end at once, so tell whoever runs an integration: OLD\\user becomes
    NEW\\user.

    Example: staithe company rename acme acme-europe
    """
    stores = open_stores(data, database)
    company = accounts.find_company(stores, name)
    renamed = administration.rename_company(stores, company, new)
    if json:
        print_json({"id": renamed.id, "name": renamed.name, "before": company.name})
        return
    OUTPUT.print(Text(f"Company {company.name} is now {renamed.name}."), soft_wrap=True)
    ended = f"Logins with {company.name}\\ have ended: the same users log in with {renamed.name}\\ and their passwords."
    if company.name.lower() != renamed.name.lower():
        OUTPUT.print(Text(ended), soft_wrap=True)


def delete_company(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    json: Json = False,
) -> None:
    """Delete a company with everything that is its own. Works beside a running server.

    Contacts, lists, definitions, syncs, staged files, exported data, users,
    clients and tokens go; only a backup brings them back. It asks first,
    unless --yes is given.

    Requests of its users get 401 at once, with PostgreSQL within a second;
    its syncs stop. What it has stored is removed two seconds later; if that
    is cut short, a worker of the server does it.

    Example: staithe backup acme acme.zip && staithe company delete acme --yes
    """
    stores = open_stores(data, database, read_staging(staging))
    # What an earlier deletion has left, if it was cut short and no server runs.
    left = administration.erase_deleted(stores, system_clock())
    try:
        company = accounts.find_company(stores, name)
    except NotFound:
        again = [company for company in left if company.name.lower() == name.lower()]
        if not again:
            raise
        tell_deleted(again[0], json=json)
        return
    if not yes:
        ask(company, figures(stores, company))
    administration.delete_company(stores, company, system_clock())
    time.sleep(administration.grace_seconds(stores.pauses))
    try:
        administration.erase_deleted(stores, system_clock())
    except Busy as error:
        message = f"Company {company.name} is deleted, but what it has stored is not removed yet: {error.message}"
        advice = "A worker of the server removes it in a moment; without one, call this again."
        raise Busy(message, advice) from error
    stores.close()
    tell_deleted(company, json=json)


def figures(stores: Stores, company: Company) -> str:
    """What is about to be deleted, in words; a store that cannot be read says nothing."""
    users = len(administration.list_users(stores, company))
    try:
        with stores.open(company).database.read() as connection:
            return f"{users:,} users and {set_size(connection, CONTACTS_SET):,} contacts"
    except Exception as error:  # It is to be deleted all the same.
        return f"{users:,} users and a store that cannot be read ({error})"


def ask(company: Company, what: str) -> None:
    """Ask whether a company is to be deleted.

    Raises:
        ValidationFailed: nobody is there to be asked.
        typer.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        rule = f"Must be given where nobody can be asked: company {company.name} with {what} would be gone for good."
        raise ValidationFailed(Failure("--yes", rule))
    typer.confirm(f"Delete company {company.name} with {what}? Nothing but a backup brings it back.", abort=True)


def tell_deleted(company: Company, *, json: bool) -> None:
    """Say that nothing of a company is left."""
    answer: dict[str, Any] = {"id": company.id, "name": company.name}
    if json:
        print_json(answer)
    else:
        OUTPUT.print(Text(f"Company {company.name} is deleted, with everything that was its own."), soft_wrap=True)
