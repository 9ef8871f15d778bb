"""Which stores a command works on, and what it says of those that it cannot use: in words, with the path or host."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from staithe.config import pauses_of_environment
from staithe.domain.errors import Busy, Damaged, Failure, RequestError, StorageFull, ValidationFailed
from staithe.services.deployment import find_staging_area, noted_database
from staithe.services.stores import Stores
from staithe.storage.unusable import check_store_is_there, reason_unusable, to_unreachable

ADVICE: Final = {
    errno.EACCES: "Call it as the user who runs the server, or name another place.",
    errno.EPERM: "Call it as the user who runs the server, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOTDIR: "A file is where a directory should be: name another place, or move that file.",
    errno.EEXIST: "A file is where a directory should be: name another place, or move that file.",
    errno.EISDIR: "A directory is where a file should be: name another place.",
    errno.ENOENT: "Name a place that is there.",
    errno.ENOSPC: "Make room, or name a place on another disk.",
    errno.EDQUOT: "Make room, or name a place on another disk.",
    errno.EIO: "See whether the disk is sound.",
    errno.ENOLCK: "Its file system has no locks, as some network file systems: name a place on a local disk.",
    errno.EOPNOTSUPP: "Its file system has no locks, as some network file systems: name a place on a local disk.",
    errno.ENAMETOOLONG: "Name a shorter one.",
    errno.ELOOP: "Its symbolic links lead back to themselves: name another place.",
}
STORE_ADVICE: Final = (
    "See whether its files can be read and written, and whether the disk has room and is sound; "
    "staithe doctor says more."
)


def find_database(data: Path, database: str) -> str:
    """The database of a data directory: the one that was told, or else the one that the directory remembers."""
    check_data(data)
    return database or noted_database(data)


def check_data(data: Path) -> None:
    """Refuse what can be no data directory.

    Raises:
        ValidationFailed: it is a file.
        OSError: nobody can tell, as with a path that is too long.
    """
    try:
        data.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if not data.is_dir():
        raise ValidationFailed(Failure("--data", f"Must be a directory, and {data} is none."))


def open_stores(data: Path, database: str = "", staging: str = "", *, makes: bool = False) -> Stores:
    """The stores of a data directory. What the command was not told, the directory remembers.

    Args:
        data: the directory.
        database: what the command was told.
        staging: the same.
        makes: whether a store is made where there is none.

    Raises:
        NotFound: there is none, or its database cannot be reached.
        ValidationFailed: what was told is wrong.
    """
    database = find_database(data, database)
    if not makes:
        check_store_is_there(data, database)
    try:
        stores = Stores(data.absolute(), database, staging, pauses_of_environment())
    except Busy as error:
        raise to_unreachable(error, database) if database else error from error
    if not staging:
        find_staging_area(stores)
    return stores


def says_what_fails(command: Callable[..., None]) -> Callable[..., None]:
    """A command that ends in a sentence where a disk or a store fails."""

    @wraps(command)
    def run(**given: Any) -> None:
        try:
            command(**given)
        except StorageFull as error:
            raise to_full(error, given.get("data")) from error
        except Exception as error:
            refused = to_refusal(error, given.get("data"))
            if refused is None:
                raise
            raise refused from error

    return run


def to_full(error: StorageFull, data: Path | None) -> StorageFull:
    """The same with the place, where it is the disk that is full."""
    if data is None or error.__cause__ is None:
        return error
    return StorageFull(f"The disk is full: {data}, or where else it was to write.", ADVICE[errno.ENOSPC])


def to_refusal(error: Exception, data: Path | None) -> RequestError | None:
    """What a failure of a disk or a store is to an operator; None if it is neither."""
    if isinstance(error, OSError) and error.errno in ADVICE and (error.filename or error.errno == errno.ENOSPC):
        return RequestError(f"{error.filename or data}: {error.strerror}.", ADVICE[error.errno])
    cause = error.__cause__ if isinstance(error, Damaged) and error.__cause__ is not None else error
    if reason := reason_unusable(cause):
        return RequestError(f"The store in {data} cannot be used: {reason}.", STORE_ADVICE)
    return None
