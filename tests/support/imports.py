"""Imports of contacts as the wire tests make them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.tables import IMPORT_CHUNK
from tests.support.api import Api

PATH = "/contacts/imports"
EMAIL, FIRST = "{{Contact.Field(C_EmailAddress)}}", "{{Contact.Field(C_FirstName)}}"
CRM_TIME = "{{Contact.Field(C_LastModifiedByExtIntegrateSystem)}}"
FIELDS = {"emailAddress": EMAIL, "firstName": FIRST}


def import_body(**changes: Any) -> dict[str, Any]:
    """A request to define an import by email address; None leaves a property out."""
    whole = {"name": "fair", "fields": FIELDS, "identifierFieldName": "emailAddress"} | changes
    return {name: value for name, value in whole.items() if value is not None}


def import_echo(number: int, **changes: Any) -> dict[str, Any]:
    """An import as it is answered, keys in the order of the recorded reply."""
    whole = import_body(**changes)
    order = ("name", "fields", "identifierFieldName", "syncActions", "isSyncTriggeredOnImport", "dataRetentionDuration",
             "autoDeleteDuration", "updateRule", "updateRuleByField", "importRule", "isUpdatingMultipleMatchedRecords",
             "isIdentifierFieldCaseSensitive", "nullIdentifierFieldName", "importPriorityUri")  # fmt: skip
    shown = {
        "isSyncTriggeredOnImport": False,
        "dataRetentionDuration": "P7D",
        "isUpdatingMultipleMatchedRecords": False,
    }
    shown |= whole
    audit = {"createdBy": "ann", "createdAt": "TIME", "updatedBy": "ann", "updatedAt": "TIME"}
    return {name: shown[name] for name in order if name in shown} | {"uri": f"{PATH}/{number}"} | audit


def define_import(api: Api, **changes: Any) -> str:
    """Make an import, and give its uri."""
    answer = api.bulk("POST", PATH, json=import_body(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["uri"])


def run_import(api: Api, records: Any, content_type: str = "application/json", **changes: Any) -> dict[str, Any]:
    """Define an import, upload once, and sync; gives the sync. No record of it is lost."""
    uri = define_import(api, **changes)
    answer = api.upload(uri, records, **{"content-type": content_type})
    assert answer.status_code == 204, answer.text
    sync = api.sync(uri)
    staged = len(records) if isinstance(records, list) else None
    check_that_counts_add_up(api, sync, staged, updates_all=bool(changes.get("isUpdatingMultipleMatchedRecords")))
    return sync


def check_that_counts_add_up(api: Api, sync: dict[str, Any], sent: int | None, *, updates_all: bool) -> None:
    """Every record of an import that has ended was imported, or refused with its number, and none was both.

    `sent` is how many records were uploaded, None if the log alone knows.
    """
    log = {entry["statusCode"]: entry["count"] for entry in api.log(sync["uri"]) if entry["severity"] == "information"}
    staged = log["ELQ-00130"] if sent is None else sent
    rejects = api.rejects(sync["uri"])
    numbers = [reject["recordIndex"] for reject in rejects]
    refused = sum(reject["statusCode"] != "ELQ-00040" for reject in rejects)
    assert log["ELQ-00130"] == log["ELQ-00001"] == staged
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= staged for number in numbers)
    imported = log["ELQ-00004"] + log["ELQ-00022"]
    assert imported == staged - refused or (updates_all and imported > staged - refused)


def counts(api: Api, sync: dict[str, Any]) -> dict[str, int]:
    """Count of each code in a log that a test is about."""
    wanted = ("ELQ-00001", "ELQ-00003", "ELQ-00004", "ELQ-00022", "ELQ-00026", "ELQ-00034", "ELQ-00040", "ELQ-00048",
              "ELQ-00144")  # fmt: skip
    return {e["statusCode"][-3:]: e["count"] for e in api.log(sync["uri"]) if e["statusCode"] in wanted}


def contact(api: Api, number: int) -> dict[str, Any]:
    """A contact in the Application API."""
    return dict(api.rest("GET", f"/data/contact/{number}").raise_for_status().json())


def members(store: CompanyStore, name: str) -> list[int]:
    """The ids in a set."""
    with store.database.read() as connection:
        return list(sets.load_set(connection, name))


def records_done(store: CompanyStore) -> int:
    """How far the ledger of the only import goes."""
    with store.database.read() as connection:
        return connection.execute(select(func.max(IMPORT_CHUNK.c.records_done))).scalar() or 0
