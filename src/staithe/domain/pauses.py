"""How long a server waits before it does something again. No option changes this; tests that wait for it shorten it."""

from __future__ import annotations

from msgspec import Struct


class Pauses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each in seconds."""

    scan_seconds: float = 2.0
    """Between two looks of a worker into every company."""

    retention_seconds: float = 10.0
    """Between two removals of what has expired."""

    staging_seconds: float = 5.0
    """A sync is left alone for so long after the object store has failed."""

    silent_seconds: float = 3.0
    """How long the object store may send and take nothing; three times in a row are a failure."""

    hasty_seconds: float = 1.0
    """The same for what may be left to a later sweep, and once."""

    control_seconds: float = 1.0
    """How long logins and limits are good that were read from PostgreSQL; SQLite tells when they change."""

    callback_seconds: float = 10.0
    """In which a call of a callback address has its answer; after three such calls it is given up."""

    hung_seconds: float = 120.0
    """A process whose main loop stands still for so long is ended and started anew; after a quarter of it a worker
    counts as gone for `/readyz`. It is more than any single wait of a loop: 30 seconds for a turn to write and 20 for
    SQLite's lock, half a minute for a database or an object store that does not answer."""

    figures_seconds: float = 5.0
    """How old the numbers of the stores in `/metrics` may be."""

    head_seconds: float = 20.0
    """In which a request's line and headers must come, and before them the TLS handshake."""

    idle_seconds: float = 75.0
    """How long a connection is kept between two requests. More than the clients' own: who closes an idle connection
    first must not be us, just as a request is on its way. httpx drops one after 5 seconds; load balancers after 60 or
    so."""

    unread_seconds: float = 30.0
    """How long a client may take nothing of its answer."""


USUAL_PAUSES = Pauses()
