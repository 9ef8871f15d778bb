"""python-eloqua-wrapper 0.0.9 as it is: contacts of the Application API 1.0."""

from __future__ import annotations

from pathlib import Path

from tests.clients.installed import PROGRAMS, program_of_python, result_of, stored
from tests.conftest import COMPANY_NUMBERS, Deployment


def test_contacts_are_made_changed_found_and_deleted(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    name = f"wrapper{next(COMPANY_NUMBERS)}"
    _, store = server.new_company(name, contacts=3)
    words = [program_of_python("python"), str(PROGRAMS / "python_eloqua_wrapper_job.py"), name, "ann", "secret"]
    got = result_of(server, tmp_path, words)

    assert got["base"] == "https://secure.p01.eloqua.com"
    assert got["ids"] == ["4", "5"]
    assert {key: got["listed"][key] for key in ("page", "pageSize", "total")} == {"page": 1, "pageSize": 1, "total": 5}
    (newest,) = got["listed"]["elements"]
    assert (newest["depth"], newest["emailAddress"]) == ("minimal", "bo@example.com")
    assert got["found"]["total"] == 1
    (found,) = got["found"]["elements"]
    kept = {"id": "4", "depth": "complete", "firstName": "Anna", "lastName": "Lie", "emailAddress": "ann@example.com"}
    assert {key: found[key] for key in kept} == kept
    assert (got["gone"], got["refused"]) == (0, 410)
    (view,) = stored(server, store, [4])
    assert view.contact.values["C_FirstName"] == "Anna"
