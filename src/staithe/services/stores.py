"""Where everything is: the stores of a deployment, and the files of each company.

STORES    SQLite files in DATA, or schemas of a PostgreSQL database: `staithe.storage.databases`
STAGING/companies/ID/staging/       a company's staged uploads
STAGING/companies/ID/rejects/       the rejects of its syncs
STAGING/companies/ID/exports/       the data of its exports

STAGING is DATA itself, another directory, or a prefix of a bucket in an object store: `staithe.staging.area`.
"""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path
from typing import Final

from staithe.domain.backups import Folder
from staithe.domain.companies import Company
from staithe.domain.errors import RequestError
from staithe.domain.pauses import USUAL_PAUSES, Pauses
from staithe.staging.area import StagingArea
from staithe.storage import control
from staithe.storage.database import Database
from staithe.storage.databases import Watch, open_databases

LOGGER: Final = logging.getLogger(__name__)


class CompanyStore:
    """Everything of one company. `sweep_at` is when its files are to be swept next, of `time.monotonic`."""

    def __init__(self, company: Company, database: Database, area: StagingArea) -> None:
        self.company = company
        self.database = database
        folder = f"companies/{company.id}"
        self.staging = area.folder(f"{folder}/staging")
        self.rejects = area.folder(f"{folder}/rejects")
        self.exports = area.folder(f"{folder}/exports")
        self.folders = {Folder.STAGING: self.staging, Folder.REJECTS: self.rejects, Folder.EXPORTS: self.exports}
        self.sweep_at = 0.0


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
        self.lock = threading.Lock()

    def open(self, company: Company) -> CompanyStore:
        """The store of a company."""
        with self.lock:
            if company.id not in self.opened:
                database = self.databases.open_company(company.id)
                self.opened[company.id] = CompanyStore(company, database, self.area)
            return self.opened[company.id]

    def erase(self, company: Company) -> None:
        """Remove all rows and files of a company that nobody sees, but for its row in the control store."""
        store = self.open(company)
        for folder in store.folders.values():
            folder.clear()
        store.database.close()
        with self.lock:
            del self.opened[company.id]
        self.databases.erase_company(company.id)
        shutil.rmtree(self.folder_of(company), ignore_errors=True)

    def folder_of(self, company: Company) -> Path:
        """What a company has in the data directory."""
        return self.data / "companies" / str(company.id)

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
