"""Where everything is: the data directory, the control store in it, and one folder a company.

DATA/control.db                     companies, users, hints
DATA/companies/ID/company.db        all rows of one company
DATA/companies/ID/staging/          its staged uploads
DATA/companies/ID/rejects/          the rejects of its syncs
DATA/companies/ID/exports/          the data of its exports
"""

from __future__ import annotations

import threading
from pathlib import Path

from staithe.domain.companies import Company
from staithe.staging.arrow_folder import ArrowFolder
from staithe.storage import control
from staithe.storage.database import Database, open_database


class CompanyStore:
    """Everything of one company."""

    def __init__(self, company: Company, folder: Path) -> None:
        self.company = company
        self.database = open_database(folder / "company.db", "company")
        self.staging = ArrowFolder(folder / "staging")
        self.rejects = ArrowFolder(folder / "rejects")
        self.exports = ArrowFolder(folder / "exports")


class Stores:
    """The stores of a data directory, opened when they are first asked for."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.control: Database = open_database(data / "control.db", "control")
        # A hint need not survive a crash, so it does not wait for the disk: workers also scan.
        self.hints: Database = open_database(data / "control.db", "control", durable=False)
        self.opened: dict[int, CompanyStore] = {}
        self.lock = threading.Lock()

    def open(self, company: Company) -> CompanyStore:
        """The store of a company."""
        with self.lock:
            if company.id not in self.opened:
                self.opened[company.id] = CompanyStore(company, self.data / "companies" / str(company.id))
            return self.opened[company.id]

    def hint_pending(self, company: Company) -> None:
        """Wake the workers: a sync of this company is pending."""
        with self.hints.write() as connection:
            control.hint_pending(connection, company.id)

    def close(self) -> None:
        """Close every store."""
        for database in (self.control, self.hints, *(store.database for store in self.opened.values())):
            database.close()
