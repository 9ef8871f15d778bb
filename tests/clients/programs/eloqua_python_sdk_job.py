"""Uses eloqua-python-sdk: import, export and rejects with OAuth, reads with a password. Prints what it got as JSON."""

from __future__ import annotations

import json
import sys
import time

from eloquasdk.bulk import EloquaBulkClient
from eloquasdk.error import EloquaException
from eloquasdk.rest import EloquaRestClient

company, user, password, client_id, client_secret = sys.argv[1:]
login = f"{company}\\{user}"
# The package's other client, for the Application API, cannot log in with OAuth: it lacks a method.
bulk = EloquaBulkClient(login, password, "https://secure.p01.eloqua.com/api/bulk/2.0", client_id, client_secret)
rest = EloquaRestClient(login, password, "https://secure.p01.eloqua.com/api/REST/2.0")


def ended(definition_uri: str) -> dict[str, str]:
    """Sync a definition: its sync when it has ended."""
    sync = bulk.create_sync(definition_uri)
    while sync["status"] in ("pending", "active"):
        time.sleep(0.05)
        sync = bulk.check_sync_status(sync["uri"])
    return sync


def import_readers() -> dict[str, object]:
    """Send contacts in two uploads, and put them on the list that is found by its name."""
    (found,) = rest.get_assets("contact/lists", search="name='The readers'")["elements"]
    fields = {"email": "{{Contact.Field(C_EmailAddress)}}", "city": "{{Contact.Field(C_City)}}"}
    definition = bulk.execute(
        "create_import",
        name="Import of readers",
        entity="contacts",
        fields=fields,
        identifier_field_name="email",
        sync_actions=[{"action": "add", "destination": "{{ContactList[%s]}}" % found["id"]}],
    )
    readers = [{"email": f"reader-{n}@example.com", "city": "Bergen" if n % 2 else "Århus"} for n in range(1, 51)]
    bulk.execute("upload_data", f"{definition['uri']}/data", readers)
    bulk.execute("upload_data", f"{definition['uri']}/data", [{"email": "nobody", "city": "Oslo"}])
    sync = ended(definition["uri"])
    # What the package takes for query parameters it sends as headers, so these are texts.
    rejects = bulk.execute("get_sync_rejects", sync["uri"], offset="0", limit="1000")
    return {"list": found["id"], "status": sync["status"], "rejects": rejects["items"]}


def export_readers() -> dict[str, object]:
    """Read the contacts of one city, with all fields, in pages of 20."""
    definition = bulk.create_export(name="Readers", entity="contacts", filter="'{{Contact.Field(C_City)}}' = 'bergen'")
    sync = ended(definition["uri"])
    pages = [bulk.execute("get_synced_data", sync["uri"], offset, 20) for offset in (0, 20)]
    return {
        "fields": definition["fields"],
        "more": [p["hasMore"] for p in pages],
        "records": [p["items"] for p in pages],
    }


def refusal() -> str:
    try:
        bulk.create_import("Wrong", "contacts", {"x": "{{Contact.Field(C_Nothing)}}"}, identifier_field_name="x")
    except EloquaException as error:
        return str(error)
    return "made"


print(
    json.dumps(
        {
            "imported": import_readers(),
            "exported": export_readers(),
            "list": rest.get_assets("contact/lists", depth="complete")["elements"][0],
            "groups": rest.get_assets("EmailGroups"),
            "contacts": rest.get(f"{rest.rest_url}/data/contacts", depth="minimal", count=1, search="reader-7@*"),
            "activityFields": bulk.get_fields("activities", activityType="EmailOpen"),
            "refused": refusal(),
        }
    )
)
