"""One client of the mixed load: it uploads, syncs, imports and reads, and knows what must come of it.

It does not rest: while one of its syncs waits or runs it reads, and asks again whether the sync has ended.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from tests.support.api import FINAL, REST, add_to_list

from bench.client import MOST_SECONDS, Client
from bench.exports import EXPORTS_PATH, records_of, run_export
from bench.filling import statements_of
from bench.imports import define_import
from bench.measures import BY_ID
from bench.records import EMAIL
from bench.sizes import Sizes

MOST_UPLOADS: Final = 3
MOST_RECORDS: Final = 2000
MOST_IMPORTED: Final = 500
PEOPLE: Final = 2000
"""Contacts that a client imports again and again."""

IMPORTED_FIELDS: Final = (EMAIL, "C_FirstName", "C_City", "C_Company")
NO_CONTACT: Final = 4_000_000_000
"""No company of the benchmark has a contact with such an id."""

REMOVALS: Final = 0.3
IMPORTS: Final = 0.25
FAILURES: Final = (RuntimeError, OSError, http.client.HTTPException)
Json = dict[str, Any]


class Operation(Struct, frozen=True):
    """What was done, how many seconds it took, and when it had ended, of `time.monotonic`."""

    kind: str
    seconds: float
    ended: float


class MixedClient:
    """A client with a list, definitions and imported contacts of its own.

    Args:
        url: of the server that it calls.
        company: its company, which has the contacts that `staithe seed` makes.
        number: another for each client of a company.
        sizes: of the benchmark.
    """

    def __init__(self, url: str, company: str, number: int, sizes: Sizes) -> None:
        self.client = Client(url, company)
        self.number, self.sizes = number, sizes
        self.random = random.Random(f"{company} {number}")
        self.list_id, self.adding = self.client.new_list_definition(BY_ID)
        self.removing = self.client.api.define({**add_to_list(self.list_id), "action": "remove"})
        self.importing = define_import(self.client, IMPORTED_FIELDS)
        self.listed: set[int] = set()
        self.people: dict[str, dict[str, str]] = {}
        self.operations: list[Operation] = []
        self.errors: list[str] = []

    def work(self, until: float) -> None:
        """Do one thing after another until a moment of `time.monotonic`; an error ends it, and is kept."""
        try:
            while time.monotonic() < until:
                if self.random.random() < IMPORTS:
                    self.import_contacts()
                else:
                    self.change_list()
        except FAILURES as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def change_list(self) -> None:
        """Some uploads of ids, and a sync that puts their contacts on the list, or takes them off."""
        is_removing = self.random.random() < REMOVALS
        uri = self.removing if is_removing else self.adding
        known: set[int] = set()
        unknown = 0
        for _ in range(self.random.randint(1, MOST_UPLOADS)):
            ids = self.random.sample(range(1, self.sizes.few_contacts + 1), self.draw_count(MOST_RECORDS))
            nobody = [NO_CONTACT + n for n in range(len(ids) // 100)]
            self.upload(uri, [{"Id": str(contact_id)} for contact_id in (*nobody, *ids)])
            known.update(ids)
            unknown += len(nobody)
        sync_uri = self.sync(uri, "warning" if unknown else "success")
        self.listed = self.listed - known if is_removing else self.listed | known
        rejects = self.ask("GET rejects", f"{sync_uri}/rejects?limit=10&totalResults=true")
        self.expect("rejects", rejects["totalResults"], unknown)

    def import_contacts(self) -> None:
        """An upload of contacts, some new, some not, and its sync."""
        numbers = self.random.sample(range(PEOPLE), self.draw_count(MOST_IMPORTED))
        records = [self.new_record(number) for number in numbers]
        self.upload(self.importing, records)
        self.sync(self.importing, "success", "sync of an import, to its end")
        self.people |= {record[EMAIL]: record for record in records}

    def draw_count(self, most: int) -> int:
        """From 1 to `most`, and no more than half of the contacts: small ones as often as large ones."""
        return int(min(most, self.sizes.few_contacts // 2) ** self.random.random())

    def new_record(self, number: int) -> dict[str, str]:
        """A contact that this client alone has, with new values."""
        values = {name: f"value {self.random.randrange(10**6)}" for name in IMPORTED_FIELDS}
        return values | {EMAIL: f"mixed-{self.number}-{number}@example.com"}

    def upload(self, uri: str, records: Sequence[Mapping[str, str]]) -> None:
        """Send records."""
        self.call("upload", "POST", f"{uri}/data", msgspec.json.encode(records))

    def sync(self, uri: str, status: str, kind: str = "sync of actions, to its end") -> str:
        """Sync, read this and that until it has ended, then its log; gives its uri."""
        began = time.monotonic()
        sync_uri = str(self.call("POST sync", "POST", "/syncs", msgspec.json.encode({"syncedInstanceUri": uri}))["uri"])
        while (sync := self.ask("GET sync", sync_uri))["status"] not in FINAL:
            self.random.choice((self.read_definition, self.read_list, self.search_contact))()
            if time.monotonic() > began + MOST_SECONDS:
                raise RuntimeError(f"{sync_uri} has not ended after {MOST_SECONDS} s")
        self.note(kind, began)
        self.expect(sync_uri, sync["status"], status)
        log = self.ask("GET log", f"{sync_uri}/logs")
        self.expect("whether there is a log", bool(log["items"]), True)
        return sync_uri

    def read_definition(self) -> None:
        """Read a definition."""
        definition = self.ask("GET definition", self.adding)
        self.expect("a definition", definition["uri"], self.adding)

    def read_list(self) -> None:
        """Read the list."""
        path = f"/contacts/lists/{self.list_id}"
        self.expect("a list", self.ask("GET list", path)["uri"], path)

    def search_contact(self) -> None:
        """Find a contact by its email address."""
        number = self.random.randint(1, self.sizes.few_contacts)
        search = urlencode({"search": f"emailAddress='contact-{number}@example.com'", "depth": "minimal"})
        found = self.call("search of a contact", "GET", f"/data/contacts?{search}", root=REST)
        self.expect("a search", [element["id"] for element in found["elements"]], [str(number)])

    def ask(self, kind: str, path: str) -> Json:
        """Read something of the Bulk API."""
        return self.call(kind, "GET", path)

    def call(self, kind: str, method: str, path: str, content: bytes = b"", **more: str) -> Json:
        """A request, whose time is kept."""
        began = time.monotonic()
        answer = self.client.call(method, path, content, **more)
        self.note(kind, began)
        return dict(msgspec.json.decode(answer)) if answer else {}

    def note(self, kind: str, began: float) -> None:
        ended = time.monotonic()
        self.operations.append(Operation(kind, ended - began, ended))

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Make sure of an answer.

        Raises:
            RuntimeError: it is another.
        """
        if found != wanted:
            raise RuntimeError(f"{what} came to {found} and not to {wanted}")

    def verify(self) -> None:
        """Make sure that the list and the imported contacts are what was uploaded and synced.

        Raises:
            RuntimeError: they are not.
        """
        on_list = self.export({"Id": BY_ID}, "EXISTS('{{ContactList[%d]}}')" % self.list_id)
        ids = {int(record["Id"]) for record in on_list}
        counts = len(self.listed - ids), len(ids - self.listed)
        self.expect(f"how many list {self.list_id} lacks, and has too many", counts, (0, 0))
        theirs = "'{{Contact.Field(C_EmailAddress)}}' ~ 'mixed-%d-%%'" % self.number
        found = {record[EMAIL]: record for record in self.export(statements_of(IMPORTED_FIELDS), theirs)}
        for email in found.keys() | self.people:
            self.expect(f"imported contact {email}", found.get(email), self.people.get(email))

    def export(self, fields: Mapping[str, str], text: str) -> list[dict[str, str]]:
        """The contacts that a filter finds."""
        properties = {"name": "verify", "fields": fields, "filter": text}
        _, pages, _ = run_export(self.client, self.client.define(EXPORTS_PATH, properties), self.sizes.page_records)
        return records_of(pages)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
