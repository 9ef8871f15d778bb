"""This machine: what runs on it, its disks, and whether a server answers."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from staithe import __version__
from staithe.domain.doctor_facts import AccessFacts, DiskFacts, ServerFacts, SoftwareFacts
from staithe.services.file_systems import file_system_of
from staithe.tls import accept_any_certificate

OPEN_FILES: Final = ("serve.lock", "serve.url")
"""What says nothing of anybody: that a server runs, and where."""

READY_SECONDS: Final = 10.0


def software_facts() -> SoftwareFacts:
    """What runs here."""
    return SoftwareFacts(__version__, platform.python_version(), f"{platform.system()} {platform.machine()}")


def disk_facts(what: str, path: Path, *, holds_sqlite: bool) -> DiskFacts:
    """The disk that a path is on; of a path that is not there yet, the nearest folder that is."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    usage = shutil.disk_usage(there)
    return DiskFacts(what, str(path), file_system_of(there.resolve()), usage.free, usage.total, holds_sqlite)


def access_facts(directory: Path) -> AccessFacts:
    """Who else may read the files of a directory: one that is closed to others closes what is in it."""
    return AccessFacts(
        str(directory),
        tuple(sorted(readable(directory, stat.S_IXGRP, stat.S_IRGRP | stat.S_IWGRP))),
        tuple(sorted(readable(directory, stat.S_IXOTH, stat.S_IROTH | stat.S_IWOTH))),
    )


def readable(folder: Path, enters: int, reads: int) -> Iterator[str]:
    """Files in a folder, and in those below it, that can be read or written by whom some bits of a mode are for.

    Args:
        folder: where to look.
        enters: the bit that lets them into a folder.
        reads: the bits of which one lets them read or write a file.
    """
    with suppress(FileNotFoundError, PermissionError):
        if not folder.stat().st_mode & enters:
            return
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from readable(Path(entry.path), enters, reads)
                elif entry.name not in OPEN_FILES and entry.stat(follow_symlinks=False).st_mode & reads:
                    yield entry.path


def server_facts(url: str) -> ServerFacts:
    """What a server answers to `/readyz`."""
    began = time.monotonic()
    try:
        answer = httpx.get(f"{url}/readyz", timeout=READY_SECONDS, trust_env=False, verify=accept_any_certificate())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return ServerFacts(url, 0, failure=str(error) or type(error).__name__)
    return ServerFacts(url, answer.status_code, time.monotonic() - began)
