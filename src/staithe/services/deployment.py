"""A deployment: one control store, however many servers and workers share it. Its staging area is its alone."""

from __future__ import annotations

import secrets
from typing import Final

from staithe.services.stores import Stores
from staithe.storage import control

ID_BYTES: Final = 8


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
