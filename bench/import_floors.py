"""The floors of imports: what an engineer writes who has nothing to do but to get the records into a table."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
import psycopg

from bench.records import EMAIL, FIELDS
from staithe.storage.sqlite import set_pragmas

Record = Mapping[str, str]
INSERT: Final = f"INSERT INTO contact (email_key, {', '.join(FIELDS)}) VALUES (?{', ?' * len(FIELDS)})"
UPSERT: Final = f"{INSERT} ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{f} = excluded.{f}' for f in FIELDS)}"
COPY: Final = f"COPY contact (email_key, {', '.join(FIELDS)}) FROM STDIN"
ROWS_AT_ONCE: Final = 1000


class Floor(Protocol):
    """A table with nothing but a key, a unique index of it, and the columns; a new one for each run."""

    def write(self, statement: str, contents: Sequence[bytes]) -> None:
        """Read uploads, and write their records durably."""
        ...


class SqliteFloor:
    """The floor of 7 and 8."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.connection = sqlite3.connect(folder / "floor.db")
        set_pragmas(self.connection, None, durable=True)
        columns = ", ".join(f"{field} TEXT" for field in FIELDS)
        self.connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, email_key TEXT, {columns})")
        self.connection.execute("CREATE UNIQUE INDEX contact_by_email ON contact (email_key)")

    def write(self, statement: str, contents: Sequence[bytes]) -> None:
        """Read uploads, and write their records durably: `INSERT` or `UPSERT`."""
        records = read_records(contents)
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(statement, to_rows(records))
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class CopyFloor:
    """The floor of 13: its texts are compared as Staithe's are."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        columns = ", ".join(f'{name} TEXT COLLATE "C"' for name in ("email_key", *FIELDS))
        self.connection.execute("DROP TABLE IF EXISTS contact")
        self.connection.execute(f"CREATE TABLE contact ({columns})")
        self.connection.execute("CREATE UNIQUE INDEX contact_by_email ON contact (email_key)")

    def write(self, statement: str, contents: Sequence[bytes]) -> None:
        """Read uploads, and write their records durably: `COPY`."""
        records = read_records(contents)
        with self.connection.transaction(), self.connection.cursor().copy(statement.encode()) as copy:
            for row in to_rows(records):
                copy.write_row(row)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def read_records(contents: Iterable[bytes]) -> list[Record]:
    return [record for content in contents for record in orjson.loads(content)]


def to_rows(records: Iterable[Record]) -> Iterator[tuple[Any, ...]]:
    values_of = itemgetter(*FIELDS)
    for record in records:
        yield (record[EMAIL].lower(), *values_of(record))
