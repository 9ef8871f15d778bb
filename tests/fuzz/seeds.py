"""The requests that are spoilt: one of each kind that the server answers, as a client would send it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from staithe.http.openapi import build_document
from tests.support.api import UNSUBSCRIBE, add_to_list

BULK = "/api/bulk/2.0"
REST = "/api/REST/1.0"
CLOUD = "/api/cloud/1.0"
JSON, CSV, FORM = "application/json", "text/csv", "application/x-www-form-urlencoded"
CONTACT_FIELDS = {"email": "{{Contact.Field(C_EmailAddress)}}", "first": "{{Contact.Field(C_FirstName)}}"}
CRITERION = {
    "type": "ContactFieldCriterion",
    "id": "-1",
    "fieldId": "100001",
    "condition": {"type": "TextValueCondition", "operator": "equal", "value": "a@b.cd"},
}
RECORDS = [{"email": "a@b.cd", "first": "Ann"}, {"email": "b@b.cd", "first": 'Ben, "B"'}, {"email": "no"}]
CSV_RECORDS = 'email,first\na@b.cd,Ann\n"b@b.cd","Ben, ""B"""\nno,\n'


@dataclass(frozen=True)
class Request:
    """One request before it is written: each part is spoilt in its own way."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, bytes], ...] = field(default=())
    body: bytes = b""

    def with_json(self, body: Any) -> Request:
        """The same with a body."""
        return self.with_body(JSON, json.dumps(body).encode())

    def with_body(self, kind: str, body: bytes) -> Request:
        """The same with a body."""
        return replace(self, headers=(*self.headers, ("Content-Type", kind.encode())), body=body)


def definitions() -> list[Request]:
    """The definitions of each kind, in all their parts."""
    common: dict[str, Any] = {"name": "n", "isSyncTriggeredOnImport": True, "dataRetentionDuration": "P7D"}
    actions = {"syncActions": [UNSUBSCRIBE, add_to_list(1)], "identifierFieldName": "email", "fields": CONTACT_FIELDS}
    imports = {
        "identifierFieldName": "email",
        "fields": CONTACT_FIELDS,
        "updateRule": "always",
        "updateRuleByField": [{"field": "{{Contact.Field(C_FirstName)}}", "updateRule": "ifNewIsNotNull"}],
        "importPriorityUri": "/imports/priorities/1",
        "syncActions": [add_to_list(1)],
    }
    exports = {
        "fields": {**CONTACT_FIELDS, "list": "{{Contact.List[1].Id}}", "made": "{{Contact.CreatedAt}}"},
        "filter": "'{{Contact.Field(C_EmailAddress)}}' ~ '%b%' AND NOT EXISTS('{{ContactList[1]}}')",
        "areSystemTimestampsInUTC": True,
        "maxRecords": 10,
    }
    bodies = {"syncActions": actions, "imports": imports, "exports": exports}
    return [
        Request(method, f"{BULK}/contacts/{kind}{tail}").with_json({**common, **body})
        for kind, body in bodies.items()
        for method, tail in (("POST", ""), ("PUT", "/1"))
    ]


def uploads() -> list[Request]:
    """Uploads to definitions of both kinds, in both formats."""
    found: list[Request] = []
    for kind in ("syncActions", "imports"):
        target = Request("POST", f"{BULK}/contacts/{kind}/1/data", headers=(("Idempotency-Key", b"k"),))
        found += [target.with_json(RECORDS), target.with_body(CSV, CSV_RECORDS.encode())]
    return found


def application_api() -> list[Request]:
    """What the Application API takes with a body."""
    segment = {"name": "s", "elements": [{"type": "ContactFilterSegmentElement", "filter": {"criteria": [CRITERION]}}]}
    bodies = {
        "/data/contact": {"emailAddress": "c@b.cd", "firstName": "C", "fieldValues": [{"id": "100002", "value": "x"}]},
        "/assets/contact/list": {"name": "l", "membershipAdditions": ["1", "2"], "membershipDeletions": ["3"]},
        "/assets/contact/field": {"name": "f", "dataType": "text", "displayType": "text"},
        "/assets/contact/segment": segment,
        "/assets/contact/filter": {"name": "f", "criteria": [CRITERION], "statement": "1"},
        "/assets/email/group": {"name": "g", "displayName": "G"},
    }
    return [
        Request(method, f"{REST}{path}{tail}", query=(("depth", "complete"),)).with_json({"id": "1", **body})
        for path, body in bodies.items()
        for method, tail in (("POST", ""), ("PUT", "/1"))
    ]


def apps() -> list[Request]:
    """What apps tell of their instances, and a decision's answer."""
    instance = "/instances/7b95fe48-6598-43e8-8fd1-dcb40cf83ef6"
    configuration = {"recordDefinition": CONTACT_FIELDS, "requiresConfiguration": False, "height": 256}
    return [
        *(
            Request("PUT", f"{CLOUD}/{service}{instance}").with_json(configuration)
            for service in ("actions", "feeders")
        ),
        Request("POST", f"{CLOUD}/decisions{instance}/contacts/1").with_json({"decision": "yes"}),
    ]


def logins() -> list[Request]:
    """OAuth: the page, its form, and tokens."""
    authorize = (("response_type", "code"), ("client_id", "c"), ("redirect_uri", "https://a.example/b"), ("state", "s"))
    form = b"grant_type=refresh_token&refresh_token=r&scope=full&redirect_uri=https%3A%2F%2Fa.example%2Fb"
    decision = b"client_id=c&redirect_uri=https%3A%2F%2Fa.example%2Fb&company=c&user=u&password=&decision=allow&state=s"
    return [
        Request("GET", "/auth/oauth2/authorize", authorize),
        Request("POST", "/auth/oauth2/authorize", authorize).with_body(FORM, decision),
        Request("POST", "/auth/oauth2/token").with_body(FORM, form),
        Request("POST", "/auth/oauth2/token").with_json({"grant_type": "refresh_token", "refresh_token": "r"}),
        Request("POST", "/auth/oauth2/revoke").with_body(FORM, b"token=r&token_type_hint=refresh_token"),
    ]


def id_for(method: str) -> str:
    """The id in a path: what is deleted is not what all other requests ask for."""
    return "9" if method == "delete" else "1"


@cache
def seeds() -> tuple[Request, ...]:
    """Every operation of the OpenAPI document, and those with a body again with one that is right."""
    query = (("limit", "2"), ("offset", "0"), ("q", "name=n*"), ("orderBy", "name ASC"), ("totalResults", "true"))
    search = (("page", "1"), ("count", "2"), ("search", "name='n*'"), ("lastUpdatedAt", "0"), ("depth", "partial"))
    operations = [
        Request(method.upper(), re.sub(r"{\w+}", id_for(method), path), search if path.startswith(REST) else query)
        for path, methods in build_document()["paths"].items()
        for method in methods
    ]
    started = Request("POST", f"{BULK}/syncs").with_json({"syncedInstanceUri": "/contacts/imports/1"})
    with_bodies = [*definitions(), *uploads(), *application_api(), *apps(), *logins(), started]
    # What has a body has the most to go wrong.
    return (*operations, *with_bodies * (1 + len(operations) // len(with_bodies)))
