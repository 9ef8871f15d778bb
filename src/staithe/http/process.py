"""An HTTP process: uvicorn on a socket that the supervisor has opened, and that several may share.

The supervisor keeps the socket, so while a process is started anew, connections go to the others, or wait instead of
being refused. A process that is told to stop takes no more connections, closes those that are idle, and answers the
requests that it has begun.
"""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from staithe.app import build_or_exit
from staithe.config import Settings, from_environment
from staithe.http.asgi import build_application
from staithe.observing import lifetime
from staithe.orphan import stop_with
from staithe.processes import name_process

STOP_SECONDS = 15
"""What requests that are under way have to end in; the supervisor waits longer."""

KEEP_ALIVE_SECONDS = 75
"""More than the clients' own: who closes an idle connection first must not be us, just as a request is on its way.
httpx drops one after 5 seconds, which is also uvicorn's default; load balancers after 60 or so."""


class Server(uvicorn.Server):
    """Says when it answers, by a byte into a pipe."""

    def __init__(self, config: uvicorn.Config, ready: int) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            os.write(self.ready, b"1")


def run(settings: Settings, files: str, supervisor: int) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    Args:
        settings: of the server.
        files: the numbers of two open files: the listening socket, and the pipe that takes a byte when it answers.
        supervisor: the id of the process that started this one.
    """
    listener, ready = (int(number) for number in files.split(","))
    name_process("http")
    lifetime.start("http", settings)
    application = build_application(build_or_exit(settings))
    config = uvicorn.Config(
        application,
        http="httptools",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Who reads what proxies say reads it itself: `staithe.http.base_url`.
        proxy_headers=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    stop_with(supervisor)
    Server(config, ready).run(sockets=[socket.socket(fileno=listener)])


if __name__ == "__main__":
    run(from_environment(), sys.argv[1], int(sys.argv[2]))
