"""The demo's second half: export who is on the contact list, and import what is to be known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from staithe.cli.demo_client import DemoClient
from staithe.cli.demo_records import Body
from staithe.cli.demo_report import Steps
from staithe.cli.demo_syncs import read_log, synchronize
from staithe.cli.progress import progress_bar
from staithe.domain import codes
from staithe.domain.limits import DATA_PAGE_RECORDS

EMAIL: Final = "{{Contact.Field(C_EmailAddress)}}"
FIELDS: Final = {
    "Email": EMAIL,
    "First": "{{Contact.Field(C_FirstName)}}",
    "City": "{{Contact.Field(C_City)}}",
    "Country": "{{Contact.Field(C_Country)}}",
}
PLACES: Final = (("Ann", "Utrecht", "NL"), ("Bo", "Porto", "PT"), ("Cy", "Turku", "FI"), ("Di", "Lublin", "PL"))
UPLOAD_RECORDS: Final = 50_000


def exchange(client: DemoClient, list_id: int, steps: Steps) -> tuple[int, int]:
    """Export the list by a filter, and import a name and a place for each: (how many exported, how many updated)."""
    emails = export(client, list_id)
    steps.done("export", f"{len(emails):,} on the list exported, by a filter", len(emails))
    updated = import_places(client, emails)
    steps.done("import", f"{updated:,} contacts updated by an import", updated)
    return len(emails), updated


def export(client: DemoClient, list_id: int) -> list[str]:
    """The email addresses of everyone on a list."""
    body = {
        "name": "Demo export",
        "fields": {"Email": EMAIL},
        "filter": f"EXISTS('{{{{ContactList[{list_id}]}}}}')",
    }
    sync = synchronize(client, client.make_definition("exports", body))
    emails: list[str] = []
    while True:
        page = client.page(f"{sync['uri']}/data", DATA_PAGE_RECORDS, len(emails))
        emails += (item["Email"] for item in page["items"])
        if not page["hasMore"]:
            return emails


def import_places(client: DemoClient, emails: Sequence[str]) -> int:
    """Give each contact a first name, a city and a country; gives how many were updated."""
    body = {"name": "Demo import", "fields": FIELDS, "identifierFieldName": "Email"}
    definition = client.make_definition("imports", body)
    with progress_bar(transient=True) as progress:
        task = progress.add_task("uploading records", total=len(emails))
        for upload in cut_into_uploads(emails):
            client.upload(definition, upload)
            progress.advance(task, upload.records)
    sync = synchronize(client, definition)
    return read_log(client, sync)[codes.UPDATED.code]


def cut_into_uploads(emails: Sequence[str]) -> Iterator[Body]:
    for start in range(0, len(emails), UPLOAD_RECORDS):
        records = [
            dict(zip(FIELDS, (email, *PLACES[number % len(PLACES)]), strict=True))
            for number, email in enumerate(emails[start : start + UPLOAD_RECORDS])
        ]
        yield Body(msgspec.json.encode(records), "application/json", len(records))
