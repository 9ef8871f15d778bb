"""Whether the server lives, and whether it can work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Final

from staithe.app import App
from staithe.domain.errors import Damaged
from staithe.domain.limits import UPLOAD_BYTES
from staithe.http.calls import Answer
from staithe.storage import control

WORKER_PART: Final = 4
"""A worker counts as gone after this part of the time after which it is ended."""


def alive() -> Answer:
    """The process answers."""
    return Answer(200, {"status": "alive"})


def ready(app: App) -> Answer:
    """The stores can be read, a worker of this server lives, and there is room for an upload. Nothing is written."""
    reasons = list(hindrances(app))
    if reasons:
        return Answer(503, {"status": "not ready", "reasons": reasons})
    return Answer(200, {"status": "ready"})


def hindrances(app: App) -> Iterator[str]:
    """Why the server cannot work."""
    try:
        with app.stores.control.read() as connection:
            control.is_empty(connection)
        with app.stores.hints.read() as connection:
            control.hinted_companies(connection)
    except Damaged as error:
        yield error.message
    seconds = app.settings.pauses.hung_seconds / WORKER_PART
    # A server without workers has them elsewhere, and cannot know.
    if app.workers and not any(worker.is_fresh(seconds) for worker in app.workers):
        yield f"No worker has done anything for {seconds:,.0f} s."
    folders = {app.stores.data, *([] if app.stores.area.bucket is not None else [app.stores.area.directory])}
    for folder in sorted(folders):
        if shutil.disk_usage(folder).free < UPLOAD_BYTES:
            yield f"The disk of {folder} is full."
