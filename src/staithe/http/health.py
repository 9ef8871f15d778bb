"""Whether the server lives, and whether it can work."""

from __future__ import annotations

from staithe.app import App
from staithe.http.calls import Answer
from staithe.storage import control


def alive() -> Answer:
    """The process answers."""
    return Answer(200, {"status": "alive"})


def ready(app: App) -> Answer:
    """The control store can be read."""
    with app.stores.control.read() as connection:
        control.is_empty(connection)
    return Answer(200, {"status": "ready"})
