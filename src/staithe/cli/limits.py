"""`staithe company limits`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import Struct
from rich.table import Table

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, print_json
from staithe.cli.places import open_stores
from staithe.domain.companies import Company
from staithe.domain.company_limits import OwnLimits
from staithe.services import accounts, company_limits


class LimitRow(Struct, frozen=True):
    """How a limit is shown: its name, in JSON too, the option of both commands, its unit, and what 0 means."""

    name: str
    key: str
    option: str
    unit: str = ""
    zero: str = ""


ROWS: Final = {
    "staging_quota_kb": LimitRow("staging quota", "stagingQuotaKb", "--staging-quota-kb", unit=" kB"),
    "uploads_at_once": LimitRow("uploads at once", "uploadsAtOnce", "--uploads-at-once"),
    "syncs_per_hour": LimitRow("syncs an hour", "syncsPerHour", "--syncs-per-hour", zero="no limit"),
}


def set_limits(
    name: Annotated[str, typer.Argument(help="An existing company.")],
    staging_quota_kb: Annotated[int | None, typer.Option(help="kB that it may have staged; more is 413.")] = None,
    uploads_at_once: Annotated[
        int | None, typer.Option(help="Uploads that each HTTP process receives of it at once; one more is 429.")
    ] = None,
    syncs_per_hour: Annotated[
        int | None, typer.Option(help="Syncs that it may start in any 60 minutes; one more is 429. 0: no limit.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget what was set for it before: the server's defaults hold again.")
    ] = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    json: Json = False,
) -> None:
    """Show what a company may use, and set it.

    Without options it shows the limits. One that is not set for the company is
    the server's default: the option of the same name of staithe serve.
    A running server obeys a change within about a second.
    """
    stores = open_stores(data, database)
    company = accounts.find_company(stores, name)
    wanted = OwnLimits(
        staging_quota_kb=staging_quota_kb, uploads_at_once=uploads_at_once, syncs_per_hour=syncs_per_hour
    )
    if reset or wanted != OwnLimits():
        limits = company_limits.change(stores, company, wanted, reset=reset)
    else:
        limits = company_limits.read_own(stores, company)
    show(company, msgspec.structs.asdict(limits), json=json)


def show(company: Company, limits: dict[str, Any], *, json: bool) -> None:
    """Print the limits of a company: None is the server's default, which is not known here."""
    if json:
        print_json({"company": company.name} | {ROWS[attribute].key: value for attribute, value in limits.items()})
        return
    table = Table("limit", f"company {company.name}", "set by")
    for attribute, value in limits.items():
        row = ROWS[attribute]
        if value is None:
            table.add_row(row.name, "server's default", f"staithe serve {row.option}")
        else:
            shown = row.zero if value == 0 else f"{value:,}{row.unit}"
            table.add_row(row.name, shown, f"staithe company limits {row.option}")
    OUTPUT.print(table)
