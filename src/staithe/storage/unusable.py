"""What is wrong with a store that cannot be used, in the words of its driver: for whoever can do something about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import exc

from staithe.domain.errors import Busy, NotFound
from staithe.storage.databases import without_secrets


def reason_unusable(error: BaseException) -> str:
    """What the driver said of a store that it cannot use; empty if the error is another: a mistake of ours."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    is_sqlite = isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError
    return " ".join(str(cause).split()) if is_sqlite else ""


def to_unreachable(error: Busy, url: str) -> NotFound:
    """Which database cannot be reached, and what its driver said."""
    # Here and below: who has no PostgreSQL does not wait for its driver.
    from staithe.storage.examination import reason_of

    return NotFound(
        f"The database {without_secrets(url)} cannot be reached: {reason_of(error.__cause__ or error)}",
        "See whether it runs there, and whether user and password are right: --database or STAITHE_DATABASE, "
        "or PGPASSWORD or ~/.pgpass.",
    )


def check_store_is_there(data: Path, url: str) -> None:
    """Make sure that there is a store, before opening it would make one.

    Raises:
        NotFound: there is none, or the database cannot be reached.
    """
    if not url:
        if not (data / "control.db").is_file():
            raise NotFound(
                f"There is no store in the data directory {data}.",
                f"Name the one that staithe serve has, with --data DIRECTORY or STAITHE_DATA, or its database, with "
                f"--database URL; or make one with: staithe serve --data {data}",
            )
        return
    from staithe.storage.examination import Unreadable, open_as_they_are

    stores = open_as_they_are(data, url)
    try:
        with stores.control():
            pass
    except Unreadable as error:
        if isinstance(error.__cause__, Busy):
            raise to_unreachable(error.__cause__, url) from error
        raise NotFound(
            f"There is no store to use: {error}", "Name the database that staithe serve has: --database URL."
        ) from error
    finally:
        stores.close()
