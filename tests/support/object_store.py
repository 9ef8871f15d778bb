"""A real S3 server in a process of its own, and a relay before it that can fail like one."""

from __future__ import annotations

import contextlib
import itertools
import queue
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from pyarrow import fs

from tests.support.ports import OwnPort
from tests.support.waiting import LONGEST_SECONDS

KEY, SECRET = "key", "secret"
PIECE_BYTES = 65_536
HEAD_END = b"\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class ObjectStore:
    """An S3 server (moto) that keeps everything in memory, until it is closed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        ports: queue.Queue[int] = queue.Queue()
        self.reader = threading.Thread(target=self.read_output, args=(ports,), daemon=True)
        self.reader.start()
        self.port = ports.get(timeout=LONGEST_SECONDS)
        self.files = fs.S3FileSystem(
            access_key=KEY,
            secret_key=SECRET,
            region="us-east-1",
            scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}",
            allow_bucket_creation=True,
        )
        self.buckets = 0

    def read_output(self, ports: queue.Queue[int]) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", line):
                ports.put(int(found[1]))
        self.process.stderr.close()

    def new_bucket(self) -> str:
        """Make a bucket, and give its name."""
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self.files.create_dir(name)
        return name

    def names(self, path: str) -> set[str]:
        """The objects under a path, by their whole paths. Empty ones that stand for folders are none."""
        found = self.files.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
        return {entry.path for entry in found if entry.is_file}

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait(LONGEST_SECONDS)
        self.reader.join(10)


def address(bucket: str, port: int, prefix: str = "staged") -> str:
    """What `--staging` takes to find a bucket at a port of this machine."""
    return f"s3://{KEY}:{SECRET}@{bucket}/{prefix}?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"


Serve = Callable[["Relay", socket.socket, bytes], None]
"""Serves a connection from which some bytes have been read already, or none."""


class Relay:
    """Stands between a client and the S3 server. How it serves a connection can be changed at any time."""

    def __init__(self, store_port: int) -> None:
        self.store_port = store_port
        self.serve: Serve = pass_on
        self.served = 0
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.own_port = OwnPort()
        self.port = self.own_port.number
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.start()

    def start(self) -> None:
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self.run, args=(client,), daemon=True).start()

    def run(self, client: socket.socket) -> None:
        with self.connected(client), contextlib.suppress(OSError):
            serve = self.serve
            self.served += 1
            serve(self, client, b"")

    @contextlib.contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        with self.lock:
            self.open.add(connection)
        try:
            yield
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def use(self, serve: Serve) -> None:
        """Serve like this from now on; connections that are open are cut."""
        self.serve = serve
        self.served = 0
        self.cut()
        if self.listener.fileno() < 0:
            self.listener = socket.create_server(("127.0.0.1", self.port))
            self.start()

    def refuse(self) -> None:
        """Take no connections any more, until `use` says how."""
        # To close a socket does not wake the thread that accepts from it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self) -> None:
        with self.lock:
            for connection in self.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it."""
        if self.listener.fileno() >= 0:
            self.refuse()
        self.own_port.close()


def pump(source: socket.socket, target: socket.socket, most: int | None = None) -> None:
    """Copy bytes until the source ends, or so many are copied; then cut both."""
    copied = 0
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE_BYTES):
            if most is not None:
                data = data[: most - copied]
            target.sendall(data)
            copied += len(data)
            if copied == most:
                break
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def relay(
    it: Relay, client: socket.socket, head: bytes, *, request: int | None = None, answer: int | None = None
) -> None:
    """Connect a client with the server; `request` and `answer` are how many bytes of each come through."""
    server = socket.create_connection(("127.0.0.1", it.store_port))
    with it.connected(server):
        server.sendall(head)
        back = threading.Thread(target=pump, args=(server, client, answer), daemon=True)
        back.start()
        pump(client, server, request)
        back.join()


def pass_on(it: Relay, client: socket.socket, head: bytes) -> None:
    """Fail in nothing."""
    relay(it, client, head)


def hang(_it: Relay, client: socket.socket, _head: bytes) -> None:
    """Take what comes, and answer nothing."""
    while client.recv(PIECE_BYTES):
        pass


def reset(_it: Relay, client: socket.socket, _head: bytes) -> None:
    """Reset the connection at once."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_requests(after: int) -> Serve:
    """Let so many bytes of what is sent on a connection through, then cut it."""
    return lambda it, client, head: relay(it, client, head, request=after)


def cut_answers(after: int) -> Serve:
    """Let all that is sent through, and so many bytes of what is answered."""
    return lambda it, client, head: relay(it, client, head, answer=after)


def lose_answers(it: Relay, client: socket.socket, head: bytes) -> None:
    """Let all that is sent through, but no answer: only what asks for the body."""
    server = socket.create_connection(("127.0.0.1", it.store_port))
    with it.connected(server):
        server.sendall(head)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        while not (data := server.recv(PIECE_BYTES)).replace(GO_ON, b""):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)


def answer(status: int) -> Serve:
    """Answer with an error and nothing else."""

    def serve(it: Relay, client: socket.socket, head: bytes) -> None:
        head or client.recv(PIECE_BYTES)
        client.sendall(f"HTTP/1.1 {status} Failing\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        hang(it, client, head)

    return serve


def failing(serve: Serve, *methods: str, query: str = "", after: int = 0, otherwise: Serve = pass_on) -> Serve:
    """Serve some requests like this.

    Args:
        serve: how those are served.
        methods: theirs.
        query: a text in their addresses.
        after: how many of them are served otherwise before.
        otherwise: how all others are served.
    """
    seen = itertools.count()

    def choose(it: Relay, client: socket.socket, head: bytes) -> None:
        while HEAD_END not in head and (data := client.recv(PIECE_BYTES)):
            head += data
        first = head.split(b"\r\n", 1)[0].decode()
        if first.split(" ")[0] in methods and query in first and next(seen) >= after:
            serve(it, client, head)
            return
        # One request a connection, so that every one is seen.
        otherwise(it, client, head.replace(HEAD_END, b"\r\nConnection: close" + HEAD_END, 1))

    return choose
