"""The OpenAPI document: it names every route, and whatever a client makes of it, the server never fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import APIOperation

from staithe.domain.elements import OPERATIONS
from staithe.http import openapi
from tests.support import bare
from tests.support.nightly import effort
from tests.support.server import RunningServer

GOLDEN = Path(__file__).parent.parent / "golden" / "operations.txt"
REST_1, REST_2 = "/api/REST/1.0/", "/api/REST/2.0/"
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


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Keeps a connection for all cases."""
    with requests.Session() as opened:
        yield opened


@cache
def all_operations() -> dict[str, APIOperation[Any, Any, Any, Any]]:
    """Every operation of the document, as schemathesis knows it, by its label."""
    load_all_checks()
    schema = schemathesis.openapi.from_dict(openapi.build_document())
    return {operation.label: operation for operation in (result.ok() for result in schema.get_all_operations())}


@cache
def cases_of(label: str) -> list[schemathesis.Case]:
    """What schemathesis makes of an operation: the same for each database, so it is made once."""
    made: list[schemathesis.Case] = []

    @settings(
        max_examples=effort("cases of each operation of the document"),
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def keep(case: schemathesis.Case) -> None:
        made.append(case)

    operation = all_operations()[label]
    # As its plugin of pytest does, which makes all cases of all operations when the tests are collected.
    build_operation_test(
        config=operation.schema.config, operation=operation, test_func=keep, given_kwargs={}, feedback=NO_FEEDBACK
    )()
    return made


def labels() -> list[str]:
    """Every operation of the document."""
    paths = openapi.build_document()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def test_schemathesis_knows_every_operation() -> None:
    assert list(all_operations()) == labels()


def labels_to_test() -> list[str]:
    """Every operation, but of the two versions of the Application API each in turn: the same code answers both."""
    first = [label for label in labels() if REST_1 in label]
    second = [label.replace(REST_1, REST_2) for label in first]
    others = [label for label in labels() if REST_1 not in label and REST_2 not in label]
    return [*others, *first[::2], *second[1::2]]


def test_both_versions_of_the_application_api_have_the_same_operations() -> None:
    first, second = ([label for label in labels() if root in label] for root in (REST_1, REST_2))
    assert [label.replace(REST_1, REST_2) for label in first] == second
    assert len(first) == len(set(first)) > 20


@pytest.mark.parametrize("label", labels_to_test())
def test_no_request_makes_the_server_fail(
    label: str, server: RunningServer, login: str, session: requests.Session
) -> None:
    cases = cases_of(label)
    assert cases
    for case in cases:
        response = case.call(base_url=server.url, headers={"authorization": login}, session=session)
        case.validate_response(response, checks=CHECKS.get_by_names(NAMED_CHECKS))
