"""What SQLite is told."""

from __future__ import annotations

from staithe.storage.sqlite_statements import insert_of
from staithe.storage.tables import CONTACT


def test_rows_that_are_inserted_are_not_returned() -> None:
    """Python 3.11 takes no notice of a RETURNING; newer ones fail at the second row."""
    statement = insert_of(CONTACT, ("id",), ("created_at",))
    assert statement.sql == "INSERT INTO contact (id, created_at) VALUES (nullif(?, ''), ?)"
    assert statement.columns == ["id", "created_at"]
