"""Makes a backup of a company while the server serves: all of it as it was at one moment.

The rows are read in one read transaction. Files that these rows name are deleted by syncs that end meanwhile, so the
files are copied first. If one is gone before it was copied, a later moment is taken, of which only the files that are
new have to be copied: in a few rounds that takes less time than there is between two syncs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from staithe import __version__
from staithe.clock import Clock
from staithe.domain.backups import FORMAT, FORMAT_VERSION, Folder, Manifest, Report, Step
from staithe.domain.companies import Company
from staithe.domain.errors import Busy, Damaged, Gone
from staithe.services.stores import CompanyStore, Stores
from staithe.staging.backup_file import BackupWriter
from staithe.storage import backup
from staithe.storage.database import Connection
from staithe.storage.pages import page_faults
from staithe.storage.schema import schema_version

MOST_ROUNDS: Final = 50
ROUND_PAUSE_SECONDS: Final = 0.02
FIRST_PAGE_ROWS: Final = 512
MOST_PAGE_ROWS: Final = 16_384
PAGE_BYTES: Final = 8 * 1024 * 1024
"""What a page of rows should take in memory."""

LOST_FILE_ADVICE: Final = (
    "Someone has deleted it. Delete what names it (the staged data of its definition, or the data of its sync), "
    "then call staithe backup again."
)
DAMAGED_FILE_ADVICE: Final = LOST_FILE_ADVICE.removeprefix("Someone has deleted it. ")
DAMAGED_STORE_ADVICE: Final = "Restore the last backup under another name, and see what staithe doctor --deep says."
Named = tuple[Folder, str]
Listed = tuple[Folder, str, bytes | None]
"""A file that a row names: its folder, its name, its checksums."""


class Written(Struct, frozen=True):
    """What was written: the manifest, and the size of the file in bytes."""

    manifest: Manifest
    file_bytes: int


class Target(Struct, frozen=True):
    """Where a backup goes: a file, and whether one that exists is replaced."""

    path: Path
    replaces: bool


def back_up(stores: Stores, company: Company, target: Target, clock: Clock, report: Report) -> Written:
    """Write everything of a company to a file, which is there when all of it is on disk.

    Raises:
        Conflict: the file exists already, or cannot be written.
        StorageFull: the disk of the backup is full.
        Gone: a file that a row names is not there.
        Damaged: a file, or a page of the store, is not as it was written.
        Busy: files were deleted faster than they could be copied.
    """
    store = stores.open(company)
    check_store(store)
    with BackupWriter(target.path, replace=target.replaces) as writer:
        return write_moment(stores, store, writer, clock, report)


def check_store(store: CompanyStore) -> None:
    """Make sure that every page of a store can be read: rows that lie on a damaged one may be passed over in silence.

    Raises:
        Damaged: one cannot.
    """
    with store.database.read() as connection:
        faults = page_faults(connection, is_quick=True)
    if faults:
        raise Damaged(f"The store of company {store.company.name} is damaged: {faults[0]}.", DAMAGED_STORE_ADVICE)


def write_moment(stores: Stores, store: CompanyStore, writer: BackupWriter, clock: Clock, report: Report) -> Written:
    """Write one moment of a company: the first one whose files could all be copied."""
    missing: set[Named] = set()
    for _ in range(MOST_ROUNDS):
        with store.database.read() as connection:
            files = list(backup.named_files(connection))
            moment = clock()
            missing = copy_files(store, files, missing, writer, report)
            if not missing:
                write_control(stores, store, writer)
                write_rows(connection, writer, report)
                manifest = make_manifest(store, connection, writer, files, moment)
                return Written(manifest, writer.finish(manifest))
        time.sleep(ROUND_PAUSE_SECONDS)
    raise Busy("Syncs delete their files faster than they can be copied.", "Try again when fewer syncs run.")


def copy_files(
    store: CompanyStore,
    files: Sequence[Listed],
    missed: set[Named],
    writer: BackupWriter,
    report: Report,
) -> set[Named]:
    """Copy the files that the backup does not have yet; gives those that are gone.

    Args:
        store: of the company.
        files: those that the rows of this moment name.
        missed: those that were gone at an earlier moment; no row can name them any more.
        writer: of the backup.
        report: told how far it is.

    Raises:
        Gone: a row still names a file that was missed before.
        Damaged: a file is not as it was written.
    """
    missing: set[Named] = set()
    for number, (folder, name, checksums) in enumerate(files, start=1):
        if (folder, name) in missed:
            path = f"{folder.value}/{name}"
            raise Gone(f"The company's store names the file {path}, which is not there.", LOST_FILE_ADVICE)
        if (folder, name) not in writer.files:
            try:
                with store.folders[folder].open(name) as source:
                    writer.add_file(folder, name, source, checksums)
            except FileNotFoundError:
                missing.add((folder, name))
            except Damaged as error:
                raise Damaged(error.message, DAMAGED_FILE_ADVICE) from error
        report(Step.FILES, number, len(files), writer.bytes)
    return missing


def write_control(stores: Stores, store: CompanyStore, writer: BackupWriter) -> None:
    """Write what the control store has of the company, as tables among the others."""
    with stores.control.read() as connection:
        found = {table: backup.read_control(connection, store.company, table) for table in backup.CONTROL_TABLES}
    for table, rows in found.items():
        with writer.begin_table(backup.shape_of(table)) as target:
            if rows:
                target.write(rows)


def write_rows(connection: Connection, writer: BackupWriter, report: Report) -> None:
    """Write all tables, page by page; a page has as many rows as fit into its bytes."""
    tables = backup.tables_of(connection)
    total = sum(backup.count_rows(connection, table) for table in tables)
    done = 0
    for table in tables:
        after, limit = None, FIRST_PAGE_ROWS
        with writer.begin_table(backup.shape_of(table)) as target:
            while rows := backup.read_page(connection, table, after, limit):
                row_bytes = target.write(rows) / len(rows)
                done += len(rows)
                report(Step.ROWS, done, total, writer.bytes)
                if len(rows) < limit:
                    break
                after = backup.key_of(table, rows[-1])
                limit = max(1, min(MOST_PAGE_ROWS, 2 * limit, int(PAGE_BYTES / row_bytes)))


def make_manifest(
    store: CompanyStore,
    connection: Connection,
    writer: BackupWriter,
    files: Sequence[Listed],
    moment: int,
) -> Manifest:
    """What the backup says of itself. Files that only an earlier round has copied are not in it."""
    return Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        product_version=__version__,
        schema_version=schema_version(connection),
        company=store.company.name,
        created_at=moment,
        match_columns=backup.match_columns(connection),
        tables=writer.tables,
        files=[writer.files[folder, name] for folder, name, _ in files],
    )
