"""Contact lists and email groups."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from staithe.domain.assets import Asset
from staithe.domain.errors import Gone, NotFound
from staithe.domain.list_query import ListQuery
from staithe.domain.sync_actions import ASSET_DESTINATIONS, contact_list_set
from staithe.services.caller import Caller
from staithe.storage import assets, sets

CONTACT_LIST: Final = "contactlist"
EMAIL_GROUP: Final = "emailgroup"


def get_asset(connection: Connection, kind: str, asset_id: int) -> Asset:
    """One contact list (`contactlist`) or email group (`emailgroup`).

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted.
    """
    found = assets.find_asset(connection, kind, asset_id)
    if found is not None:
        return found
    what = f"{ASSET_DESTINATIONS[kind]} {asset_id}"
    if assets.was_given(connection, kind, asset_id):
        raise Gone(f"The {what} was deleted.")
    raise NotFound(f"There is no {what}.")


def read(caller: Caller, kind: str, asset_id: int) -> Asset:
    """One list or group."""
    with caller.database.read() as connection:
        return get_asset(connection, kind, asset_id)


def read_page(caller: Caller, kind: str, query: ListQuery) -> tuple[list[Asset], int | None, bool]:
    """One page of lists or groups."""
    with caller.database.read() as connection:
        return assets.read_assets(connection, kind, query)


def list_sizes(caller: Caller, list_ids: list[int]) -> dict[int, int]:
    """How many members each contact list has."""
    with caller.database.read() as connection:
        sizes = sets.sizes_of(connection, [contact_list_set(i) for i in list_ids])
    return {i: sizes[contact_list_set(i)] for i in list_ids}
