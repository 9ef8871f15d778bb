"""The npm package `eloqua` 1.3.5 as it is: its requests go to the proxy as whole https URLs, without CONNECT."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import NODE, PROGRAMS, result_of, stored
from tests.conftest import COMPANY_NUMBERS
from tests.support.server import RunningServer

pytestmark = pytest.mark.one_database("The program sends and reads the same, whichever database answers it.")


def test_import_sync_and_export(server: RunningServer, tmp_path: Path) -> None:
    name = f"node{next(COMPANY_NUMBERS)}"
    _, store = server.new_company(name, contacts=3)
    got = result_of(server, tmp_path, [NODE, str(PROGRAMS / "eloqua_job.js"), name, "ann", "secret"])
    assert got["baseUrl"] == "https://secure.p01.eloqua.com"
    assert (got["imported"], got["exported"]) == ("success", "success")
    assert (got["list"]["name"], got["list"]["count"]) == ("Readers", "1200")
    assert got["pages"] == [
        {"totalResults": 1200, "count": 1000, "hasMore": True},
        {"totalResults": 1200, "count": 200, "hasMore": False},
    ]
    values = [(view.contact.id, view.contact.values) for view in stored(server, store, range(4, 1204))]
    expected = [{"id": str(i), "email": v["C_EmailAddress"], "city": v["C_City"]} for i, v in values]
    assert got["records"] == got["streamed"] == expected
    assert got["records"][0] == {"id": "4", "email": "reader-1@example.com", "city": "Tromsø"}
    assert got["refused"]["status"] == 400
    assert got["refused"]["failures"][0]["field"] == "fields"
