"""Examines a deployment, for `staithe doctor`. Beside one file in the staging area, nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from staithe.clock import Clock
from staithe.domain.companies import Company
from staithe.domain.doctor_database import CONTROL
from staithe.domain.doctor_facts import (
    AccessFacts,
    CitusFacts,
    Deployment,
    DiskFacts,
    FilesFacts,
    Limits,
    PostgresFacts,
    QueueFacts,
    SchemaFacts,
    SqliteFacts,
    StagingFacts,
)
from staithe.domain.errors import RequestError, StagingUnavailable
from staithe.services.deployment import noted_staging
from staithe.services.doctor_damage import DamageSearch, Report
from staithe.services.machine import access_facts, disk_facts, server_facts, software_facts
from staithe.services.retention import ORPHAN_MIN_AGE_SECONDS
from staithe.staging.area import StagingArea
from staithe.staging.arrow_folder import ArrowFolder
from staithe.staging.examination import count_orphans, try_folder
from staithe.storage import control, import_chunks, syncs, uploads
from staithe.storage.database import Connection
from staithe.storage.examination import (
    Unreadable,
    companies_as_they_are,
    open_as_they_are,
    queue_facts,
    schema_facts,
    sqlite_facts,
)
from staithe.storage.examination_postgres import citus_facts, postgres_facts

FILES_NAMED: Final[dict[str, Callable[[Connection], set[str]]]] = {
    "staging": uploads.all_files,
    "rejects": lambda connection: syncs.reject_files(connection) | import_chunks.reject_files(connection),
    "exports": syncs.data_files,
}
"""The folders of a company, and which of their files its rows name."""


class Target(Struct, frozen=True, kw_only=True):
    """What to examine: `database` is a URL of PostgreSQL, empty for SQLite; `staging` as `Stores` takes it."""

    data: Path
    database: str
    staging: str
    urls: tuple[str, ...]
    clock: Clock
    limits: Limits
    is_deep: bool = False
    """Whether every page, row, set and file is read, too."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Examination:
    """One visit: facts are gathered store by store, and one that cannot be read does not keep the others from it.

    Raises:
        ValidationFailed: the database's URL is none, or the staging area's address.
    """

    def __init__(self, target: Target, report: Report = silent) -> None:
        self.target = target
        self.report = report
        self.area = StagingArea(target.staging, target.data)
        self.stores = open_as_they_are(target.data, target.database)
        self.unreadable: dict[str, str] = {}
        self.schemas: list[SchemaFacts] = []
        self.sqlite: SqliteFacts | None = None
        self.postgres: PostgresFacts | None = None
        self.citus: CitusFacts | None = None
        self.queues: list[QueueFacts] = []
        self.files: list[FilesFacts] = []

    def run(self) -> Deployment:
        """Look at everything."""
        companies = self.look_at_control()
        for company in companies:
            self.look_at_company(company)
        damage = DamageSearch(self.stores, self.area, self.report).run(companies) if self.target.is_deep else None
        self.stores.close()
        return Deployment(
            limits=self.target.limits,
            software=software_facts(),
            database=self.stores.kind,
            unreadable=self.unreadable,
            schemas=tuple(self.schemas),
            sqlite=self.sqlite,
            postgres=self.postgres,
            citus=self.citus,
            disks=self.look_at_disks(),
            access=self.look_at_access(),
            staging=self.try_staging(companies),
            servers=tuple(map(server_facts, self.target.urls)),
            queues=tuple(self.queues),
            files=tuple(self.files),
            damage=damage,
        )

    def look_at_disks(self) -> tuple[DiskFacts, ...]:
        """Look at the disk of the data directory and, if it is another directory, at that of the staging area."""
        data = disk_facts("data", self.target.data, holds_sqlite=not self.target.database)
        if self.area.bucket is not None or self.area.directory == self.target.data:
            return (data,)
        return data, disk_facts("staging", self.area.directory, holds_sqlite=False)

    def look_at_access(self) -> tuple[AccessFacts, ...]:
        """Look who else may read the data directory, and the staging area if that is another."""
        folders = {self.target.data, *([] if self.area.bucket is not None else [self.area.directory])}
        return tuple(access_facts(folder) for folder in sorted(folders) if folder.exists())

    def look_at_control(self) -> list[Company]:
        """Look at the control store: every company, or none if it cannot be read."""
        try:
            with self.stores.server() as connection:
                self.look_at_server(connection)
            with self.stores.control() as connection:
                schema = schema_facts(connection, "control", "control")
                self.schemas.append(schema)
                if schema.version == schema.newest:
                    return control.all_companies(connection)
                return companies_as_they_are(connection)
        except Unreadable as error:
            self.unreadable[CONTROL] = str(error)
            return []

    def look_at_server(self, connection: Connection) -> None:
        """Look at the database itself."""
        if self.target.database:
            self.postgres = postgres_facts(connection, self.target.clock)
            self.citus = citus_facts(connection)
        else:
            self.sqlite = sqlite_facts(connection)

    def look_at_company(self, company: Company) -> None:
        """Look at a company's rows; at those of an older or newer schema only as far as that is known."""
        try:
            with self.stores.company(company.id) as connection:
                schema = schema_facts(connection, company.name, "company")
                self.schemas.append(schema)
                if schema.version != schema.newest:
                    return
                self.queues.append(queue_facts(connection, company.name, self.target.clock()))
                named = {folder: files_of(connection) for folder, files_of in FILES_NAMED.items()}
        except Unreadable as error:
            self.unreadable[f"company {company.name}"] = str(error)
            return
        self.files.append(self.look_at_files(company, named))

    def look_at_files(self, company: Company, named: dict[str, set[str]]) -> FilesFacts:
        """Count a company's files that nothing names."""
        try:
            counts = [
                count_orphans(self.folder_of(company, folder), files, ORPHAN_MIN_AGE_SECONDS)
                for folder, files in named.items()
            ]
        except (OSError, StagingUnavailable) as error:
            return FilesFacts(company.name, 0, str(error.__cause__ or error))
        return FilesFacts(company.name, sum(counts))

    def try_staging(self, companies: list[Company]) -> StagingFacts | None:
        """Write a file where the first company's uploads go; where there is no company yet, into the area itself.

        None if there is not even a directory: that of the data is made by the first server.
        """
        path = f"companies/{companies[0].id}/staging" if companies else ""
        is_unmade = self.area.bucket is None and not self.area.directory.exists()
        if not companies and is_unmade and not self.target.staging:
            return None
        place = f"{self.area}/{path}".rstrip("/")
        began = time.monotonic()
        try:
            try_folder(self.area.folder(path, make=bool(companies)))
        except (OSError, ValueError, RequestError) as error:
            return StagingFacts(place, failure=str(error.__cause__ or error))
        return StagingFacts(place, time.monotonic() - began)

    def folder_of(self, company: Company, folder: str) -> ArrowFolder:
        return self.area.folder(f"companies/{company.id}/{folder}", make=False)


def examine(target: Target, report: Report = silent) -> Deployment:
    """Gather the facts of a deployment; `report` is told how far that is where everything is read."""
    return Examination(target, report).run()


def staging_as_noted(data: Path, database: str) -> str:
    """Where a deployment's staged files are, if its control store says another place than the data directory.

    Raises:
        ValidationFailed: the database's URL is none.
    """
    stores = open_as_they_are(data, database)
    try:
        with stores.control() as connection:
            return noted_staging(connection, data)
    except Unreadable:
        # The examination will say so.
        return ""
    finally:
        stores.close()
