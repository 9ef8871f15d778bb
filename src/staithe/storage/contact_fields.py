"""The contact fields of a company as its store has them."""

from __future__ import annotations

from sqlalchemy import Connection, Table

from staithe.domain.catalogue import STANDARD, Catalogue
from staithe.storage.tables import CONTACT


def load_catalogue(_connection: Connection) -> Catalogue:
    """The company's contact fields at this moment."""
    return STANDARD


def contact_table(_catalogue: Catalogue) -> Table:
    """The table of contacts with a column for each stored field of a catalogue."""
    return CONTACT
