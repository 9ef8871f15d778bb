"""The OpenAPI document: it names every route, and whatever a client makes of it, the server never fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks

from staithe.domain.elements import OPERATIONS
from staithe.http import openapi
from tests.support import bare
from tests.support.server import RunningServer

GOLDEN = Path(__file__).parent.parent / "golden" / "operations.txt"
load_all_checks()
schema = schemathesis.openapi.from_dict(openapi.build_document())
NAMED_CHECKS = ("not_a_server_error", "response_schema_conformance", "content_type_conformance")


def test_the_table_has_the_172_operations_of_the_contract() -> None:
    generic = sorted(f"{o.method} {o.path.replace('{parentId}', '{id}')}" for o in OPERATIONS)
    assert generic == GOLDEN.read_text().splitlines()
    assert len(generic) == 172


def test_the_document_is_served_without_a_login(server: RunningServer) -> None:
    answer = bare.get(f"{server.url}/schema")
    assert answer.json() == json.loads(json.dumps(openapi.build_document()))
    assert answer.json()["openapi"] == "3.1.0"
    served = {f"{o.method} /api/bulk/2.0{o.path}" for o in OPERATIONS if o.served}
    documented = {f"{m.upper()} {path}" for path, methods in answer.json()["paths"].items() for m in methods}
    assert served < documented


@pytest.fixture(scope="module")
def login(server: RunningServer) -> str:
    """A company whose first definition, list, group, contact and sync exist, so that ids of 1 lead somewhere."""
    api, _ = server.new_company("schemathesis", contacts=10)
    api.new_list()
    api.new_group()
    uri = api.define()
    api.upload(uri, [{"Id": 1}, {"Id": "x"}])
    api.sync(uri)
    return api.bulk("GET", uri).request.headers["authorization"]


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_server_fail(case: schemathesis.Case, server: RunningServer, login: str) -> None:
    response = case.call(base_url=server.url, headers={"authorization": login})
    case.validate_response(response, checks=CHECKS.get_by_names(NAMED_CHECKS))
