"""`staithe seed`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.cli.places import open_stores
from staithe.cli.progress import progress_bar
from staithe.clock import system_clock
from staithe.services import accounts, seeding
from staithe.services.stores import CompanyStore


def seed(
    company: Annotated[str, typer.Argument(help="An existing company.")],
    contacts: Annotated[int, typer.Option(min=1, help="How many contacts to add.")],
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Add contacts contact-{id}@example.com to a company, all or none. Works beside a running server."""
    stores = open_stores(data, database)
    store = stores.open(accounts.find_company(stores, company))
    began = time.perf_counter()
    first, last = seed_with_progress(store, contacts)
    seconds = time.perf_counter() - began
    if json:
        print_json({"company": company, "firstId": first, "lastId": last, "seconds": round(seconds, 3)})
    else:
        OUTPUT.print(f"Contacts {first:,} to {last:,} added in {seconds:.1f} s.")


def seed_with_progress(store: CompanyStore, contacts: int, *, transient: bool = False) -> tuple[int, int]:
    """Seed a company with a progress bar; gives the first and the last id."""
    with progress_bar(transient=transient) as progress:
        task = progress.add_task("seeding contacts", total=contacts)
        return seeding.seed(store, contacts, system_clock(), lambda done: progress.update(task, completed=done))
