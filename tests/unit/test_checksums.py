"""Files whose bytes change on the disk: what is read is what was written, or an error that names the file."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from staithe.domain.errors import Damaged
from staithe.staging.arrow_folder import ArrowFolder
from staithe.staging.arrow_reader import open_arrow
from staithe.staging.checksums import PieceChecker, unpack
from staithe.staging.local_files import LocalFiles

SCHEMA = pa.schema([("a", pa.string()), ("b", pa.int64())], metadata={b"key": b"value"})
SOURCES: list[Callable[[bytes], pa.NativeFile]] = [
    pa.BufferReader,
    lambda data: pa.PythonFile(io.BytesIO(data), mode="r"),
]
FLIPS = 400


def batch(start: int, count: int) -> pa.RecordBatch:
    numbers = range(start, start + count)
    return pa.record_batch([pa.array([f"text {n}" for n in numbers]), pa.array(numbers, pa.int64())], schema=SCHEMA)


class Written:
    """A file, its checksums, and what is in it."""

    def __init__(self, folder: Path, *batches: pa.RecordBatch) -> None:
        self.folder = ArrowFolder(LocalFiles(folder))
        with self.folder.create(SCHEMA) as writer:
            for one in batches:
                writer.write(one)
            self.size = writer.finish()
        self.name, self.checksums = writer.name, writer.checksums
        self.data = (folder / writer.name).read_bytes()
        self.table = pa.Table.from_batches(batches, schema=SCHEMA)

    def read(self, source: pa.NativeFile) -> pa.Table:
        with open_arrow(source, self.name, self.checksums) as reader:
            return pa.Table.from_batches([reader.get(n) for n in range(reader.batches)], schema=reader.schema)

    def check_all(self, data: bytes, piece_bytes: int) -> None:
        """What a backup does."""
        checker = PieceChecker(self.name, self.checksums)
        for start in range(0, len(data), piece_bytes):
            checker.feed(data[start : start + piece_bytes])
        checker.finish()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A file of three batches, one of them without rows."""
    return Written(tmp_path, batch(0, 3000), batch(3000, 0), batch(3000, 70))


@pytest.mark.parametrize("source", SOURCES)
def test_a_file_is_read_back_and_any_arrow_reads_it(written: Written, source: Callable[[bytes], pa.NativeFile]) -> None:
    assert written.read(source(written.data)).equals(written.table, check_metadata=True)
    assert pa.ipc.open_file(written.data).read_all().equals(written.table, check_metadata=True)
    assert unpack(written.checksums)[-1][1] == len(written.data) == written.size
    for piece_bytes in (1, 100, 10**6):
        written.check_all(written.data, piece_bytes)


def test_a_file_without_batches(tmp_path: Path) -> None:
    empty = Written(tmp_path)
    assert empty.read(pa.BufferReader(empty.data)).num_rows == 0
    empty.check_all(empty.data, 50)
    assert list(empty.folder.read(empty.name, empty.checksums)) == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_flipped_bit_is_found_wherever_it_is(written: Written, source: Callable[[bytes], pa.NativeFile]) -> None:
    chance = random.Random(5)
    end = unpack(written.checksums)[-1][0]
    for place in [*range(16), end - 1, end, len(written.data) - 1, *(chance.randrange(end) for _ in range(FLIPS))]:
        damaged = bytearray(written.data)
        damaged[place] ^= 1 << chance.randrange(8)
        with pytest.raises(Damaged, match=written.name):
            written.check_all(bytes(damaged), 1000)
        if place < end:
            with pytest.raises(Damaged, match=written.name):
                written.read(source(bytes(damaged)))
        else:  # nothing but Arrow's own table of contents, which is not read
            assert written.read(source(bytes(damaged))).equals(written.table)


def test_a_file_that_is_short_or_long_or_another(written: Written, tmp_path: Path) -> None:
    other = Written(tmp_path, batch(1, 3000), batch(3001, 0), batch(3001, 70))
    data = written.data
    for wrong in (b"", data[:-1], data[: len(data) // 2], data + b"\0", other.data):
        with pytest.raises(Damaged, match=written.name):
            written.read(pa.BufferReader(wrong))
        with pytest.raises(Damaged, match=written.name):
            written.check_all(wrong, 1000)


def test_a_batch_is_checked_without_the_others(written: Written) -> None:
    first, last = unpack(written.checksums)[1], unpack(written.checksums)[3]
    damaged = bytearray(written.data)
    damaged[last[0] + 20] ^= 1
    with open_arrow(pa.BufferReader(bytes(damaged)), written.name, written.checksums) as reader:
        reader.check(0)
        assert reader.get(0).num_rows == 3000
        with pytest.raises(Damaged, match=f"bytes {last[0]:,} to {last[1]:,} are not as they were written"):
            reader.check(2)
    assert first[1] < last[0]


def test_a_file_of_before_the_checksums_is_read_as_ever(written: Written) -> None:
    assert pa.Table.from_batches(written.folder.read(written.name, None)).equals(written.table)
    assert written.folder.read_rows(written.name, None, 2, 3005) == batch(3005, 2).to_pylist()
    (written.folder.root / written.name).write_bytes(b"no arrow file " * 100)
    with pytest.raises(Damaged, match=written.name):
        list(written.folder.read(written.name, None))
