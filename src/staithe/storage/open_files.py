"""The SQLite files of companies: opened when they are used, and closed when others have been used since.

An open file takes three descriptors or more, so that a server cannot have those of a thousand companies open.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from staithe.storage.database import SqliteDatabase
from staithe.storage.deadlines import Limitable
from staithe.storage.schema import missing

LOGGER: Final = logging.getLogger(__name__)
MOST_CONNECTIONS: Final = 64
"""Of all open files together, while not more are used at once. Each takes two descriptors, and each file one more."""

Identity = tuple[int, int]


class OpenFile:
    """A file that is open: which one, and how many transactions use it."""

    def __init__(self, identity: Identity, database: SqliteDatabase) -> None:
        self.identity = identity
        self.database = database
        self.users = 0


class OpenFiles:
    """The open files of companies, by path, those used last at the end."""

    def __init__(self, open_file: Callable[[Path], SqliteDatabase], most: int = MOST_CONNECTIONS) -> None:
        self.open_file = open_file
        self.most = most
        self.lock = threading.Lock()
        self.opening = threading.Lock()
        self.files: OrderedDict[Path, OpenFile] = OrderedDict()
        self.missing: set[Path] = set()
        """What is not there: said in the log once."""

    def take(self, path: Path) -> OpenFile:
        """A file, open until it is given back.

        Raises:
            FileNotFoundError: it is not there.
            StoreUnusable: it has no tables, or is not of this version.
        """
        # A path may lead to another file than the open one, which is then gone: what is written there is lost.
        identity = identity_of(path)
        found = self.find(path, identity)
        if found is not None:
            return found
        with self.opening:
            found = self.find(path, identity)
            if found is not None:
                return found
            new = OpenFile(identity, self.open_file(path))
            with self.lock:
                new.users = 1
                left = self.files.pop(path, None)
                self.files[path] = new
                surplus = [*([left] if left is not None and not left.users else []), *self.surplus()]
        close_all(surplus)
        return new

    def find(self, path: Path, identity: Identity) -> OpenFile | None:
        with self.lock:
            found = self.files.get(path)
            if found is None or found.identity != identity:
                return None
            self.files.move_to_end(path)
            found.users += 1
            return found

    def give_back(self, path: Path, used: OpenFile) -> None:
        """A file that was taken is used no more; it stays open until there are too many."""
        with self.lock:
            used.users -= 1
            # Another has taken its place meanwhile, or all were closed.
            is_left = not used.users and self.files.get(path) is not used
        if is_left:
            used.database.close()

    def surplus(self) -> list[OpenFile]:
        """Take out what is too much, of what nobody uses; the lock must be held."""
        count = sum(max(1, opened.database.connections) for opened in self.files.values())
        taken: list[OpenFile] = []
        for path, opened in list(self.files.items()):
            if count <= self.most:
                break
            if not opened.users:
                count -= max(1, opened.database.connections)
                taken.append(self.files.pop(path))
        return taken

    def close(self, path: Path | None = None) -> None:
        """Close one file, or all; one that is used is closed when it is no more."""
        with self.lock:
            paths = list(self.files) if path is None else [path]
            taken = [opened for one in paths if (opened := self.files.pop(one, None)) is not None]
            idle = [opened for opened in taken if not opened.users]
        close_all(idle)


def close_all(files: list[OpenFile]) -> None:
    for opened in files:
        opened.database.close()


def identity_of(path: Path) -> Identity:
    """Which file a path leads to."""
    found = path.stat()
    return found.st_dev, found.st_ino


class CompanyFile(Limitable):
    """A company's store that is a SQLite file, which is open while it is used, and for a while longer."""

    def __init__(self, path: Path, files: OpenFiles) -> None:
        super().__init__()
        self.path = path
        self.files = files

    @contextmanager
    def opened(self) -> Generator[SqliteDatabase]:
        """The open file.

        Raises:
            StoreUnusable: it is missing, or not of this version.
        """
        try:
            used = self.files.take(self.path)
        except FileNotFoundError:
            error = missing(self.place)
            if self.path not in self.files.missing:
                self.files.missing.add(self.path)
                LOGGER.error("%s: %s", error.message, error.place)
            raise error from None
        self.files.missing.discard(self.path)
        try:
            yield used.database.limited(self.new_limit)
        finally:
            self.files.give_back(self.path, used)

    @contextmanager
    def read(self, *, maps: bool = False) -> Generator[Connection]:
        """A read transaction."""
        with self.opened() as database, database.read(maps=maps) as connection:
            yield connection

    @contextmanager
    def write(self, *, alone: bool = True, sorts: bool = False) -> Generator[Connection]:
        """A write transaction; durable when its block is left."""
        with self.opened() as database, database.write(alone=alone, sorts=sorts) as connection:
            yield connection

    @contextmanager
    def alone(self, purpose: str) -> Generator[bool]:
        """Hold a lock that ends with the process."""
        with self.opened() as database, database.alone(purpose) as is_held:
            yield is_held

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.path)

    def prepare(self, connection: Connection, *, is_company: bool) -> None:
        """Nothing: the file is there."""

    def close(self) -> None:
        """Close the file."""
        self.files.close(self.path)
