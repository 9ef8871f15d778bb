"""`staithe backup` and `staithe restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.filesize import decimal

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, StagingAddress, print_json, read_staging
from staithe.cli.places import open_stores
from staithe.cli.progress import StepBars
from staithe.clock import system_clock
from staithe.domain.backups import Manifest
from staithe.domain.times import format_time
from staithe.services import accounts, backups, deployment, restores

COUNTED: Final = {"contacts": "contact", "sets": "id_set", "syncs": "sync", "users": "user_account"}
"""What is counted at the end -> its table."""


def backup(
    company: Annotated[str, typer.Argument(help="An existing company.")],
    file: Annotated[Path, typer.Argument(help="Where to write it: a zip archive, readable by you alone.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    json: Json = False,
) -> None:
    """Write all of a company to FILE, as it was at one moment. Works beside a running server, which goes on serving.

    In it are contacts, their fields, lists, groups, segments, filters, definitions, syncs with logs and rejects, staged
    uploads that wait, exported data, every change of every set, limits, and users with the hashes of their passwords.
    OAuth clients and tokens are not: they are made anew. FILE comes to be when all of it is on disk; a backup that is
    killed leaves FILE.part, which the next one overwrites.

    Read it back with: staithe restore FILE
    """
    stores = open_stores(data, database, read_staging(staging))
    deployment.claim_staging_area(stores)
    found = accounts.find_company(stores, company)
    began = time.perf_counter()
    with StepBars() as bars:
        target = backups.Target(file, force)
        written = backups.back_up(stores, found, target, system_clock, bars.report)
    figures = count(written.manifest, written.file_bytes, time.perf_counter() - began)
    stores.close()
    if json:
        print_json({"company": found.name, "file": str(file), **figures})
    else:
        OUTPUT.print(f"Company {found.name} as of {figures['moment']} is in {file}: {tell(figures)}.", soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="What staithe backup has written.")],
    company: Annotated[
        str, typer.Option(help="The name of the company that is made. Default: the one it had.", show_default=False)
    ] = "",
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    json: Json = False,
) -> None:
    """Make a company of a backup. Works beside a running server, which serves it as soon as it is whole.

    All of FILE is read and checked first; a file that is damaged or cut off changes nothing. No company is ever
    replaced: one that exists keeps its name, and the restored one takes another with --company. Users log in with the
    passwords they had. Syncs that were under way go on; callbacks of those that had ended are not made again.

    A restore that breaks off leaves nothing that anyone sees. Call it again: it removes what is left first.
    """
    restores.check_heading(file)
    stores = open_stores(data, database, read_staging(staging), makes=True)
    deployment.claim_staging_area(stores)
    began = time.perf_counter()
    with StepBars() as bars:
        restored = restores.restore_company(stores, file, company, system_clock, bars.report)
    figures = count(restored.manifest, file.stat().st_size, time.perf_counter() - began)
    stores.close()
    if json:
        print_json({"company": restored.company.name, "file": str(file), **figures})
    else:
        name, moment = restored.company.name, figures["moment"]
        OUTPUT.print(f"Company {name} is restored as of {moment}: {tell(figures)}.", soft_wrap=True)


def count(manifest: Manifest, file_bytes: int, seconds: float) -> dict[str, Any]:
    """What a backup holds, in numbers."""
    return {
        "moment": format_time(manifest.created_at),
        **{name: manifest.rows_of(table) for name, table in COUNTED.items()},
        "files": len(manifest.files),
        "rows": manifest.rows,
        "bytes": file_bytes,
        "seconds": round(seconds, 3),
    }


def tell(figures: dict[str, Any]) -> str:
    """The numbers in words."""
    numbers = ", ".join(f"{figures[name]:,} {name}" for name in (*COUNTED, "files", "rows"))
    return f"{numbers}, {decimal(figures['bytes'])} in {figures['seconds']:.1f} s"
