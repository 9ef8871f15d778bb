"""What SQLite and PostgreSQL say alike but SQLAlchemy builds apart."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert(_connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that knows `on_conflict_do_update`; both dialects spell it the same, each has a class of its own."""
    return sqlite.insert(table)
