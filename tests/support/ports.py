"""A port of this machine that stays one's own, also while nobody listens on it."""

from __future__ import annotations

import socket
import sys


class OwnPort:
    """A free port. On Linux nobody else is given it until it is closed; who listens on it says SO_REUSEADDR, as usual.

    While nobody listens, connections are refused.
    """

    def __init__(self) -> None:
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("127.0.0.1", 0))
        self.number: int = self.holder.getsockname()[1]
        if sys.platform != "linux":
            # Elsewhere whoever holds it keeps everybody from listening.
            self.holder.close()

    def close(self) -> None:
        """Let others have it."""
        self.holder.close()
