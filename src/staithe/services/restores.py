"""Restores a company from a backup, beside the companies that are served.

The backup is read to its end and checked before anything is written. Then the company is made: a row in the control
store that nobody sees, its files, its rows, its indexes; and in one last transaction its users, and that it is seen.
A restore that breaks off leaves only what nobody sees, and the next restore removes it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from staithe.clock import Clock
from staithe.domain.backups import Manifest, Report, Step
from staithe.domain.companies import COMPANY_RULE, Company, is_company_name, is_user_name
from staithe.domain.errors import Busy, Conflict, Failure, ValidationFailed
from staithe.services.stores import CompanyStore, Stores
from staithe.staging.backup_reader import BackupReader
from staithe.storage import backup, control, restore
from staithe.storage.backup import Table
from staithe.storage.database import Connection
from staithe.storage.schema import newest_schema

PURPOSE: Final = "restore"
OTHER_NAME: Final = "Restore it under another name: --company NEWNAME."


class Restored(Struct, frozen=True):
    """The company that was made, and what the backup has said of itself."""

    company: Company
    manifest: Manifest


def restore_company(stores: Stores, path: Path, name: str, clock: Clock, report: Report) -> Restored:
    """Make a company of a backup.

    Args:
        stores: where to.
        path: the file of the backup.
        name: of the new company; empty for the one it had.
        clock: the time.
        report: told how far it is.

    Raises:
        NotFound: there is no such file.
        ValidationFailed: it is no whole backup, or of another schema version; or the name cannot be used.
        Conflict: there is a company with this name.
        Busy: another restore is under way.
        StorageFull: the disk is full.
    """
    with BackupReader(path) as backup_file:
        wanted = name or backup_file.manifest.company
        # Companies of older versions had names as users have them: such a one goes on under its own.
        if not (is_company_name(wanted) or (not name and is_user_name(wanted))):
            raise ValidationFailed(Failure("--company", f"Must have {COMPANY_RULE}.", wanted))
        with stores.control.read() as connection:
            refuse_name(connection, wanted)
        check_backup(backup_file, report)
        with only_restore(stores), unseen_company(stores, wanted, clock) as company:
            fill(stores, company, backup_file, clock, report)
        stores.hint_pending(company)
        return Restored(company, backup_file.manifest)


def check_heading(path: Path) -> None:
    """Refuse what is no backup, before a store is made for it.

    Raises:
        NotFound: there is no such file.
        ValidationFailed: it is no backup, is cut off, or is of a newer format.
    """
    with BackupReader(path):
        pass


def check_backup(backup_file: BackupReader, report: Report) -> None:
    """Read all of a backup, and make sure that this version can restore it.

    Raises:
        ValidationFailed: it is damaged, or of another schema version.
    """
    manifest = backup_file.manifest
    newest = newest_schema("company")
    if manifest.schema_version != newest:
        relation = "newer" if manifest.schema_version > newest else "older"
        rule = (
            f"Must have the schema version {newest} of this staithe, not the {relation} {manifest.schema_version}: "
            f"restore it with staithe {manifest.product_version}, which wrote it; newer ones then take that store."
        )
        raise ValidationFailed(Failure(str(backup_file.path), rule))
    backup_file.check(backup.SHAPES, backup.FILE_NAMES, report)


def fill(stores: Stores, company: Company, backup_file: BackupReader, clock: Clock, report: Report) -> None:
    """Give a company that nobody sees all that a backup has, and let it be seen."""
    store = stores.open(company)
    put_files(store, backup_file, report)
    put_rows(store, backup_file, report)
    make_indexes(store, backup_file, report)
    with store.database.write() as connection:
        restore.settle_syncs(connection, clock())
    show(stores, backup_file, company)


@contextmanager
def only_restore(stores: Stores) -> Generator[None]:
    """Within the block no other restore runs; what earlier ones have left is removed first.

    Raises:
        Busy: another restore is under way.
    """
    with stores.control.alone(PURPOSE) as is_alone:
        if not is_alone:
            raise Busy("Another restore is under way.", "Wait for its end: they are done one after another.")
        with stores.control.read() as connection:
            left = control.companies_restored(connection)
        for company in left:
            give_up(stores, company)
        yield


@contextmanager
def unseen_company(stores: Stores, name: str, clock: Clock) -> Generator[Company]:
    """A company that nobody sees, with an empty store; if the block raises, nothing is left of it.

    Raises:
        Conflict: there is a company with this name.
    """
    with stores.control.write() as connection:
        company = control.begin_restore(connection, name, clock())
        if company is None:
            raise Conflict(f"There is a company {name} already.", OTHER_NAME)
        stores.make(company)
    try:
        yield company
    except BaseException:
        give_up(stores, company)
        raise


def refuse_name(connection: Connection, name: str) -> None:
    """Make sure that no company has a name.

    Raises:
        Conflict: one has it.
    """
    if control.find_company(connection, name) is not None:
        raise Conflict(f"There is a company {name} already.", OTHER_NAME)


def give_up(stores: Stores, company: Company) -> None:
    """Remove a company whose restore is not complete: first what it has stored, then its row."""
    stores.erase(company)
    with stores.control.write() as connection:
        control.forget_restore(connection, company)


def put_files(store: CompanyStore, backup_file: BackupReader, report: Report) -> None:
    """Write all files, durably."""
    files = backup_file.manifest.files
    done_bytes = 0
    for number, file in enumerate(files, start=1):
        store.folders[file.folder].put(file.name, backup_file.pieces(file))
        done_bytes += file.bytes
        report(Step.FILES, number, len(files), done_bytes)


def put_rows(store: CompanyStore, backup_file: BackupReader, report: Report) -> None:
    """Insert all rows; the contact fields first, as they say what columns contacts have."""
    with store.database.write() as connection:
        restore.drop_indexes(connection)
        tables = {table.name: table for table in backup.tables_of(connection)}
    progress = RowProgress(backup_file, report)
    put_table(store, tables.pop(restore.FIRST_TABLE), backup_file, progress)
    with store.database.write() as connection:
        restore.add_own_columns(connection)
        further = [table for table in backup.tables_of(connection) if table.name in tables]
    for table in further:
        put_table(store, table, backup_file, progress)


class RowProgress:
    """Counts the rows that are restored."""

    def __init__(self, backup_file: BackupReader, report: Report) -> None:
        self.done = 0
        manifest = backup_file.manifest
        self.total = manifest.rows - sum(manifest.rows_of(table.name) for table in backup.CONTROL_TABLES)
        self.report = report

    def add(self, rows: int, read_bytes: int) -> None:
        """So many more rows are restored; of the table so many bytes are read."""
        self.done += rows
        self.report(Step.ROWS, self.done, self.total, read_bytes)


def put_table(store: CompanyStore, table: Table, backup_file: BackupReader, progress: RowProgress) -> None:
    """Insert the rows of a table, a transaction for each batch."""
    for values in backup_file.batches(table.name):
        with store.database.write() as connection:
            restore.insert_rows(connection, table, values)
        progress.add(len(next(iter(values.values()))), backup_file.read_bytes)


def make_indexes(store: CompanyStore, backup_file: BackupReader, report: Report) -> None:
    """Make the indexes, when all rows are there; a transaction for each table."""
    with store.database.read() as connection:
        tables = backup.tables_of(connection)
    total = len(tables) + 1
    for number, table in enumerate(tables, start=1):
        with store.database.write(sorts=True) as connection:
            restore.make_indexes(connection, table)
        report(Step.INDEXES, number, total, 0)
    with store.database.write(sorts=True) as connection:
        restore.make_match_indexes(connection, backup_file.manifest.match_columns)
    report(Step.INDEXES, total, total, 0)


def show(stores: Stores, backup_file: BackupReader, company: Company) -> None:
    """Give the company its users and limits, and let it be seen."""
    rows = [(table, values) for table in backup.CONTROL_TABLES for values in backup_file.batches(table.name)]
    with stores.control.write() as connection:
        for table, values in rows:
            control.add_restored(connection, company, table, values)
        if not control.end_restore(connection, company):
            raise Conflict(f"The restore to {company.name} was given up meanwhile.", "Restore the backup again.")
