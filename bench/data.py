"""What the benchmark keeps between runs because it takes minutes to make: contacts, in both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.filling import fill
from bench.postgres import running_postgres, tidy
from bench.records import EXPORTED_FIELDS, make_bodies, make_exported
from bench.report import say
from bench.sizes import MIB, Sizes
from staithe.cli.seed import seed_with_progress
from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.caller import Caller
from staithe.services.guesses import Attempt, Guesses
from staithe.services.stores import CompanyStore, Stores

LARGE: Final = "large"
SMALL: Final = "small"
EXPORTED: Final = "exported"
USER: Final = "ann"
PASSWORD: Final = "secret"
MARKER: Final = "bench.json"
CLUSTER: Final = "cluster"
SERVER: Final = "server"
DATABASE: Final = "bench"
LOG_FOLDER: Final = "pg_wal"
"""What PostgreSQL has there is as large as it likes, whatever the companies hold."""
MOST_GROWTH_BYTES: Final = 2048 * MIB
"""Every run leaves a list and its change behind. After so much of that the data is seeded anew."""


class Seeded(Struct):
    """What the marker file of a seeded data directory says."""

    contacts: int
    exported: int
    size: int


def prepare(folder: Path, sizes: Sizes, make: Callable[[Path, Sizes], None], *, fresh: bool) -> None:
    """Have the companies in `folder`, making them if they are not there, or if `fresh` is set.

    Args:
        folder: where they are kept.
        sizes: of the benchmark.
        make: fills the folder: `make_in_files` or `make_in_postgres`.
        fresh: whether they are made anew.

    Raises:
        SystemExit: the folder has something else in it, which must not be deleted.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise SystemExit(f"{folder} is not a folder that the benchmark has made: give another one with --data.")
        if not fresh and is_usable(folder, sizes):
            return
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_marker(folder, Seeded(0, 0, 0))
    make(folder, sizes)
    write_marker(folder, Seeded(sizes.contacts, sizes.exported, size_of(folder)))


def make_in_files(folder: Path, sizes: Sizes) -> None:
    """Three companies in SQLite files."""
    stores = Stores(folder)
    for name, contacts in ((LARGE, sizes.contacts), (SMALL, sizes.small_contacts)):
        seed_with_progress(add_company(stores, name), contacts)
    add_company(stores, EXPORTED)
    say(f"Importing {sizes.exported:,} contacts ...")
    fill(new_caller(stores, EXPORTED), EXPORTED_FIELDS, make_bodies(make_exported(sizes.exported)))
    stores.close()


def make_in_postgres(folder: Path, sizes: Sizes) -> None:
    """The large company in a PostgreSQL."""
    with running_postgres(folder / CLUSTER) as postgres:
        url = postgres.new_database(DATABASE)
        stores = Stores(folder / SERVER, url)
        seed_with_progress(add_company(stores, LARGE), sizes.contacts)
        stores.close()
        tidy(url)


def add_company(stores: Stores, name: str) -> CompanyStore:
    """A new company with the user of the benchmark."""
    company = accounts.create_company(stores, name, system_clock())
    accounts.set_user(stores, company, USER, PASSWORD, Role.ADMIN, system_clock())
    return stores.open(company)


def new_caller(stores: Stores, name: str) -> Caller:
    """The user of a company, logged in without a server."""
    user = accounts.prove(stores, Guesses(), Attempt(f"{name}\\{USER}", PASSWORD)).user
    return Caller(user, stores, open_company(stores, name), system_clock())


def is_usable(folder: Path, sizes: Sizes) -> bool:
    try:
        seeded = msgspec.json.decode((folder / MARKER).read_bytes(), type=Seeded)
    except msgspec.ValidationError:  # another version of the benchmark has made it
        return False
    is_right = (seeded.contacts, seeded.exported) == (sizes.contacts, sizes.exported)
    return is_right and size_of(folder) - seeded.size < MOST_GROWTH_BYTES


def write_marker(folder: Path, seeded: Seeded) -> None:
    (folder / MARKER).write_bytes(msgspec.json.encode(seeded))


def size_of(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if LOG_FOLDER not in path.parts and path.is_file())
    return sum(path.stat().st_size for path in files)


def login_of(company: str) -> str:
    """The login of the company's user, `company\\user:password`."""
    return f"{company}\\{USER}:{PASSWORD}"


def path_of(stores: Stores, name: str) -> Path:
    """The file that has the contacts of one of the companies."""
    return Path(open_company(stores, name).database.place)


def open_company(stores: Stores, name: str) -> CompanyStore:
    """The store of one of the companies."""
    return stores.open(accounts.find_company(stores, name))
