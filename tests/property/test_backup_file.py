"""Whatever rows and files are written to a backup are read from it again, however they are cut into pages."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from staithe.domain.backups import FORMAT, FORMAT_VERSION, Folder, Manifest, Step, TableShape, ValueKind
from staithe.staging.backup_file import BackupWriter
from staithe.staging.backup_reader import BackupReader
from tests.property.effort import examples

VALUES: dict[ValueKind, st.SearchStrategy[Any]] = {
    ValueKind.TEXT: st.text(st.characters(exclude_categories=["Cs"])),
    ValueKind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ValueKind.NUMBER: st.floats(allow_nan=False),
    ValueKind.FLAG: st.booleans(),
    ValueKind.BYTES: st.binary(),
}
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=20)
FLAGS_OF_SQLITE = {True: 1, False: 0}


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableShape, list[list[tuple[Any, ...]]]]:
    """A table and its rows in pages; its first column has a value in every row, as every table's key has."""
    kinds = draw(st.lists(st.sampled_from(ValueKind), min_size=1, max_size=8))
    names = draw(st.lists(NAMES, min_size=len(kinds), max_size=len(kinds), unique=True))
    first, *others = [VALUES[kind] for kind in kinds]
    row = st.tuples(first, *[st.none() | values for values in others])
    pages = draw(st.lists(st.lists(row, min_size=1, max_size=30), max_size=4))
    return TableShape(name=draw(NAMES), columns=dict(zip(names, kinds, strict=True))), pages


@given(
    st.lists(tables(), max_size=4, unique_by=lambda table: table[0].name),
    st.lists(st.tuples(st.sampled_from(Folder), st.binary(max_size=3000)), max_size=4),
    st.booleans(),
)
@examples(150)
def test_what_is_written_is_read_again(
    tmp_path: Path,
    written: list[tuple[TableShape, list[list[tuple[Any, ...]]]]],
    contents: list[tuple[Folder, bytes]],
    as_sqlite: bool,
) -> None:
    path = tmp_path / f"{uuid.uuid4().hex}.zip"
    files = [(folder, f"{uuid.uuid4().hex}.arrow", content) for folder, content in contents]
    with BackupWriter(path, replace=False) as writer:
        for folder, name, content in files:
            assert writer.add_file(folder, name, io.BytesIO(content), None) == len(content)
        for shape, pages in written:
            with writer.begin_table(shape) as target:
                for page in pages:
                    target.write([as_driver(row) for row in page] if as_sqlite else page)
        manifest = manifest_of(writer)
        assert writer.finish(manifest) == path.stat().st_size
    with BackupReader(path) as reader:
        assert reader.manifest == manifest
        if not files:
            # No row names a file here, and a check wants all files to be named.
            reader.check({shape.name: shape for shape, _ in written}, file_columns={}, report=ignore)
        for shape, pages in written:
            assert [row for page in pages for row in page] == rows_of(reader, shape)
        for file, (_, _, content) in zip(reader.manifest.files, files, strict=True):
            assert b"".join(reader.pieces(file)) == content


def ignore(_step: Step, _done: int, _total: int, _bytes: int) -> None:
    """Show nothing."""


def as_driver(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as SQLite's driver gives it: flags are numbers."""
    return tuple(FLAGS_OF_SQLITE[value] if isinstance(value, bool) else value for value in row)


def rows_of(reader: BackupReader, shape: TableShape) -> list[tuple[Any, ...]]:
    """The rows of a table; a column that a batch does not have is empty in it."""
    rows: list[tuple[Any, ...]] = []
    for values in reader.batches(shape.name):
        count = len(next(iter(values.values())))
        rows += zip(*(values.get(name, [None] * count) for name in shape.columns), strict=True)
    return rows


def manifest_of(writer: BackupWriter) -> Manifest:
    return Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        product_version="test",
        schema_version=1,
        company="acme",
        created_at=0,
        match_columns=[],
        tables=writer.tables,
        files=list(writer.files.values()),
    )
