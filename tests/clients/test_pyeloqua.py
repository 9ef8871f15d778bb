"""pyeloqua 0.5.11 as it is: log in, import with a list found by its name, and export with filters it makes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import PROGRAMS, export_time, program_of_python, result_of, stored
from tests.conftest import COMPANY_NUMBERS
from tests.support.server import RunningServer

pytestmark = pytest.mark.one_database("The program sends and reads the same, whichever database answers it.")

READERS = range(4, 1204)
STATEMENTS = {
    "C_EmailAddress": "{{Contact.Field(C_EmailAddress)}}",
    "C_FirstName": "{{Contact.Field(C_FirstName)}}",
    "C_City": "{{Contact.Field(C_City)}}",
}


def test_import_look_ups_and_export(server: RunningServer, tmp_path: Path) -> None:
    name = f"pyeloqua{next(COMPANY_NUMBERS)}"
    api, store = server.new_company(name, contacts=3)
    list_id = api.new_list("The readers")
    python = program_of_python("python")
    got = result_of(server, tmp_path, [python, str(PROGRAMS / "pyeloqua_job.py"), name, "ann", "secret"])

    assert got["wrongLogin"] == "Invalid login credentials"
    refused = "EloquaValidationError: (400, {'failures': [{'field': 'identifierFieldName'"
    assert got["wrongDefinition"].startswith(refused)
    assert got["fields"][:6] == ["contactID", "createdAt", "updatedAt", "isSubscribed", "isBounced", "emailFormat"]
    assert {"Email Address", "First Name", "City"} <= set(got["fields"])

    imported = got["imported"]
    assert (imported["status"], imported["rejects"]) == ("success", [])
    assert imported["fields"] == STATEMENTS
    assert (imported["baseUrl"], imported["userDisplay"]) == ("https://secure.p01.eloqua.com", "ann")
    assert {"ELQ-00001", "ELQ-00101", "ELQ-00119"} <= set(imported["codes"])

    exported = got["exported"]
    assert exported["status"] == "success"
    assert exported["filter"] == (
        " '{{Contact.Field(C_City)}}' = 'Bergen' AND"
        " '{{Contact.CreatedAt}}' >= '2020-01-01 00:00:00' AND '{{Contact.CreatedAt}}' <= '2999-01-01 00:00:00' AND"
        f" EXISTS('{{{{ContactList[{list_id}]}}}}') "
    )
    views = [view for view in stored(server, store, READERS) if view.contact.values["C_City"] == "Bergen"]
    assert exported["count"] == len(views) == 600
    expected = [
        {
            "contactID": str(view.contact.id),
            "createdAt": export_time(view.contact.created_at),
            "isSubscribed": str(view.is_subscribed),
            **{key: view.contact.values[key] for key in STATEMENTS},
        }
        for view in views
    ]
    assert exported["records"] == expected
