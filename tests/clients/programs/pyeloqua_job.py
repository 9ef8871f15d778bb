"""Uses pyeloqua as its README does: import, look-ups, export. Prints what it got as JSON."""

from __future__ import annotations

import json
import sys

from pyeloqua import Bulk

company, user, password = sys.argv[1:]


def login() -> Bulk:
    return Bulk(username=user, password=password, company=company)


def import_readers() -> dict[str, object]:
    """Send contacts in two uploads, and put them on a list that is found by its name."""
    bulk = login()
    bulk.imports("contacts")
    bulk.add_fields(["C_EmailAddress", "First Name", "C_City"])
    bulk.add_options(identifierFieldName="C_EmailAddress")
    bulk.add_syncaction_list("add", list_name="The readers")
    bulk.create_def("Import of readers")
    for first in (1, 601):
        bulk.post_data(
            [
                {
                    "C_EmailAddress": f"reader-{n}@example.com",
                    "C_FirstName": f"Zoë {n}",
                    "C_City": "Bergen" if n % 2 else "Århus",
                }
                for n in range(first, first + 600)
            ]
        )
    bulk.handle_sync(sleeptime=0.05)
    return {
        "status": bulk.job_sync["status"],
        "codes": [line["statusCode"] for line in bulk.get_sync_logs()],
        "rejects": bulk.get_sync_rejects(),
        "fields": bulk.job_def["fields"],
        "baseUrl": bulk.url_base,
        "userDisplay": bulk.user_display,
    }


def export_readers() -> dict[str, object]:
    """Read those of one city back, by filters that pyeloqua makes."""
    bulk = login()
    bulk.exports("contacts")
    bulk.add_fields(["contactID", "createdAt", "isSubscribed", "C_EmailAddress", "C_FirstName", "C_City"])
    bulk.filter_equal(field="City", value="Bergen")
    bulk.filter_date(field="createdAt", start="2020-01-01 00:00:00", end="2999-01-01 00:00:00")
    bulk.asset_exists("lists", name="The readers")
    bulk.add_options(areSystemTimestampsInUTC=True)
    bulk.create_def("Export of readers")
    bulk.handle_sync(sleeptime=0.05)
    return {
        "status": bulk.job_sync["status"],
        "filter": bulk.job_def["filter"],
        "count": bulk.get_export_count(),
        "records": bulk.get_export_data(),
    }


def wrong_login() -> str:
    try:
        Bulk(username=user, password="wrong", company=company)
    except ValueError as error:
        return str(error)
    return "let in"


def wrong_definition() -> str:
    bulk = login()
    bulk.imports("contacts")
    bulk.add_fields(["C_EmailAddress"])
    try:
        bulk.create_def("Without an identifier")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "made"


print(
    json.dumps(
        {
            "wrongLogin": wrong_login(),
            "wrongDefinition": wrong_definition(),
            "fields": [field["name"] for field in login().get_fields("contacts")],
            "imported": import_readers(),
            "exported": export_readers(),
        }
    )
)
