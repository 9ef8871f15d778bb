"""`staithe status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.cli.places import open_stores
from staithe.data_lock import is_held
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.services.stores import Stores
from staithe.storage import control, definitions, sets, syncs, uploads

HEADINGS: Final[Mapping[str, str]] = {
    "users": "users",
    "contacts": "contacts",
    "definitions": "definitions",
    "uploads": "uploads\nstaged",
    "stagedKb": "staged\nkB",
}
"""Name of a number of a company -> what the table calls it, narrow enough for 80 characters."""


def status(data: Data = DEFAULT_DATA, database: DatabaseUrl = "", json: Json = False) -> None:
    """Show what the data directory holds, and whether a server runs on it."""
    stores = open_stores(data, database)
    with stores.control.read() as connection:
        companies = control.all_companies(connection)
        users = {company.id: len(control.users_of(connection, company)) for company in companies}
    rows: list[dict[str, Any]] = [{"name": c.name, "users": users[c.id], **figures(stores, c)} for c in companies]
    serving = is_held(data)
    if json:
        print_json({"data": str(data), "serving": serving, "companies": rows})
        return
    OUTPUT.print(f"{data}: {'a server runs on it' if serving else 'no server runs on it'}")
    table = Table("company")
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right")
    table.add_column("syncs")
    for row in rows:
        by_status = ", ".join(f"{count:,} {name}" for name, count in row["syncs"].items()) or "none"
        numbers = (f"{row[name]:,}" for name in HEADINGS)
        table.add_row(row["name"], *numbers, by_status)
    OUTPUT.print(table)


def figures(stores: Stores, company: control.Company) -> dict[str, Any]:
    """The figures of one company."""
    with stores.open(company).database.read() as connection:
        return {
            "contacts": sets.set_size(connection, CONTACTS_SET),
            "definitions": definitions.count_definitions(connection),
            "uploads": uploads.count_uploads(connection),
            "stagedKb": -(-uploads.staged_bytes(connection) // 1024),
            "syncs": syncs.counts_by_status(connection),
        }
