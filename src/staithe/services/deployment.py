"""A deployment: one control store, however many servers and workers share it. Its staging area is its alone.

A data directory remembers what its servers were told, so that commands on it need not be: the database stands in a file
of it, and so does the address of an object store. Passwords and keys are not written down: they may have come from a
keeper of secrets, and a copy of the directory would carry them away. libpq finds a password in `PGPASSWORD` or
`~/.pgpass`, and an object store's keys are in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or where AWS has them.
The control store says which staging area is the deployment's; the file adds what else it takes to reach it.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Final

from staithe.services.stores import Stores
from staithe.staging.area import CLAIM, StagingArea
from staithe.staging.bucket import without_keys
from staithe.storage import control
from staithe.storage.database import Connection
from staithe.storage.databases import without_secrets

LOGGER: Final = logging.getLogger(__name__)
ID_BYTES: Final = 8
DATABASE_FILE: Final = "database.url"
STAGING_FILE: Final = "staging.url"
"""Where a data directory says which database its servers have, and how their object store is reached."""


def note_places(data: Path, database: str, staging: str) -> None:
    """Write down where the servers of a data directory have what is not in it, without passwords and keys."""
    if database:
        note(data / DATABASE_FILE, without_secrets(database))
    if "://" in staging:
        note(data / STAGING_FILE, without_keys(staging))


def note(path: Path, address: str) -> None:
    """Write an address into a file that its owner alone can read; a full disk is no reason not to serve."""
    try:
        path.touch(mode=0o600)
        path.write_text(f"{address}\n", "utf-8")
    except OSError as error:
        LOGGER.warning("%s cannot be written, so commands must be told what would stand there: %s", path, error)


def noted(path: Path) -> str:
    """What was written into such a file; empty if there is none.

    Raises:
        OSError: it is there, and cannot be read.
    """
    return path.read_text("utf-8", errors="replace").strip() if path.is_file() else ""


def noted_database(data: Path) -> str:
    """The database that the servers of a data directory had last; empty if that was none, or there were no servers.

    Raises:
        OSError: the note cannot be read.
    """
    return noted(data / DATABASE_FILE)


def find_staging_area(stores: Stores) -> str:
    """Let stores that were not told their staging area have the one that the deployment's files are in.

    Returns:
        what `--staging` would have said; empty for the data directory.
    """
    with stores.control.read() as connection:
        found = noted_staging(connection, stores.data)
    if found:
        stores.area = StagingArea(found, stores.data, stores.pauses)
    return found


def noted_staging(connection: Connection, data: Path) -> str:
    """Where the files of a deployment are, if that is elsewhere than in the data directory; else empty.

    A data directory with the deployment's mark is its own staging area, also after it was moved.
    """
    found = control.find_deployment(connection)
    if found is None:
        return ""
    mark, before = f"{CLAIM}{found[0]}", found[1]
    if not before or (data / mark).exists():
        return ""
    if "://" not in before:
        return before if (Path(before) / mark).exists() else ""
    address = noted(data / STAGING_FILE)
    return address if address.partition("?")[0] == before else before


def claim_staging_area(stores: Stores) -> None:
    """Make sure, before files are read or written, that the staging area is this deployment's, and has its files.

    The first time it is claimed. Whoever starts at the same moment waits for that.

    Raises:
        Conflict: it is another's, or the deployment's files are elsewhere.
        StagingUnavailable: the object store fails.
    """
    deployment_id, before = identify(stores)
    if before:
        stores.area.check(deployment_id, before)
        if before == str(stores.area):
            return
    with stores.control.write() as connection:
        if not before:
            stores.area.claim(deployment_id)
        control.note_staging(connection, str(stores.area))


def identify(stores: Stores) -> tuple[str, str]:
    """The id of this deployment, made when it is first asked for, and where its staged files are."""
    with stores.control.read() as connection:
        found = control.find_deployment(connection)
    if found is not None:
        return found
    with stores.control.write() as connection:
        if control.find_deployment(connection) is None:
            control.add_deployment(connection, secrets.token_hex(ID_BYTES))
    return identify(stores)
