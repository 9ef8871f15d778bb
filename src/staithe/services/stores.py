"""Where everything is: the stores of a deployment, and the files of each company.

STORES    SQLite files in DATA, or schemas of a PostgreSQL database: `staithe.storage.databases`
STAGING/companies/ID/staging/       a company's staged uploads
STAGING/companies/ID/rejects/       the rejects of its syncs
STAGING/companies/ID/exports/       the data of its exports

STAGING is DATA itself, another directory, or a prefix of a bucket in an object store: `staithe.staging.area`.
"""

from __future__ import annotations

import copy
import logging
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from staithe.domain.backups import Folder
from staithe.domain.companies import Company
from staithe.domain.errors import RequestError, StoreUnusable
from staithe.domain.pauses import USUAL_PAUSES, Pauses
from staithe.staging.area import StagingArea
from staithe.staging.arrow_folder import ArrowFolder
from staithe.storage import control
from staithe.storage.database import Database
from staithe.storage.databases import Watch, open_databases
from staithe.storage.deadlines import NewLimit

LOGGER: Final = logging.getLogger(__name__)


UNKNOWN_VERSION: Final = -1
"""Of a control store that nobody has looked at."""


class CompanyStore:
    """Everything of one company. `sweep_at` is when its files are to be swept next, of `time.monotonic`; `user_ids` are
    those of its users by their names in lower case, as a version of the control store had them."""

    def __init__(self, company: Company, database: Database, area: StagingArea) -> None:
        self.company = company
        self.database = database
        self.folders = folders_of(company, area)
        self.staging = self.folders[Folder.STAGING]
        self.rejects = self.folders[Folder.REJECTS]
        self.exports = self.folders[Folder.EXPORTS]
        self.sweep_at = 0.0
        self.user_ids: tuple[int, Mapping[str, str]] = UNKNOWN_VERSION, {}

    def limited(self, new_limit: NewLimit) -> CompanyStore:
        """The same with a limit for each transaction."""
        same = copy.copy(self)
        same.database = self.database.limited(new_limit)
        return same


def folders_of(company: Company, area: StagingArea) -> dict[Folder, ArrowFolder]:
    """The folders of a company's files."""
    return {folder: area.folder(f"companies/{company.id}/{folder.value}") for folder in Folder}


class Stores:
    """The stores of a deployment, opened when they are first asked for.

    Args:
        data: the data directory.
        database: the URL of a PostgreSQL database; empty for SQLite files in the data directory.
        staging: where staged files are, `s3://bucket/prefix` or a directory; empty for the data directory.
        pauses: how long an object store is waited for, and how long what PostgreSQL has said is good.

    Raises:
        ValidationFailed: `staging` is wrong.
    """

    def __init__(self, data: Path, database: str = "", staging: str = "", pauses: Pauses = USUAL_PAUSES) -> None:
        self.data = data
        self.area = StagingArea(staging, data, pauses)
        self.pauses = pauses
        self.databases = open_databases(data, database)
        self.control: Database = self.databases.control
        self.hints: Database = self.databases.hints
        self.opened: dict[int, CompanyStore] = {}
        self.refused: dict[int, str] = {}
        """Companies whose store cannot be used, and why: said in the log once."""
        self.lock = threading.Lock()

    def make(self, company: Company) -> None:
        """Make the store of a new company: in the transaction that inserts its row, so that no row is without one.

        Raises:
            Conflict: there is a store that was used.
        """
        self.databases.make_company(company.id)

    def open(self, company: Company) -> CompanyStore:
        """The store of a company.

        Raises:
            StoreUnusable: it is missing, or not of this version. The log says so, and where it is, once.
        """
        with self.lock:
            if company.id not in self.opened:
                database = self.open_database(company)
                self.opened[company.id] = CompanyStore(company, database, self.area)
            # It may have another name by now.
            self.opened[company.id].company = company
            return self.opened[company.id]

    def open_database(self, company: Company) -> Database:
        try:
            database = self.databases.open_company(company.id)
        except StoreUnusable as error:
            if self.refused.get(company.id) != error.message:
                self.refused[company.id] = error.message
                LOGGER.error("company %s is refused: %s (%s)", company.name, error.message, error.place)
            raise
        self.refused.pop(company.id, None)
        return database

    def erase(self, company: Company) -> None:
        """Remove all rows and files of a company that nobody sees, but for its row in the control store.

        Its store may be damaged, or gone in part.

        Raises:
            Busy: the store is in use.
            StagingUnavailable: the object store fails.
        """
        self.close_stores({company.id})
        for folder in folders_of(company, self.area).values():
            folder.clear()
        self.databases.erase_company(company.id)
        for root in {self.data, self.data if self.area.bucket else self.area.directory}:
            shutil.rmtree(root / "companies" / str(company.id), ignore_errors=True)

    def close_stores(self, company_ids: set[int]) -> None:
        """Close the stores of companies: files that are gone from their folder take no more room then."""
        with self.lock:
            closed = [self.opened.pop(number) for number in self.opened.keys() & company_ids]
        for store in closed:
            store.database.close()

    def close_deleted(self) -> None:
        """Close the stores of companies that were deleted."""
        with self.control.read() as connection:
            deleted = control.deleted_ids(connection)
        self.close_stores(deleted)

    def may_have_leases(self, company: Company) -> bool:
        """Whether a worker may have a sync of a company: a quick look, which leaves nothing open."""
        return self.databases.may_have_leases(company.id)

    def hint_pending(self, company: Company) -> None:
        """Wake the workers: a sync of this company is pending.

        It is stored already. So nobody may be told that it failed if the hint does: workers also scan.
        """
        try:
            with self.hints.write() as connection:
                control.hint_pending(connection, company.id)
        except RequestError as error:
            LOGGER.warning("no hint that company %s has a pending sync: %s", company.name, error)

    def watch(self) -> Watch:
        """Begin to watch for hints."""
        return self.databases.watch()

    def watch_control(self) -> Watch:
        """Begin to watch for changes of the control store. One thread asks it: the one that has called this."""
        return self.databases.watch_control(self.pauses.control_seconds)

    def close(self) -> None:
        """Close every store."""
        self.databases.close()
