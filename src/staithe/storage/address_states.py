"""The states of email addresses: unsubscribed, bounced, and subscribed to or unsubscribed from an email group.

They outlive contacts. While a contact has an address, the states are in the sets, by the contact's id; while none has,
they are rows here. No address has both, so whatever makes, deletes or renames contacts lets the states follow: `leave`
before, `settle` behind it, in one transaction that holds all sets (`sets.hold` with `contacts_change`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, false, insert, or_, select

from staithe.domain.id_set import IdSet, SetChange, merge_changes
from staithe.domain.limits import CONTACT_ID
from staithe.domain.sync_actions import BOUNCED_SET, EMAIL_GROUP_SETS, GLOBAL_UNSUBSCRIBED_SET
from staithe.storage import dialect, sets
from staithe.storage.tables import ADDRESS_STATE, ADDRESS_STATE_CHANGE, CONTACT, ID_SET, ID_SET_CHUNK

State = tuple[str, int]
"""An address in its normal form, and the number of the set that stands for the state."""


class Left(NamedTuple):
    """What contacts leave behind: set -> those that are in it; contact -> its address, of those that are in any."""

    sets: Mapping[str, IdSet]
    addresses: Mapping[int, str]


IDS: Final = CONTACT_ID + 1
NOTHING_LEFT: Final = Left({}, {})
SELECT_STATES: Final = (
    select(ID_SET.c.name, ID_SET_CHUNK.c.bits)
    .join(ID_SET_CHUNK, ID_SET_CHUNK.c.set_id == ID_SET.c.id)
    .where(
        ID_SET_CHUNK.c.chunk.in_(bindparam("chunks", expanding=True)),
        or_(
            ID_SET.c.name.in_((GLOBAL_UNSUBSCRIBED_SET, BOUNCED_SET)),
            ID_SET.c.name.startswith(EMAIL_GROUP_SETS, autoescape=True),
        ),
    )
)
SELECT_ADDRESSES: Final = select(CONTACT.c.id, CONTACT.c.email_key).where(
    CONTACT.c.id.in_(bindparam("ids", expanding=True)), CONTACT.c.email_key.is_not(None)
)
SELECT_ANY: Final = select(ADDRESS_STATE.c.set_id).limit(1)
SELECT_NAMES: Final = select(ID_SET.c.id, ID_SET.c.name).where(ID_SET.c.id.in_(bindparam("numbers", expanding=True)))
SELECT_TAKEN: Final = select(ADDRESS_STATE.c.email_key, CONTACT.c.id).join(
    CONTACT, CONTACT.c.email_key == ADDRESS_STATE.c.email_key
)
"""The states of addresses that a contact has after all: there are some only until they are settled."""

DELETE_STATES: Final = delete(ADDRESS_STATE).where(ADDRESS_STATE.c.email_key == bindparam("address"))
IS_OF_SET: Final = ADDRESS_STATE.c.set_id == bindparam("number")
DELETE_SET: Final = delete(ADDRESS_STATE).where(IS_OF_SET)
NOTE_DELETED_SET: Final = insert(ADDRESS_STATE_CHANGE).from_select(
    ["email_key", "change_id", "set_id", "is_added"],
    select(ADDRESS_STATE.c.email_key, bindparam("change_id"), ADDRESS_STATE.c.set_id, false()).where(IS_OF_SET),
)


def leave(connection: Connection, contacts: IdSet) -> Left:
    """What contacts leave behind that are about to give up their addresses, or to be deleted."""
    held: dict[str, IdSet] = defaultdict(IdSet)
    anyone = IdSet()
    for name, bits in connection.execute(SELECT_STATES, {"chunks": contacts.chunk_numbers()}):
        ids = contacts & IdSet.from_chunks([bits])
        if ids:
            held[name] |= ids
            anyone |= ids
    if not held:
        return NOTHING_LEFT
    addresses = connection.execute(SELECT_ADDRESSES, {"ids": list(anyone)})
    return Left(held, {contact_id: email_key for contact_id, email_key in addresses})


def settle(
    connection: Connection,
    change_id: Callable[[], int],
    left: Left,
    takers: Iterable[State],
    wishes: Mapping[str, SetChange] | None = None,
) -> None:
    """Give the states of addresses to the contacts that have them now, and keep those of addresses that none has.

    Args:
        connection: a write transaction; the contacts have their new addresses.
        change_id: makes the change that this belongs to; asked only if there is one.
        left: from `leave`, for the contacts that had other addresses.
        takers: (normal address, contact id) of those that are new or have a new address.
        wishes: what is to become of the sets besides, after all that.
    """
    wanted = wishes or {}
    if not left.sets and not has_any(connection):
        if wanted:
            sets.change_sets(connection, change_id(), wanted)
        return
    owners = dict(takers)
    waiting = find_states(connection, list(owners))
    changes, kept = share_out(left, owners, waiting)
    if not (waiting or left.sets or wanted):
        return
    number = change_id()
    numbers = {name: sets.make_set_number(connection, name) for name in {name for _, name in (*waiting, *kept)}}
    keep(connection, number, [(address, numbers[name]) for address, name in kept])
    forget(connection, number, [(address, numbers[name]) for address, name in waiting])
    sets.change_sets(connection, number, merge_changes([*changes.items(), *wanted.items()]))


def share_out(
    left: Left, owners: Mapping[str, int], waiting: Iterable[tuple[str, str]]
) -> tuple[dict[str, SetChange], list[tuple[str, str]]]:
    """Where states go: (what changes of the sets, the (address, set name) that no contact has any more)."""
    gained: dict[str, list[int]] = defaultdict(list)
    kept: list[tuple[str, str]] = []
    for name, ids in left.sets.items():
        for address in (left.addresses[i] for i in ids if i in left.addresses):
            if address in owners:
                gained[name].append(owners[address])
            else:
                kept.append((address, name))
    for address, name in waiting:
        gained[name].append(owners[address])
    changes: dict[str, SetChange] = {}
    for name in {*gained, *left.sets}:
        came, went = IdSet.of(gained[name]), left.sets.get(name, IdSet())
        changes[name] = SetChange(came - went, went - came)
    return changes, kept


def has_any(connection: Connection) -> bool:
    """Whether any state is kept of an address without a contact: mostly not, and then there is nothing to look up."""
    return connection.execute(SELECT_ANY).first() is not None


def find_states(connection: Connection, addresses: Iterable[str]) -> list[tuple[str, str]]:
    """The states that are kept of some addresses, as (address, set name); the index is walked once."""
    ordered = sorted(addresses)
    matched = dialect.of(connection).match_states(connection, ordered) if ordered else []
    found = [divmod(packed, IDS) for packed in matched]
    names = {n: name for n, name in connection.execute(SELECT_NAMES, {"numbers": sorted({n for _, n in found})})}
    return [(ordered[place], names[number]) for place, number in found]


def keep(connection: Connection, change_id: int, states: Sequence[State]) -> None:
    """Keep states of addresses that no contact has any more."""
    if states:
        addresses, numbers = zip(*states, strict=True)
        values = {"email_key": addresses, "set_id": numbers}
        dialect.of(connection).insert_rows(connection, ADDRESS_STATE, values)
        note(connection, change_id, states, is_added=True)


def forget(connection: Connection, change_id: int, states: Sequence[State]) -> None:
    """Keep the states of these addresses no more: all that there are."""
    if states:
        connection.execute(DELETE_STATES, [{"address": address} for address in {address for address, _ in states}])
        note(connection, change_id, states, is_added=False)


def note(connection: Connection, change_id: int, states: Sequence[State], *, is_added: bool) -> None:
    addresses, numbers = zip(*states, strict=True)
    same = {"change_id": [change_id] * len(states), "is_added": [is_added] * len(states)}
    values = {"email_key": addresses, "set_id": numbers, **same}
    dialect.of(connection).insert_rows(connection, ADDRESS_STATE_CHANGE, values)


def settle_all(connection: Connection, change_id: int) -> None:
    """As `settle`, for contacts that were made in so large a number that their addresses are looked for from here."""
    if has_any(connection):
        taken = [(address, contact_id) for address, contact_id in connection.execute(SELECT_TAKEN)]
        settle(connection, lambda: change_id, NOTHING_LEFT, taken)


def empty_sets(connection: Connection, change_id: int, names: Iterable[str]) -> None:
    """Forget the states that some sets stand for, as their email group goes."""
    for name in names:
        number = sets.set_number(connection, name)
        if number is not None:
            connection.execute(NOTE_DELETED_SET, {"number": number, "change_id": change_id})
            connection.execute(DELETE_SET, {"number": number})
