"""Reads every page, row, set and file of a deployment, for `staithe doctor --deep`. Nothing is changed.

Each part has a read transaction of its own, so that damage in one does not hide that in another. A server may run
beside it: a file that is gone when it is to be read is told only if a row still names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from staithe.domain.companies import Company
from staithe.domain.doctor_facts import Damage
from staithe.domain.errors import Damaged, RequestError
from staithe.staging.area import StagingArea
from staithe.staging.examination import check_file
from staithe.storage.backup import named_files
from staithe.storage.damage import row_faults, set_faults
from staithe.storage.database import Connection
from staithe.storage.examination import StoresAsTheyAre, Unreadable
from staithe.storage.pages import part_faults, parts_of
from staithe.storage.schema import newest_schema, schema_version

Reading = Callable[[], AbstractContextManager[Connection]]
Report = Callable[[str, int, int], None]
"""Told how far the work is: what is being read, and how much of how much of that was."""


class DamageSearch:
    """One look at everything; `found` has what is wrong by store.

    Args:
        stores: of the deployment.
        area: its staging area.
        report: told how far it is.
    """

    def __init__(self, stores: StoresAsTheyAre, area: StagingArea, report: Report) -> None:
        self.stores = stores
        self.area = area
        self.report = report

    def run(self, companies: Sequence[Company]) -> tuple[Damage, ...]:
        """Look at the control store, the hints, and all companies."""
        found = [self.look_at_control()]
        hints = self.stores.hints()
        if hints is not None:
            damage = Damage(store="hints")
            damage.pages = self.pages(self.open_hints, "hints")
            found.append(damage)
        return (*found, *map(self.look_at_company, companies))

    def open_hints(self) -> AbstractContextManager[Connection]:
        hints = self.stores.hints()
        assert hints is not None
        return hints

    def look_at_control(self) -> Damage:
        """Read all of the control store."""
        damage = Damage(store="control")
        damage.pages = self.pages(self.stores.control, "control")
        if is_newest(self.stores.control, "control"):
            damage.rows = gather(self.stores.control, lambda connection: row_faults(connection, is_company=False))
        return damage

    def look_at_company(self, company: Company) -> Damage:
        """Read all of a company's store, and its files."""

        def read() -> AbstractContextManager[Connection]:
            return self.stores.company(company.id)

        damage = Damage(store=company.name)
        damage.pages = self.pages(read, f"company {company.name}")
        # Rows of another schema version are looked at when a server has brought them up to date.
        if is_newest(read, "company"):
            self.report(f"company {company.name}: rows", 0, 1)
            damage.rows = gather(read, lambda connection: row_faults(connection, is_company=True))
            self.report(f"company {company.name}: sets", 0, 1)
            damage.sets = gather(read, set_faults)
            try:
                self.look_at_files(company, read, damage)
            except Unreadable as error:
                damage.files.append(str(error))
        return damage

    def pages(self, read: Reading, store: str) -> list[str]:
        """What is wrong with the pages of a store."""
        try:
            with read() as connection:
                parts = parts_of(connection)
        except Unreadable as error:
            return [str(error)]
        faults: list[str] = []
        for number, part in enumerate(parts):
            self.report(f"{store}: {part}", number, len(parts))
            faults += gather(read, lambda connection, part=part: iter(part_faults(connection, part)))
        return faults

    def look_at_files(self, company: Company, read: Reading, damage: Damage) -> None:
        """Read the files that rows name.

        Raises:
            Unreadable: the rows cannot be read.
        """
        with read() as connection:
            files = list(named_files(connection))
        missing: set[tuple[str, str]] = set()
        for number, (folder, name, checksums) in enumerate(files):
            self.report(f"company {company.name}: files", number, len(files))
            path = f"{folder.value}/{name}"
            try:
                check_file(self.area.folder(f"companies/{company.id}/{folder.value}", make=False), name, checksums)
            except FileNotFoundError:
                missing.add((folder.value, name))
            except Damaged as error:
                damage.files.append(f"{folder.value}: {error.message}")
            except (OSError, RequestError) as error:
                damage.files.append(f"{path} cannot be read: {error.__cause__ or error}")
            else:
                damage.checked += checksums is not None
                damage.unchecked += checksums is None
        if missing:
            with read() as connection:
                named = {(folder.value, name) for folder, name, _ in named_files(connection)}
            damage.files += [f"{folder}/{name} is gone, and a row names it" for folder, name in sorted(missing & named)]


def is_newest(read: Reading, migrations: str) -> bool:
    """Whether a store's schema is the one that this version knows."""
    try:
        with read() as connection:
            return schema_version(connection) == newest_schema(migrations)
    except Unreadable:
        return False


def gather(read: Reading, look: Callable[[Connection], Iterator[str]]) -> list[str]:
    """What a look finds, in a transaction of its own; what cannot be read is found, too."""
    faults: list[str] = []
    try:
        with read() as connection:
            faults.extend(look(connection))
    except Unreadable as error:
        faults.append(str(error))
    return faults
