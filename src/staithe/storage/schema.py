"""The schema of a store: how it is made, brought up to date, and what is refused instead of being touched.

A store remembers its version, which is how many scripts it has run, and of each script a digest and which Staithe ran
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select, text

from staithe import __version__
from staithe.domain.errors import Conflict, StoreUnusable
from staithe.storage.database import Database
from staithe.storage.tables import COUNTER

ADVICE: Final = "Tell the operator: the server's log says which store it is."
MAKE_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS schema_script "
    "(number INTEGER NOT NULL PRIMARY KEY, digest TEXT NOT NULL, run_by TEXT NOT NULL)",
)
SELECT_SCRIPTS: Final = text("SELECT number, digest, run_by FROM schema_script")
INSERT_SCRIPT: Final = text("INSERT INTO schema_script VALUES (:number, :digest, :run_by)")


class Past(Struct, frozen=True):
    """What a store has been through: its version, and the digest of each script and who ran it, by number.

    A store of a Staithe that wrote no digests has none until it is opened; then nobody knows who ran them.
    """

    version: int
    digests: dict[int, str]
    run_by: dict[int, str]

    def fault(self, scripts: Sequence[str]) -> str:
        """Why this version must not touch the store, as the end of a sentence; empty if it may."""
        newest = len(scripts)
        if self.version > newest:
            maker = self.run_by.get(self.version, "")
            if maker:
                return f"was made by Staithe {maker}, and this is Staithe {__version__}: use Staithe {maker} or newer."
            return (
                f"was made by a newer Staithe: its schema is {self.version}, and Staithe {__version__} "
                f"knows no newer one than {newest}. Use the version that made it."
            )
        for number in self.changed(scripts):
            maker = self.run_by[number] or "another version"
            return (
                f"has run another script {number} than that of Staithe {__version__}, by Staithe {maker}: "
                "use the version that ran it."
            )
        return ""

    def changed(self, scripts: Sequence[str]) -> list[int]:
        """The numbers of the scripts that were others when the store ran them."""
        own = {number: digest_of(script) for number, script in enumerate(scripts, start=1)}
        return sorted(n for n, digest in self.digests.items() if n <= self.version and own.get(n, digest) != digest)


def read_past(connection: Connection) -> Past:
    """What the store has been through; version 0 if there is none."""
    has_scripts = connection.dialect.has_table(connection, "schema_script")
    rows = connection.execute(SELECT_SCRIPTS).all() if has_scripts else []
    return Past(schema_version(connection), {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows})


@cache
def digest_of(script: str) -> str:
    """What stands for a script, whatever ends its lines."""
    return hashlib.sha256("\n".join(script.splitlines()).encode()).hexdigest()


def migrate(database: Database, migrations: str, *, makes: bool = False) -> None:
    """Run the migrations that a store has not had yet, in one transaction: it has all of them or none.

    Args:
        database: the store.
        migrations: whose they are: `company`, `control` or `hints`.
        makes: whether a store that is not there is made.

    Raises:
        StoreUnusable: there is none, or it is of a newer version, or has run other scripts than this version's.
    """
    with database.read() as connection:
        scripts = migration_scripts(migrations, connection.dialect.name)
        past = read_past(connection)
    if past.version == 0 and not makes:
        raise missing(database.place)
    if fault := past.fault(scripts):
        if migrations == "company":
            raise StoreUnusable(f"The company's store {fault}", ADVICE, database.place)
        raise StoreUnusable(f"The {migrations} store ({database.place}) {fault}", "", database.place)
    if past.version < len(scripts) or len(past.digests) < past.version:
        with database.write() as connection:
            database.prepare(connection, is_company=migrations == "company")
            run_scripts(connection, scripts)


def run_scripts(connection: Connection, scripts: Sequence[str]) -> None:
    """Run what a store lacks, and write down what it has run."""
    for statement in MAKE_TABLES:
        connection.exec_driver_sql(statement)
    # Another process may have been quicker.
    past = read_past(connection)
    lacking = scripts[past.version :]
    for statement in ";\n".join(lacking).split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    if lacking:
        connection.execute(text("DELETE FROM schema_version"))
        connection.execute(text("INSERT INTO schema_version VALUES (:n)"), {"n": len(scripts)})
    for number, script in enumerate(scripts, start=1):
        if number not in past.digests:
            run_by = __version__ if number > past.version else ""
            connection.execute(INSERT_SCRIPT, {"number": number, "digest": digest_of(script), "run_by": run_by})


def missing(place: str) -> StoreUnusable:
    """What is said of a company's store that is not there, or has nothing in it."""
    message = (
        "The company's store is missing. It is not made anew: bring it back, or restore the company from a backup."
    )
    return StoreUnusable(message, ADVICE, place)


SELECT_ANY: Final = select(COUNTER).limit(1)
"""Whatever is put into a store takes a number first."""


def make_store(database: Database) -> None:
    """Make the empty store of a new company.

    Raises:
        Conflict: there is one that was used.
    """
    with database.read() as connection:
        is_used = schema_version(connection) > 0 and connection.execute(SELECT_ANY).first() is not None
    if is_used:
        raise Conflict(
            f"There is a store of a company that the control store does not know: {database.place}.",
            "Move it away, or bring the control store back that knows it.",
        )
    migrate(database, "company", makes=True)


@cache
def migration_scripts(migrations: str, dialect: str) -> Sequence[str]:
    """The scripts of one set, in order: `NNNN_what.<dialect>.sql`. Each store that is opened asks for them."""
    folder = resources.files("staithe.storage") / "migrations" / migrations
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(f".{dialect}.sql"))
    return tuple((folder / name).read_text("utf-8") for name in names)


@cache
def newest_schema(migrations: str) -> int:
    """How many migrations this version has: what `schema_version` gives of a store that was opened."""
    return len(migration_scripts(migrations, "sqlite"))


def schema_version(connection: Connection) -> int:
    """How many migrations the store has had."""
    if not connection.dialect.has_table(connection, "schema_version"):
        return 0
    return int(connection.execute(text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one())
