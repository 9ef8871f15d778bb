"""eloqua-python-sdk 0.4.9 as it is: import and export with OAuth's password grant, reads with a password."""

from __future__ import annotations

from pathlib import Path

from tests.clients.installed import PROGRAMS, program_of_python, result_of, stored
from tests.conftest import COMPANY_NUMBERS, Deployment
from tests.support.oauth import register


def test_import_export_and_reads(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    name = f"sdk{next(COMPANY_NUMBERS)}"
    api, store = server.new_company(name, contacts=3)
    list_id = str(api.new_list("The readers"))
    program = register(server, store, "eloqua-python-sdk")
    words = [program_of_python("python"), str(PROGRAMS / "eloqua_python_sdk_job.py"), name, "ann", "secret"]
    got = result_of(server, tmp_path, [*words, program.identifier, program.secret])

    assert (got["imported"]["list"], got["imported"]["status"]) == (list_id, "warning")
    (reject,) = got["imported"]["rejects"]
    assert (reject["statusCode"], reject["recordIndex"]) == ("ELQ-00002", 51)
    assert (got["list"]["id"], got["list"]["name"], got["list"]["count"]) == (list_id, "The readers", "50")
    assert got["contacts"]["total"] == 1
    assert got["contacts"]["elements"][0]["emailAddress"] == "reader-7@example.com"
    assert got["groups"] == {"elements": [], "page": 1, "pageSize": 1000, "total": 0}
    assert got["activityFields"] == []
    assert got["refused"].startswith('Eloqua API Error: {"failures":[{"field":"fields"')

    exported = got["exported"]
    assert exported["fields"]["C_EmailAddress"] == "{{Contact.Field(C_EmailAddress)}}"
    assert exported["more"] == [True, False]
    records = [record for page in exported["records"] for record in page]
    views = [view for view in stored(server, store, range(4, 54)) if view.contact.values["C_City"] == "Bergen"]
    assert [(r["C_EmailAddress"], r["C_City"]) for r in records] == [
        (view.contact.values["C_EmailAddress"], "Bergen") for view in views
    ]
    assert len(records) == 25
    assert all(record.keys() == exported["fields"].keys() for record in records)
