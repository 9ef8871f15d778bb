"""`staithe client`: programs that log in with OAuth."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.clock import system_clock
from staithe.services import accounts, clients
from staithe.services.stores import Stores

Company = Annotated[str, typer.Argument(help="An existing company: the program acts for its users alone.")]


def create_client(
    company: Company,
    name: Annotated[str, typer.Argument(help="What users are shown when they are asked to allow it.")],
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where the program takes its answers, to the letter. Can be given several times."),
    ] = None,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Register a program, and print its client id and secret. Works beside a running server.

    A program with pages of its own needs --redirect-uri: it sends users to
    /auth/oauth2/authorize and gets a code back there. One that knows a
    user's password needs none. Both get their tokens at /auth/oauth2/token.
    """
    stores = Stores(data, database)
    found = accounts.find_company(stores, company)
    client, secret = clients.create_client(stores, found, name, redirect_uri or [], system_clock())
    if json:
        print_json(
            {
                "company": found.name,
                "name": client.name,
                "clientId": client.identifier,
                "clientSecret": secret,
                "redirectUris": list(client.redirect_uris),
            }
        )
        return
    OUTPUT.print(Text(f"{client.name} may now ask users of company {found.name}."), soft_wrap=True)
    OUTPUT.print(Text(f"  client id                    {client.identifier}"), soft_wrap=True)
    OUTPUT.print(Text(f"  client secret, shown once    {secret}"), soft_wrap=True)
    for uri in client.redirect_uris:
        OUTPUT.print(Text(f"  redirect URI                 {uri}"), soft_wrap=True)


def list_clients(data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False) -> None:
    """Show the registered programs; their secrets are not known to anybody but them."""
    found = clients.list_clients(Stores(data, database))
    if json:
        print_json(
            [
                {
                    "company": client.company.name,
                    "name": client.name,
                    "clientId": client.identifier,
                    "redirectUris": list(client.redirect_uris),
                }
                for client in found
            ]
        )
        return
    table = Table("company", "name", "client id", "redirect URIs")
    for client in found:
        cells = (client.company.name, client.name, client.identifier, "\n".join(client.redirect_uris))
        table.add_row(*map(Text, cells))
    OUTPUT.print(table)


def delete_client(
    company: Company,
    name: Annotated[str, typer.Argument(help="The name it was registered with.")],
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Delete a program. Every token it was given ends at once."""
    stores = Stores(data, database)
    client = clients.delete_client(stores, accounts.find_company(stores, company), name)
    if json:
        print_json({"company": client.company.name, "name": client.name, "clientId": client.identifier})
    else:
        OUTPUT.print(Text(f"{client.name} is deleted; its tokens have ended."), soft_wrap=True)
