"""An HTTP process: uvicorn on a socket that the supervisor has opened, and that several may share.

The supervisor keeps the socket, so while a process is started anew, connections go to the others, or wait instead of
being refused. A process that is told to stop takes no more connections, closes those that are idle, and answers the
requests that it has begun.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import sys
from dataclasses import replace
from functools import partial
from typing import Final, cast

import uvicorn

from staithe.app import build_or_exit
from staithe.beats import Beat
from staithe.config import Settings, from_environment
from staithe.http.asgi import build_application
from staithe.http.connections import Connection, Door
from staithe.observing import lifetime
from staithe.orphan import stop_with
from staithe.processes import name_process

LOGGER: Final = logging.getLogger(__name__)
TICKS_PER_SECOND = 10
"""Of uvicorn's main loop."""

STOP_SECONDS = 15
"""What requests that are under way have to end in; the supervisor waits longer."""

OTHER_FILES = 512
"""What a process has open beside its connections: stores, staged files, connections to databases."""


class Server(uvicorn.Server):
    """Says when it answers, by a byte into a pipe."""

    def __init__(self, config: uvicorn.Config, door: Door, ready: int, beat: Beat) -> None:
        super().__init__(config)
        self.door = door
        self.ready = ready
        self.beat = beat

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, once a second; uvicorn calls this ten times as often, from the event loop."""
        self.beat.mark()
        if counter % TICKS_PER_SECOND == 0:
            self.door.sweep()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            os.write(self.ready, b"1")


def run(settings: Settings, files: str, supervisor: int) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    Args:
        settings: of the server.
        files: the numbers of open files: the listening socket, the pipe that takes a byte when it answers, what takes
            its beat, and the beats of workers.
        supervisor: the id of the process that started this one.
    """
    listener, ready, beat, *workers = (int(number) for number in files.split(","))
    name_process("http")
    lifetime.start("http", settings)
    app = replace(build_or_exit(settings), workers=tuple(map(Beat, workers)))
    application = build_application(app)
    door = Door(most_that_fit(settings.most_connections), settings.pauses)
    config = uvicorn.Config(
        application,
        http=cast("type[asyncio.Protocol]", partial(Connection, door)),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Who reads what proxies say reads it itself: `staithe.http.base_url`.
        proxy_headers=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    config.load()
    # The door does the handshakes, so that they are counted and end.
    door.tls, config.ssl = config.ssl, None
    stop_with(supervisor)
    Server(config, door, ready, Beat(beat)).run(sockets=[socket.socket(fileno=listener)])


def most_that_fit(most: int) -> int:
    """So many of the connections that are wanted as the process may have files open; its limit is raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= most + OTHER_FILES:
        if soft != resource.RLIM_INFINITY and soft < most + OTHER_FILES:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most + OTHER_FILES, hard))
        return most
    fitting = max(hard - OTHER_FILES, hard // 2)
    LOGGER.warning("%d connections at once, not %d: the process may have %d files open", fitting, most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return fitting


if __name__ == "__main__":
    run(from_environment(), sys.argv[1], int(sys.argv[2]))
