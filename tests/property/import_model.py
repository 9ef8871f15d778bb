"""The naive model of imports: contacts are dictionaries, and records are read one by one.

Nothing is shared with Staithe. A contact has the values of `TARGETS`, None where it has none. Texts of dates and
numbers are not parsed here: tables say what each means.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.property.model import ADDRESS, BLANKS, HIGHEST_ID, Action, act, follow_addresses

Contact = dict[str, Any]
TEXTS = ("first", "company")
TARGETS = ("email", *TEXTS, "score", "birthday", "modified")
FIELD_RULES = {"score": "ifNewIsNotNull", "birthday": "ifExistingIsNull"}
"""What `useFieldRule` means for a field; `always` for the others."""

UNREADABLE, MISSING, BAD_EMAIL, REPEATED = "ELQ-00032", "ELQ-00061", "ELQ-00002", "ELQ-00026"
UNMATCHED, UNUSABLE, EXISTS, NO_VALUES = "ELQ-00034", "ELQ-00040", "ELQ-00048", "ELQ-00059"
TEXT_CHARACTERS = 100


def moment(*parts: int) -> int:
    """Microseconds since 1970 of a moment in UTC."""
    return round(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


NUMBERS: dict[str, float] = {
    "12": 12.0, " -0.5 ": -0.5, "+3.": 3.0, "0": 0.0, ".25": 0.25, "012": 12.0, "123456789012345": 123456789012345.0,
    "0.0000001": 1e-7, "1e3": 1000.0, "-25E-2": -0.25,
}  # fmt: skip
BAD_NUMBERS = ["1e400", "e3", "1,000", "1234567890123456", "x", "1 2", "٣", "0x1", "--1", ".", "NaN"]
NUMBER_TEXTS = {1000.0: "1000", -0.25: "-0.25", 12.0: "12", -0.5: "-0.5", 3.0: "3", 0.0: "0", 0.25: "0.25",
                1e-7: "0.0000001", 123456789012345.0: "123456789012345"}  # fmt: skip

DATES: dict[str, tuple[int, int]] = {
    "2020-02-29": (moment(2020, 2, 29), moment(2020, 2, 29, 5)),
    " 2020-02-29 ": (moment(2020, 2, 29), moment(2020, 2, 29, 5)),
    "2/29/2020": (moment(2020, 2, 29), moment(2020, 2, 29, 5)),
    "07/04/2021 13:05": (moment(2021, 7, 4, 13, 5), moment(2021, 7, 4, 17, 5)),
    "2021-07-04 13:05:09": (moment(2021, 7, 4, 13, 5, 9), moment(2021, 7, 4, 17, 5, 9)),
    "2021-07-04T13:05:09.1239": (moment(2021, 7, 4, 13, 5, 9) + 123_000, moment(2021, 7, 4, 17, 5, 9) + 123_000),
    "2021-07-04T13:05:09Z": (moment(2021, 7, 4, 13, 5, 9), moment(2021, 7, 4, 13, 5, 9)),
    "2021-07-04 13:05:09+02:00": (moment(2021, 7, 4, 11, 5, 9), moment(2021, 7, 4, 11, 5, 9)),
    "1899-12-31": (moment(1899, 12, 31), moment(1899, 12, 31, 5)),
    "2050-07-01": (moment(2050, 7, 1), moment(2050, 7, 1, 4)),
}
"""Text -> (what it means in UTC, what it means in Eastern time)."""

BAD_DATES = ["2021-02-29", "2021-13-01", "29/2/2020", "20200229", "yesterday", "2021-07-04 24:00", "0000-01-01"]
DATE_TEXTS = {
    moment(2020, 2, 29): ("2020-02-29 00:00:00", "2020-02-28 19:00:00"),
    moment(2020, 2, 29, 5): ("2020-02-29 05:00:00", "2020-02-29 00:00:00"),
    moment(2021, 7, 4, 13, 5): ("2021-07-04 13:05:00", "2021-07-04 09:05:00"),
    moment(2021, 7, 4, 17, 5): ("2021-07-04 17:05:00", "2021-07-04 13:05:00"),
    moment(2021, 7, 4, 13, 5, 9): ("2021-07-04 13:05:09", "2021-07-04 09:05:09"),
    moment(2021, 7, 4, 17, 5, 9): ("2021-07-04 17:05:09", "2021-07-04 13:05:09"),
    moment(2021, 7, 4, 13, 5, 9) + 123_000: ("2021-07-04 13:05:09.123", "2021-07-04 09:05:09.123"),
    moment(2021, 7, 4, 17, 5, 9) + 123_000: ("2021-07-04 17:05:09.123", "2021-07-04 13:05:09.123"),
    moment(2021, 7, 4, 11, 5, 9): ("2021-07-04 11:05:09", "2021-07-04 07:05:09"),
    moment(1899, 12, 31): ("1899-12-31 00:00:00", "1899-12-30 19:00:00"),
    moment(1899, 12, 31, 5): ("1899-12-31 05:00:00", "1899-12-31 00:00:00"),
    moment(2050, 7, 1): ("2050-07-01 00:00:00", "2050-06-30 20:00:00"),
    moment(2050, 7, 1, 4): ("2050-07-01 04:00:00", "2050-07-01 00:00:00"),
}
"""Moment -> (its text in UTC, its text in Eastern time)."""


@dataclass
class Import:
    """An import: `fields` are (name, target), a target being one of `TARGETS`, `id` or `ext`."""

    fields: list[tuple[str, str]]
    identifier: str
    update_rule: str | None = None
    update_rule_by_field: dict[str, str] = field(default_factory=dict)
    import_rule: str | None = None
    updates_all: bool = False
    is_case_sensitive: bool = False
    empties_identifier: bool = False
    actions: list[Action] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of the fields."""
        return [name for name, _ in self.fields]

    def target(self, name: str) -> str:
        """What a field writes."""
        return dict(self.fields)[name]

    def writers(self) -> dict[str, str]:
        """Target -> the field that writes it: the identifier, or else the last."""
        found = {target: name for name, target in self.fields if target in TARGETS}
        if self.target(self.identifier) in TARGETS:
            found[self.target(self.identifier)] = self.identifier
        return found

    def rule(self, target: str) -> str:
        """The update rule of a target."""
        name = self.writers()[target]
        rule = self.update_rule_by_field.get(name) or self.update_rule or "always"
        return FIELD_RULES.get(target, "always") if rule == "useFieldRule" else rule


@dataclass
class Sent:
    """An upload: the text of each field of each record by name (missing ones were not sent), or None for no record.

    `broken` is what those that are none have where a field is expected.
    """

    rows: list[dict[str, str] | None]
    broken: dict[str, str] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)
    has_mapped_field: bool = True


@dataclass
class Reject:
    """A reject as the wire has it."""

    index: int
    code: str
    values: dict[str, str]
    invalid: list[str]


@dataclass
class Result:
    """What an import must leave behind, beside the contacts."""

    status: str
    log: list[tuple[str, int]]
    rejects: list[Reject]


class Refused(Exception):
    """A record is not imported: its code, and the field at fault."""


def folded(text: str) -> str:
    """The text without differences of case; what would become several characters stays."""
    return "".join(c.casefold() if len(c.casefold()) == 1 else c for c in text)


def key_of(spec: Import, text: str) -> Any:
    """What an identifier is compared by. Raises Refused."""
    target, name = spec.target(spec.identifier), spec.identifier
    if text == "":
        raise Refused(MISSING, name)
    if target == "email":
        if not ADDRESS.fullmatch(text.lower()) or len(text.lower()) > 254:
            raise Refused(BAD_EMAIL, name)
        return text.lower()
    if target == "id":
        if not re.fullmatch("[0-9]+", text) or int(text) == 0:
            raise Refused(UNREADABLE, name)
        return int(text) if int(text) <= HIGHEST_ID else -1
    if target == "ext":
        return int(text[5:]) if text[:5].lower() == "cstai" and re.fullmatch("[0-9]{12}", text[5:]) else -1
    if target == "score":
        if text not in NUMBERS and f" {text} " not in NUMBERS:
            raise Refused(UNREADABLE, name)
        return NUMBERS.get(text, NUMBERS.get(f" {text} "))
    if "\0" in text or len(text) > TEXT_CHARACTERS:
        raise Refused(UNREADABLE, name)
    return text if spec.is_case_sensitive else folded(text)


def matches(spec: Import, key: Any, contacts: dict[int, Contact]) -> list[int]:
    """The contacts that have an identifier, the oldest first."""
    target = spec.target(spec.identifier)
    if target in ("id", "ext"):
        return [key] if key in contacts else []
    found: list[int] = []
    for number in sorted(contacts):
        value = contacts[number][target]
        if value is None:
            continue
        if target == "email":
            value = value.lower()
        elif target in TEXTS and not spec.is_case_sensitive:
            value = folded(value)
        if value == key:
            found.append(number)
    return found


def read_text(text: str) -> str | None:
    """What a text field holds; None for what it cannot hold."""
    if "\0" in text or len(text) > TEXT_CHARACTERS:
        return None
    return text if text.strip() else ""


def read(spec: Import, row: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """(target -> value, None for what stays as it is, "" for what is emptied; the fields that do not fit)."""
    values: dict[str, Any] = {}
    unfit: list[str] = []
    writers = spec.writers()
    for name, target in spec.fields:
        if writers.get(target) != name:
            continue
        text = row.get(name)
        if text is None:
            values[target] = None
            continue
        if target in TEXTS:
            values[target] = read_text(text.strip(BLANKS) if name == spec.identifier else text)
            unfit += [name] if values[target] is None else []
            continue
        if target == "email":
            values[target] = text.strip(BLANKS)
            if values[target] == "" and name != spec.identifier:
                values[target] = None
                if spec.rule(target) == "always":
                    unfit.append(name)
            continue
        table = NUMBERS if target == "score" else {t: v[target == "modified"] for t, v in DATES.items()}
        if text.strip() == "":
            values[target] = ""
        elif text in table:
            values[target] = table[text]
        else:
            values[target] = None
            unfit.append(name)
    return values, unfit


def write(spec: Import, contact: Contact, values: dict[str, Any]) -> None:
    """Change a contact as the update rules say."""
    for target, new in values.items():
        rule, stored = spec.rule(target), contact[target]
        if rule == "ifExistingIsNull" and stored is not None:
            continue
        if new is None or (rule == "ifNewIsNotNull" and new == ""):
            continue
        contact[target] = None if new == "" else new


class Importing:
    """One sync of an import over the model's contacts."""

    def __init__(self, spec: Import, contacts: dict[int, Contact], next_id: int) -> None:
        self.spec, self.contacts, self.next_id = spec, contacts, next_id
        self.created: list[int] = []
        self.updated: set[int] = set()
        self.touched: set[int] = set()
        self.rejects: list[Reject] = []
        self.american_dates: Counter[str] = Counter()

    def take(self, index: int, row: dict[str, str] | None, broken: dict[str, str]) -> None:
        """Import one record, or refuse it."""
        sent = broken if row is None else row
        shown = {name: sent.get(name, "") for name in self.spec.names}
        try:
            unfit = self.put(row)
        except Refused as refused:
            code, name = refused.args
            self.rejects.append(Reject(index, code, shown, [name]))
        else:
            if unfit:
                self.rejects.append(Reject(index, UNUSABLE, shown, unfit))
            self.count_american_dates(sent, unfit)

    def count_american_dates(self, sent: dict[str, str], unfit: list[str]) -> None:
        for target, name in self.spec.writers().items():
            if target in ("birthday", "modified") and "/" in sent.get(name, "") and name not in unfit:
                self.american_dates[name] += 1

    def put(self, row: dict[str, str] | None) -> list[str]:
        """Import one record; gives the fields that do not fit. Raises Refused."""
        spec = self.spec
        if row is None:
            raise Refused(UNREADABLE, spec.identifier)
        if not any(text.strip() for name, text in row.items() if name in spec.names):
            raise Refused(NO_VALUES, spec.identifier)
        key = key_of(spec, row.get(spec.identifier, "").strip(BLANKS))
        values, unfit = read(spec, row)
        email = values.get("email")
        if spec.target(spec.identifier) != "email" and email and not ADDRESS.fullmatch(email):
            raise Refused(BAD_EMAIL, spec.writers()["email"])
        ids = matches(spec, key, self.contacts)
        ids = ids if spec.updates_all else ids[:1]
        if self.touched.intersection(ids):
            raise Refused(REPEATED, spec.identifier)
        self.check_rules(ids)
        self.check_email(ids, email)
        if ids:
            for number in ids:
                write(spec, self.contacts[number], values)
            self.updated.update(ids)
            self.touched.update(ids)
        else:
            self.create(values)
        return unfit

    def check_rules(self, ids: list[int]) -> None:
        spec = self.spec
        if ids and spec.import_rule == "createOnly":
            raise Refused(EXISTS, spec.identifier)
        if not ids and (spec.import_rule == "updateOnly" or spec.target(spec.identifier) in ("id", "ext")):
            raise Refused(UNMATCHED, spec.identifier)

    def check_email(self, ids: list[int], email: str | None) -> None:
        spec = self.spec
        if spec.target(spec.identifier) == "email":
            return
        name = spec.writers().get("email")
        if not email:
            if not ids:
                raise Refused(MISSING, name or "C_EmailAddress")
            return
        if ids and spec.rule("email") == "ifExistingIsNull":
            return
        owners = [n for n, c in self.contacts.items() if c["email"].lower() == email.lower()]
        if owners and owners != ids:
            raise Refused(EXISTS, name)

    def create(self, values: dict[str, Any]) -> None:
        contact = dict.fromkeys(TARGETS) | {t: None if v == "" else v for t, v in values.items()}
        self.contacts[self.next_id] = contact
        self.created.append(self.next_id)
        self.touched.add(self.next_id)
        self.next_id += 1


def run_import(
    spec: Import,
    uploads: Sequence[Sent],
    contacts: dict[int, Contact],
    next_id: int,
    sets: dict[str, set[int]],
    kept: set[tuple[str, str]],
    *,
    resumed: bool,
) -> Result:
    """Sync some uploads: changes `contacts`, `sets` and `kept`, and says what must be reported."""
    before = {number: contact["email"] for number, contact in contacts.items()}
    rows = [(row, upload.broken) for upload in uploads for row in upload.rows]
    run = Importing(spec, contacts, next_id)
    for index, (row, broken) in enumerate(rows, 1):
        run.take(index, row, broken)
    target = spec.target(spec.identifier)
    if spec.empties_identifier and target not in ("email", "id", "ext"):
        for number in run.touched:
            contacts[number][target] = None
    follow_addresses(before, {number: contact["email"] for number, contact in contacts.items()}, sets, kept)
    codes = Counter(reject.code for reject in run.rejects)
    lines = [("ELQ-00130", len(rows)), ("ELQ-00137", 0)]
    lines += [("ELQ-00145", 0)] if resumed else []
    lines += [("ELQ-00124", 0)] if not rows else []
    for upload in uploads:
        lines += [("ELQ-00127", len(upload.rows))] if upload.rows and not upload.has_mapped_field else []
    unmapped = Counter(name for upload in uploads for name in upload.unmapped)
    lines += [("ELQ-00111", count) for count in unmapped.values()]
    lines += [("ELQ-00104", count) for _, count in sorted(run.american_dates.items())]
    lines += [("ELQ-00101", 0), ("ELQ-00001", len(rows))]
    lines += sorted(codes.items())
    lines.append(("ELQ-00003", len(rows) - codes[REPEATED]))
    lines += [("ELQ-00004", len(run.created)), ("ELQ-00022", len(run.updated))]
    lines += [("ELQ-00144", codes[UNUSABLE])] if codes[UNUSABLE] else []
    lines += [(action.code, act(action, run.touched, sets)[0]) for action in spec.actions]
    is_warning = bool(run.rejects or not rows or unmapped or any(u.rows and not u.has_mapped_field for u in uploads))
    return Result("warning" if is_warning else "success", lines, run.rejects)
