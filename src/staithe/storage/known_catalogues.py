"""The catalogues of companies that were used last, and what is made of each: all of it goes when the catalogue goes.

A company that makes a field has another catalogue from then on, so each version would stay in a cache that is keyed by
it. Here a company has its newest alone, and of all companies together so many are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Table
from sqlalchemy.util import LRUCache

from staithe.domain.catalogue import STANDARD, Catalogue
from staithe.domain.fields import Field

T = TypeVar("T")
P = ParamSpec("P")
MOST_FIELDS: Final = 10_000
"""How many fields the kept catalogues have in all: a field takes 5 kB, with the statements that name it."""

MOST_STATEMENTS: Final = 48
"""How many compiled statements are kept with a catalogue: one that reads a thousand columns takes a megabyte."""


def kept_with_catalogue(make: Callable[[Catalogue], T]) -> Callable[[Catalogue], T]:
    """What is made of a catalogue: once, and kept as long as that is. It must not name the catalogue."""
    made: WeakKeyDictionary[Catalogue, T] = WeakKeyDictionary()

    @wraps(make)
    def find(catalogue: Catalogue) -> T:
        found = made.get(catalogue)
        if found is None:
            found = made.setdefault(catalogue, make(catalogue))
        return found

    return find


def kept_with_table(make: Callable[Concatenate[Table, P], T]) -> Callable[Concatenate[Table, P], T]:
    """What is made of a table and other values: once, and kept as long as the table is; of very many, the last."""

    @wraps(make)
    def find(table: Table, *arguments: P.args, **more: P.kwargs) -> T:
        kept = table.info.setdefault(make, LRUCache[Any, Any](MOST_STATEMENTS))
        key = (arguments, tuple(more.items()))
        if key not in kept:
            kept[key] = make(table, *arguments, **more)
        return kept[key]

    return find


class KnownCatalogues:
    """The newest catalogue of each company that was used last."""

    def __init__(self, most_fields: int = MOST_FIELDS) -> None:
        self.most_fields = most_fields
        self.kept: OrderedDict[Hashable, Catalogue] = OrderedDict()
        self.fields = 0
        self.lock = threading.Lock()

    def find(self, company: Hashable, own: tuple[Field, ...]) -> Catalogue:
        """The catalogue of a company that has these fields of its own: the same one as long as it has the same."""
        with self.lock:
            known = self.kept.pop(company, None)
            if known is None or known.fields[len(STANDARD.fields) :] != own:
                self.fields += len(own) - (0 if known is None else len(known.fields) - len(STANDARD.fields))
                known = Catalogue(STANDARD.fields + own)
            self.kept[company] = known
            while self.fields > self.most_fields and len(self.kept) > 1:
                _, oldest = self.kept.popitem(last=False)
                self.fields -= len(oldest.fields) - len(STANDARD.fields)
            return known


KNOWN: Final = KnownCatalogues()


@kept_with_catalogue
def statements_of(_: Catalogue) -> LRUCache[Any, Any]:
    """Where SQLAlchemy keeps what it has compiled for a catalogue, beside what it keeps for all companies."""
    return LRUCache(MOST_STATEMENTS)


def catalogue_of(connection: Connection, company: Hashable, own: tuple[Field, ...]) -> Catalogue:
    """The catalogue of a company; what this connection compiles from now on is kept with it."""
    if not own:
        return STANDARD
    catalogue = KNOWN.find(company, own)
    connection.execution_options(compiled_cache=statements_of(catalogue))
    return catalogue
