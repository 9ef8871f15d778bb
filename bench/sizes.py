"""How large a benchmark is: the sizes of the measures, and the small ones for trying it out."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from staithe.domain.limits import DATA_PAGE_RECORDS

MIB: Final = 1024 * 1024


class Sizes(Struct, frozen=True, kw_only=True):
    """The sizes of every measure. The defaults are those that the targets are set for."""

    contacts: int = 10_000_000
    ids: int = 1_000_000
    runs: int = 5
    records: int = 200
    """Runs of the measure of one record: its p99 needs more of them."""
    clients: int = 8
    upload_bytes: int = 32 * MIB
    imported: int = 100_000
    """Records of an import."""
    exported: int = 1_000_000
    """Contacts of the company that is exported."""
    import_uploads: int = 16
    """Uploads that are imported while memory is measured."""
    mixed_seconds: float = 600
    """How long the mixed load lasts."""
    reads_seconds: float = 3
    """How long syncs are read in each run, and as long their floor."""
    queued: int = 500
    """Syncs of one company that wait, while another one's has its turn."""
    turns: int = 15
    """How often it has."""

    @property
    def import_upload_bytes(self) -> int:
        """The size of each of them."""
        return min(30_000_000, self.upload_bytes)

    @property
    def page_records(self) -> int:
        """Records on a page of exported data: as many as the Bulk API gives, but never so many that it is all."""
        return min(DATA_PAGE_RECORDS, max(self.exported // 10, 1))

    @property
    def small_contacts(self) -> int:
        """The company that growth is measured against has a tenth of the contacts."""
        return max(self.contacts // 10, 1)

    @property
    def few_contacts(self) -> int:
        """The contacts of a company where their number is not what is measured."""
        return min(100_000, self.contacts)

    @property
    def queued_ids(self) -> int:
        """Ids in the upload of a sync that waits."""
        return min(50_000, self.ids // 20, self.few_contacts // 2)

    @property
    def emails(self) -> int:
        """Half as many email addresses as ids: the bodies are of about the same length."""
        return self.ids // 2

    @property
    def are_those_of_the_targets(self) -> bool:
        """Whether the figures can be held against the targets; the number of runs does not matter."""
        return self == msgspec.structs.replace(FULL, runs=self.runs, records=self.records)


FULL: Final = Sizes()
QUICK: Final = Sizes(
    contacts=1_000_000,
    ids=100_000,
    runs=3,
    records=40,
    upload_bytes=4 * MIB,
    imported=10_000,
    exported=100_000,
    import_uploads=4,
    mixed_seconds=5,
    reads_seconds=1,
    queued=100,
    turns=5,
)
