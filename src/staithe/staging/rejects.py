"""The rejects of a sync, kept as staged data is: one immutable file, its rows in the order of their records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from staithe.domain.syncs import Reject
from staithe.staging.arrow_folder import ArrowFileWriter, ArrowFolder
from staithe.staging.matching import OUTCOMES, MatchedBatch, count_outcomes
from staithe.staging.rows import text_column

CODES = pa.array([outcome.code if outcome else "" for outcome in OUTCOMES], pa.string())


def reject_schema(fields: Sequence[str]) -> pa.Schema:
    """One row a reject; `field_values` has every field of the definition."""
    return pa.schema(
        [
            ("record_index", pa.int64()),
            ("code", pa.dictionary(pa.int8(), pa.string())),
            ("field_values", pa.struct([(name, pa.string()) for name in fields])),
            ("invalid_fields", pa.list_(pa.string())),
        ]
    )


class RejectWriter:
    """Collects the rejects of a sync; the file is made when the first one comes."""

    def __init__(self, folder: ArrowFolder, fields: Sequence[str], identifier_field: str) -> None:
        self.folder = folder
        self.fields = fields
        self.identifier_field = identifier_field
        self.writer: ArrowFileWriter | None = None
        self.counts = [0] * len(OUTCOMES)
        self.count = 0

    def add(self, matched: MatchedBatch, first_record: int) -> None:
        """Write the rejects of a batch whose first record has the number `first_record`."""
        positions = matched.rejected()
        self.counts = [a + b for a, b in zip(self.counts, count_outcomes(matched.outcomes), strict=True)]
        if not len(positions):
            return
        if self.writer is None:
            self.writer = self.folder.create(reject_schema(self.fields))
        self.writer.write(self.to_rows(matched, positions, first_record))
        self.count += len(positions)

    def to_rows(self, matched: MatchedBatch, positions: Any, first_record: int) -> pa.RecordBatch:
        rows = matched.batch.take(pa.array(positions))
        values = [text_column(rows, name) for name in self.fields]
        outcomes = matched.outcomes[positions].astype(np.int8)
        # The whole identifier is at fault in every outcome of a sync action: there is no other field.
        offsets = pa.array(np.arange(len(positions) + 1, dtype=np.int32))
        invalid = pa.array([self.identifier_field] * len(positions), pa.string())
        return pa.RecordBatch.from_arrays(
            [
                pa.array(positions + first_record),
                pa.DictionaryArray.from_arrays(pa.array(outcomes), CODES),
                pa.StructArray.from_arrays(values, names=list(self.fields)),
                pa.ListArray.from_arrays(offsets, invalid),
            ],
            schema=reject_schema(self.fields),
        )

    def finish(self) -> str | None:
        """Make the file durable, and give its name; None if there was no reject."""
        if self.writer is None:
            return None
        self.writer.finish()
        return self.writer.name

    def discard(self) -> None:
        """Leave nothing behind."""
        if self.writer is not None:
            self.writer.__exit__(None, None, None)
            self.folder.delete([self.writer.name])


def read_rejects(folder: ArrowFolder, name: str, limit: int, offset: int) -> list[Reject]:
    """One page of the rejects in a file, by record number."""
    rows: list[Any] = folder.read_rows(name, limit, offset)
    return [Reject(r["record_index"], r["code"], r["field_values"], tuple(r["invalid_fields"])) for r in rows]
