"""What SQLite is told."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func

from staithe.storage.database import SqliteDatabase
from staithe.storage.sqlite_statements import EMPTY, insert_of, value_of
from staithe.storage.tables import CONTACT


def test_rows_that_are_inserted_are_not_returned(tmp_path: Path) -> None:
    """Python 3.11 takes no notice of a RETURNING; newer ones fail at the second row."""
    database = SqliteDatabase(tmp_path / "company.db")
    with database.read() as connection:
        statement = insert_of(CONTACT, {"id": func.nullif(value_of("id"), EMPTY)}).compile(dialect=connection.dialect)
    database.close()
    assert str(statement) == "INSERT INTO contact (id) VALUES (nullif(?, ''))"
