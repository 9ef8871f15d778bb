"""The naive model: what definitions, uploads and syncs do, in plain sets, lists and dictionaries.

It shares no code with Staithe but the names of codes, and is written for plainness: one record at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from staithe.domain.identifiers import IdentifierKind

BLANKS = " \t\r\n\f\v"
HIGHEST_ID = 4_294_967_295
MISSING, UNREADABLE, BAD_EMAIL, UNKNOWN = "ELQ-00061", "ELQ-00032", "ELQ-00002", "ELQ-00085"
ADDRESS = re.compile(r'[^\s\0@,;<>()"]+@[^\s\0@,;<>()"]+\.[^\s\0@.,;<>()"]+')


def normal(email: str) -> str:
    """The form in which email addresses compare."""
    return email.strip(BLANKS).lower()


def outcome_of(
    kind: IdentifierKind, value: str, contacts: Mapping[int, str], *, unreadable: bool = False
) -> tuple[int, str | None]:
    """(contact id, None) for a known contact, else (0, the code of the reject).

    Args:
        kind: what the identifier field identifies by.
        value: its text; empty if there is none.
        contacts: email address (empty for none) by contact id.
        unreadable: the record could not be taken apart.
    """
    text = value.strip(BLANKS)
    if unreadable:
        return 0, UNREADABLE
    if text == "":
        return 0, MISSING
    if kind is IdentifierKind.EMAIL_ADDRESS:
        owners = [number for number, email in contacts.items() if email and normal(email) == text.lower()]
        if owners:
            return owners[0], None
        is_address = ADDRESS.fullmatch(text.lower()) is not None and len(text.lower()) <= 254
        return 0, UNKNOWN if is_address else BAD_EMAIL
    if kind is IdentifierKind.EXTERNAL_ID:
        if text[:5].lower() != "cstai" or not re.fullmatch("[0-9]{12}", text[5:]):
            return 0, UNKNOWN
        number = int(text[5:])
        return (number, None) if number in contacts else (0, UNKNOWN)
    if not re.fullmatch("[0-9]+", text) or int(text) == 0:
        return 0, UNREADABLE
    return (int(text), None) if int(text) in contacts else (0, UNKNOWN)


@dataclass
class Action:
    """A sync action: its wire form, the code of its log line, and what it does to which sets."""

    wire: dict[str, Any]
    code: str
    adds_to: str | None
    removes_from: list[str]
    whole_sets: list[str] = field(default_factory=list)


def list_action(number: int, *, remove: bool = False) -> Action:
    """Contacts onto or off a contact list."""
    wire = {"action": "remove" if remove else "add", "destination": f"{{{{ContactList[{number}]}}}}"}
    name = f"contactList/{number}"
    return Action(wire, "ELQ-00118", None, [name]) if remove else Action(wire, "ELQ-00119", name, [])


def group_action(number: int, *, subscribed: bool) -> Action:
    """Contacts subscribed to or unsubscribed from an email group."""
    status, other = ("subscribed", "unsubscribed") if subscribed else ("unsubscribed", "subscribed")
    wire = {"action": "setStatus", "destination": f"{{{{EmailGroup[{number}]}}}}", "status": status}
    code = "ELQ-00115" if subscribed else "ELQ-00116"
    return Action(wire, code, f"emailGroup/{number}/{status}", [f"emailGroup/{number}/{other}"])


def global_action(*, subscribed: bool) -> Action:
    """Contacts globally subscribed or unsubscribed."""
    status = "subscribed" if subscribed else "unsubscribed"
    wire = {"action": "setStatus", "destination": "{{GlobalSubscribe}}", "status": status}
    if subscribed:
        return Action(wire, "ELQ-00138", None, ["globalUnsubscribed"])
    return Action(wire, "ELQ-00017", "globalUnsubscribed", [])


STATUSES = ["active", "complete", "errored", "yes", "no", "pending", "invalid", "permission"]
SERVICES = ["DecisionInstance", "ActionInstance", "FeederInstance"]


def app_action(service: str, instance: str, execution: int, status: str, *, update_all: bool = False) -> Action:
    """Contacts, or with `update_all` those that are not done, to a status in an app service instance."""
    is_feeder = service == "FeederInstance"
    execution = 0 if is_feeder else execution
    place = "" if execution == 0 else f".Execution[{execution}]"
    wire: dict[str, Any] = {
        "action": "setStatus",
        "destination": f"{{{{{service}({instance}){place}}}}}",
        "status": status,
    }
    prefix = f"{service.lower()}/{instance.lower()}/{execution}/"
    others = set(STATUSES) - {status}
    whole = []
    if update_all:
        wire["updateAll"] = True
        whole = [] if is_feeder else [prefix + "pending", prefix + "active"]
    return Action(wire, "ELQ-00128", prefix + status, sorted(prefix + o for o in others), whole)


def act(action: Action, contacts: set[int], sets: dict[str, set[int]]) -> tuple[int, int]:
    """Do one action: (how many contacts it was done to, for how many of them anything changed)."""
    if action.whole_sets:
        contacts = set().union(*(sets.get(name, set()) for name in action.whole_sets))
    changed: set[int] = set()
    if action.adds_to is not None:
        members = sets.setdefault(action.adds_to, set())
        changed |= contacts - members
        members |= contacts
    for name in action.removes_from:
        members = sets.setdefault(name, set())
        changed |= contacts & members
        members -= contacts
    return len(contacts), len(changed)


def follow_addresses(
    before: Mapping[int, str], after: Mapping[int, str], sets: dict[str, set[int]], kept: set[tuple[str, str]]
) -> None:
    """Contacts have come, gone, or changed their addresses: states of addresses stay with these, all others go.

    Args:
        before: address by contact id, as it was.
        after: as it is.
        sets: changed.
        kept: (address, set name) of addresses that no contact has; changed.
    """
    of_address = set(kept)
    for name, members in sets.items():
        if name in ("globalUnsubscribed", "bounced") or name.startswith("emailGroup/"):
            of_address |= {(normal(before[number]), name) for number in members}
            members.clear()
        members.intersection_update(after)
    kept.clear()
    owners = {normal(email): number for number, email in after.items()}
    for address, name in of_address:
        if address in owners:
            sets.setdefault(name, set()).add(owners[address])
        else:
            kept.add((address, name))


@dataclass
class Staged:
    """An upload: the identifier of each record as a text (None if it has none), whether it was readable."""

    rows: list[tuple[str | None, bool]]
    unmapped: set[str] = field(default_factory=set)
    has_mapped_field: bool = True


@dataclass
class Outcome:
    """What a sync must leave behind: status, (code, count) of its log lines, (number, code, value) of its rejects."""

    status: str
    log: Counter[tuple[str, int]]
    rejects: list[tuple[int, str, str]]


def run(
    kind: IdentifierKind,
    actions: list[Action],
    uploads: list[Staged],
    contacts: Mapping[int, str],
    sets: dict[str, set[int]],
) -> Outcome:
    """Sync some uploads: changes `sets`, and says what must be reported."""
    rows = [row for upload in uploads for row in upload.rows]
    matched = [outcome_of(kind, value or "", contacts, unreadable=not ok) for value, ok in rows]
    known = [number for number, code in matched if code is None]
    rejects = [(i, code, rows[i - 1][0] or "") for i, (_, code) in enumerate(matched, 1) if code is not None]
    lines: list[tuple[str, int]] = [("ELQ-00137", 0), ("ELQ-00140", len(rows)), ("ELQ-00001", len(rows))]
    lines += [("ELQ-00124", 0)] if not rows else []
    lines += [("ELQ-00134", len(uploads))] if uploads else []
    lines += [("ELQ-00104", len(u.rows)) for u in uploads]
    lines += [("ELQ-00127", len(u.rows)) for u in uploads if u.rows and not u.has_mapped_field]
    unmapped = Counter(name for u in uploads for name in u.unmapped)
    lines += [("ELQ-00111", count) for count in unmapped.values()]
    if len(known) > len(set(known)):
        is_email = kind is IdentifierKind.EMAIL_ADDRESS
        lines.append(("ELQ-00011" if is_email else "ELQ-00026", len(known) - len(set(known))))
    codes = Counter(code for _, code, _ in rejects)
    lines += list(codes.items())
    lines += [("ELQ-00034", codes[UNKNOWN])] if codes[UNKNOWN] else []
    lines += [("ELQ-00060", len(rejects))] if rejects else []
    is_warning = bool(rejects or not rows or unmapped or any(u.rows and not u.has_mapped_field for u in uploads))
    lines += [(action.code, act(action, set(known), sets)[0]) for action in actions]
    lines.append(("ELQ-00101", 0))
    return Outcome("warning" if is_warning else "success", Counter(lines), rejects)
