"""The contact fields of a company: a row each that it made itself, and a column of the table of contacts."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, MetaData, Row, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from staithe.domain.catalogue import STANDARD, Catalogue
from staithe.domain.errors import Conflict
from staithe.domain.fields import Field
from staithe.domain.limits import FIRST_CUSTOM_FIELD_ID
from staithe.storage import counters, tables
from staithe.storage.dialect import SCHEMA
from staithe.storage.known_catalogues import catalogue_of, kept_with_catalogue
from staithe.storage.listing import columns_of
from staithe.storage.tables import CONTACT, CONTACT_FIELD

COUNTER: Final = "contactField"
TOO_MANY_COLUMNS: Final = "54011"
SELECT_FIELDS: Final = select(CONTACT_FIELD).order_by(CONTACT_FIELD.c.id)
INSERT_FIELD: Final = insert(CONTACT_FIELD)
UPDATE_FIELD: Final = update(CONTACT_FIELD).where(CONTACT_FIELD.c.id == bindparam("field_id"))
"""Sets the columns that its parameters name."""

DELETE_FIELD: Final = delete(CONTACT_FIELD).where(CONTACT_FIELD.c.id == bindparam("field_id"))


def load_catalogue(connection: Connection) -> Catalogue:
    """The company's contact fields at this moment."""
    company = (connection.engine.url, connection.get_execution_options().get(SCHEMA))
    return catalogue_of(connection, company, own_fields(connection))


def own_fields(connection: Connection) -> tuple[Field, ...]:
    """The fields that the company has made, by id."""
    return tuple(to_field(row) for row in connection.execute(SELECT_FIELDS))


def to_field(row: Row[Any]) -> Field:
    return msgspec.convert({str(name): value for name, value in columns_of(row).items()}, Field)


@kept_with_catalogue
def contact_table(catalogue: Catalogue) -> Table:
    """The table of contacts with a column for each stored field of a catalogue."""
    return CONTACT if catalogue is STANDARD else tables.contact_table(catalogue.stored, MetaData())


def take_number(connection: Connection) -> int:
    """The number of a new field among those that the company has ever made, from 1 up."""
    return counters.take_ids(connection, COUNTER)


def add_field(connection: Connection, field: Field) -> None:
    """Insert a field, and add its column: contacts have no value in it yet."""
    connection.execute(INSERT_FIELD, to_row(field))
    add_column(connection, field)


def add_column(connection: Connection, field: Field) -> None:
    """Add the column of a field to the table of contacts.

    Raises:
        Conflict: PostgreSQL counts the columns that were dropped, too, and takes no more.
    """
    column = tables.contact_columns([field])[0]
    column_type = column.type.compile(dialect=connection.dialect)
    try:
        connection.exec_driver_sql(f"ALTER TABLE contact ADD COLUMN {column.name} {column_type}")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != TOO_MANY_COLUMNS:
            raise
        raise Conflict(
            "The company has made and deleted as many contact fields as PostgreSQL's table of contacts can count.",
            "Back the company up and restore it: what was deleted is not counted any more then.",
        ) from error


def was_given(connection: Connection, field_id: int) -> bool:
    """Whether this id was ever given to a field that the company made."""
    return FIRST_CUSTOM_FIELD_ID <= field_id < FIRST_CUSTOM_FIELD_ID + counters.last_id(connection, COUNTER)


def remove_field(connection: Connection, field: Field) -> None:
    """Delete a field that the company made, with all values and the indexes by which imports have found contacts."""
    for index in ("match", "folded"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS contact_{index}_{field.column}")
    connection.exec_driver_sql(f"ALTER TABLE contact DROP COLUMN {field.column}")
    connection.execute(DELETE_FIELD, {"field_id": field.id})


def change_field(connection: Connection, field: Field) -> None:
    """Write what may change of a field: all but its internal name and its type."""
    connection.execute(UPDATE_FIELD, {"field_id": field.id, **to_row(field)})


def to_row(field: Field) -> dict[str, object]:
    return {column.name: getattr(field, column.name) for column in CONTACT_FIELD.columns}
