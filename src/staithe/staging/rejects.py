"""The rejects of a sync, kept as staged data is: one immutable file, its rows in the order of their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from staithe.domain.codes import REJECT_REASONS
from staithe.domain.syncs import Reject, RejectFile
from staithe.staging.arrow_folder import ArrowFileWriter, ArrowFolder
from staithe.staging.rows import text_column


def reject_schema(fields: Sequence[str]) -> pa.Schema:
    """One row a reject; `field_values` has every field of the definition."""
    return pa.schema(
        [
            ("record_index", pa.int64()),
            ("code", pa.string()),
            ("field_values", pa.struct([(name, pa.string()) for name in fields])),
            ("invalid_fields", pa.list_(pa.string())),
        ]
    )


class RejectWriter:
    """Collects the rejects of a sync; the file is made when the first one comes. `counts` has them by their code."""

    def __init__(self, folder: ArrowFolder, fields: Sequence[str]) -> None:
        self.folder = folder
        self.fields = fields
        self.writer: ArrowFileWriter | None = None
        self.counts: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many rejects there are."""
        return self.counts.total()

    def add(self, rows: pa.RecordBatch, numbers: Sequence[int], reasons: Sequence[str], faulty: Sequence[Any]) -> None:
        """Write rejects.

        Args:
            rows: the staged rows of the rejected records, and no others.
            numbers: of each record, its 1-based place in the sync.
            reasons: of each record, why it was rejected: a key of `codes.REJECT_REASONS`.
            faulty: of each record, the names of the fields that are at fault.
        """
        if not rows.num_rows:
            return
        if self.writer is None:
            self.writer = self.folder.create(reject_schema(self.fields))
        values = [text_column(rows, name) for name in self.fields]
        self.write(
            [
                pa.array(numbers, pa.int64()),
                pa.array(reasons, pa.string()),
                pa.StructArray.from_arrays(values, names=list(self.fields)),
                pa.array(faulty, pa.list_(pa.string())),
            ]
        )
        self.count_all(reasons)

    def write(self, columns: list[pa.Array]) -> None:
        assert self.writer is not None
        self.writer.write(pa.RecordBatch.from_arrays(columns, schema=reject_schema(self.fields)))

    def count_all(self, reasons: Iterable[str]) -> None:
        for reason, count in Counter(reasons).items():
            self.counts[REJECT_REASONS[reason].code] += count

    def append(self, name: str, checksums: bytes | None) -> None:
        """Write the rejects of another file of the folder behind the others.

        Raises:
            Damaged: it is not as it was written.
        """
        if self.writer is None:
            self.writer = self.folder.create(reject_schema(self.fields))
        for batch in self.folder.read(name, checksums):
            self.write(batch.columns)
            self.count_all(batch.column("code").to_pylist())

    def finish(self) -> RejectFile | None:
        """Make the file durable; None if there was no reject."""
        if self.writer is None:
            return None
        self.writer.finish()
        return RejectFile(self.writer.name, self.count, self.writer.checksums)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self.writer is None:
            return
        if self.writer.finished:
            self.folder.delete([self.writer.name])
        else:
            self.writer.__exit__(None, None, None)


def read_rejects(folder: ArrowFolder, file: RejectFile, limit: int, offset: int) -> list[Reject]:
    """One page of the rejects in a file, by record number.

    Raises:
        FileNotFoundError: the file is gone.
        Damaged: it is not as it was written.
        StagingUnavailable: the object store fails.
    """
    return to_rejects(folder.read_rows(file.name, file.checksums, limit, offset))


def to_rejects(rows: Iterable[Any]) -> list[Reject]:
    """Rejects from rows of their file."""
    return [Reject(r["record_index"], r["code"], r["field_values"], tuple(r["invalid_fields"])) for r in rows]
