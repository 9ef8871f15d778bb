"""`staithe client`: programs that log in with OAuth."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.cli.places import open_stores
from staithe.clock import system_clock
from staithe.domain.oauth import Client
from staithe.services import accounts, clients

MINUTE_SECONDS: Final = 60
MOST_MINUTES: Final = 366 * 24 * 60
Company = Annotated[str, typer.Argument(help="An existing company: the program acts for its users alone.")]


def create_client(
    company: Company,
    name: Annotated[str, typer.Argument(help="What users are shown when they are asked to allow it.")],
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where the program takes its answers, to the letter. Can be given several times."),
    ] = None,
    redirect_prefix: Annotated[
        list[str] | None,
        typer.Option(help="The same for a program that adds a path or a query to its address. Prefer --redirect-uri."),
    ] = None,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Register a program, and print its client id and secret. Works beside a running server.

    A program with pages of its own needs --redirect-uri: it sends users to
    /auth/oauth2/authorize and gets a code back there. One that knows a
    user's password needs none. Both get their tokens at /auth/oauth2/token,
    and end them at /auth/oauth2/revoke.

    With --redirect-prefix https://app.example.com/callback answers may also
    go to https://app.example.com/callback/7 or .../callback?id=7: whoever can
    put a page there can get at them, so give it to a program that needs it.

    Example: staithe client create acme 'My program' --redirect-uri https://app.example.com/callback
    """
    stores = open_stores(data, database)
    found = accounts.find_company(stores, company)
    client, secret = clients.create_client(
        stores, found, name, redirect_uri or [], system_clock(), redirect_prefix or []
    )
    tell_secret(client, secret, f"{client.name} may now ask users of company {found.name}.", json=json)


def tell_secret(client: Client, secret: str, what: str, *, json: bool) -> None:
    """Print a client with its new secret."""
    if json:
        print_json(
            {
                "company": client.company.name,
                "name": client.name,
                "clientId": client.identifier,
                "clientSecret": secret,
                **addresses_of(client),
            }
        )
        return
    OUTPUT.print(Text(what), soft_wrap=True)
    OUTPUT.print(Text(f"  client id                    {client.identifier}"), soft_wrap=True)
    OUTPUT.print(Text(f"  client secret, shown once    {secret}"), soft_wrap=True)
    for uri in client.redirect_uris:
        OUTPUT.print(Text(f"  redirect URI                 {uri}"), soft_wrap=True)
    for prefix in client.redirect_prefixes:
        OUTPUT.print(Text(f"  redirect URI and below       {prefix}"), soft_wrap=True)


def addresses_of(client: Client) -> dict[str, list[str]]:
    """Where answers to a client may go, for a JSON object."""
    return {"redirectUris": list(client.redirect_uris), "redirectPrefixes": list(client.redirect_prefixes)}


def rotate_client(
    company: Company,
    name: Annotated[str, typer.Argument(help="The name it was registered with.")],
    keep_old: Annotated[
        float,
        typer.Option("--keep-old", min=0, max=MOST_MINUTES, help="Minutes for which the old secret is good still."),
    ] = 0.0,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Give a program another secret, and print it. Works beside a running server.

    The old secret ends at once: right for one that others may have seen. With
    --keep-old both are good for so many minutes, so that a program can be
    given the new one while it runs. Its client id stays, and so do the tokens
    that it was given for users: staithe client delete ends those.

    Example: staithe client rotate acme 'My program' --keep-old 60
    """
    stores = open_stores(data, database)
    found = accounts.find_company(stores, company)
    client, secret = clients.rotate_secret(stores, found, name, system_clock(), keep_old * MINUTE_SECONDS)
    old = f"The old one is good for {keep_old:g} more minutes." if keep_old else "The old one has ended."
    tell_secret(client, secret, f"{client.name} of company {found.name} has another secret. {old}", json=json)


def list_clients(data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False) -> None:
    """Show the registered programs; their secrets are not known to anybody but them."""
    found = clients.list_clients(open_stores(data, database))
    if json:
        print_json(
            [
                {
                    "company": client.company.name,
                    "name": client.name,
                    "clientId": client.identifier,
                    **addresses_of(client),
                }
                for client in found
            ]
        )
        return
    table = Table("company", "name", "client id", "redirect URIs")
    for client in found:
        addresses = [*client.redirect_uris, *(f"{prefix} and below" for prefix in client.redirect_prefixes)]
        cells = (client.company.name, client.name, client.identifier, "\n".join(addresses))
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
    stores = open_stores(data, database)
    client = clients.delete_client(stores, accounts.find_company(stores, company), name)
    if json:
        print_json({"company": client.company.name, "name": client.name, "clientId": client.identifier})
    else:
        OUTPUT.print(Text(f"{client.name} is deleted; its tokens have ended."), soft_wrap=True)
