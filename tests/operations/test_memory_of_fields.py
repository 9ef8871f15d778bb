"""Memory while companies make fields: it grows with the fields there are, not with each version of a catalogue."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Table

from staithe.clock import system_clock
from staithe.domain.catalogue import Catalogue
from staithe.domain.companies import Role
from staithe.services import accounts, contact_fields, contacts
from staithe.services.caller import Caller
from staithe.services.stores import Stores
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.known_catalogues import KnownCatalogues, statements_of

MIB = 1024**2
MOST_GROWTH_MIB = 64
"""Nine companies with a thousand fields each may cost so much more than one. A version of a catalogue takes 3 MiB."""


@pytest.fixture
def stores(tmp_path: Path, database: str) -> Iterator[Stores]:
    made = Stores(tmp_path / "data", database)
    yield made
    made.close()


def caller_of(stores: Stores, name: str) -> Caller:
    """A user of a new company, which has one contact."""
    company = accounts.create_company(stores, name, system_clock())
    user = accounts.set_user(stores, company, "ann", "secret", Role.ADMIN, system_clock())
    caller = Caller(user, stores, stores.open(company), system_clock())
    contacts.create(caller, {"emailAddress": "ann@example.com"})
    return caller


def make_fields(caller: Caller, first: int, last: int, every: int = 1) -> None:
    """Make fields, and read and change a contact after every so many."""
    for number in range(first, last + 1):
        body = {"name": f"Own {number}", "dataType": "text", "displayType": "text", "updateType": "always"}
        contact_fields.create(caller, body)
        if number % every == 0:
            contacts.change(caller, 1, {"emailAddress": f"ann{number}@example.com"})


def alive(kind: type) -> int:
    """How many objects of a kind there are, when all that nobody needs is gone."""
    gc.collect()
    return sum(isinstance(thing, kind) for thing in gc.get_objects())


def test_a_company_keeps_the_newest_of_its_catalogues_alone(stores: Stores) -> None:
    caller = caller_of(stores, "south")
    make_fields(caller, 1, 5)
    tables, catalogues = alive(Table), alive(Catalogue)
    make_fields(caller, 6, 25)
    assert alive(Table) == tables
    assert alive(Catalogue) == catalogues


def test_what_a_company_reads_again_is_compiled_once(stores: Stores) -> None:
    caller = caller_of(stores, "south")
    make_fields(caller, 1, 1)
    with caller.database.read() as connection:
        catalogue = load_catalogue(connection)
    compiled = list(statements_of(catalogue))
    assert compiled
    contacts.change(caller, 1, {"emailAddress": "bob@example.com"})
    with caller.database.read() as connection:
        assert load_catalogue(connection) is catalogue
    assert list(statements_of(catalogue)) == compiled


def test_of_many_companies_those_that_were_used_last_are_kept(stores: Stores) -> None:
    caller = caller_of(stores, "south")
    make_fields(caller, 1, 3)
    with caller.database.read() as connection:
        own = load_catalogue(connection).fields[-3:]
    known = KnownCatalogues(most_fields=6)
    first = known.find(1, own)
    known.find(2, own)
    assert known.find(1, own) is first
    known.find(3, own[:2])
    assert list(known.kept) == [1, 3]
    assert known.find(1, own[:1]) is not first
    assert (list(known.kept), known.fields) == ([3, 1], 3)


@pytest.mark.nightly(
    "Ten thousand fields take minutes, and the number of catalogues that live is counted in the suite."
)
def test_memory_stays_flat_over_ten_thousand_fields(stores: Stores) -> None:
    sizes: list[float] = []
    for number in range(10):
        make_fields(caller_of(stores, f"company{number}"), 1, 1000, every=10)
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss / MIB)
    assert sizes[-1] - sizes[0] < 9 * MOST_GROWTH_MIB, sizes
