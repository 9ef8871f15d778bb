"""A large import whose worker is killed again and again: every record counts once, and nothing is left over.

Which contact gets which id is known beforehand, since ids are given in the order of the records: so every contact of
the store is compared with the record that made it and the one that changed it last.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from staithe.services import retention
from staithe.services.stores import CompanyStore
from staithe.storage.tables import CONTACT, COUNTER, IMPORT_CHUNK, SYNC
from tests.fault.conftest import StartServer
from tests.fault.processes import child, kill_everything
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files, check_integrity, stored_sets
from tests.support.nightly import effort
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

RECORDS, UPLOADS = 200_000, 16
PER_UPLOAD = RECORDS // UPLOADS
KILLS = effort("kills of workers amid an import")
KILLS_PER_POWER_CUT = 5
"""The supervisor gives up on a child that dies five times in a row."""

MOST_KILLS_WITHOUT_PROGRESS = 3
"""A sync that has got nowhere in five attempts is given up, and rightly."""

FIELDS = {"email": "{{Contact.Field(C_EmailAddress)}}", "first": "{{Contact.Field(C_FirstName)}}"}
LOGIN = "killed\\ann:secret"


@dataclass
class Record:
    """A record of an upload, and what must become of it."""

    email: str
    first: str
    code: str = ""


def records(generation: str) -> Iterator[Record]:
    """Mostly good ones; each thousandth has no address, and the one behind it came before, maybe in another upload."""
    for number in range(RECORDS):
        match number % 1000:
            case 998:
                yield Record(f"person {number}", generation, "ELQ-00002")
            case 999:
                earlier = number - 900 if number < 80_000 else number - 40_900
                yield Record(f"PERSON-{earlier}@example.com", "again", "ELQ-00026")
            case _:
                yield Record(f"person-{number}@example.com", f"{generation} {number}")


class Victim:
    """A server and the company that imports, through all kills."""

    def __init__(self, start: StartServer, chance: random.Random) -> None:
        self.start, self.chance = start, chance
        self.server: RunningServer = start()
        _, store = self.server.new_company("killed")
        self.company = store.company
        self.kills = self.without_progress = 0

    @property
    def store(self) -> CompanyStore:
        """The company's store."""
        return self.server.stores.open(self.company)

    @property
    def api(self) -> Api:
        """A client of the server as it is now."""
        return self.server.api(LOGIN)

    def progress(self, sync_uri: str) -> tuple[str, int]:
        """Status of a sync, and how many records its ledger has."""
        number = int(sync_uri.rpartition("/")[2])
        with self.store.database.read() as connection:
            status = connection.execute(select(SYNC.c.status).where(SYNC.c.id == number)).scalar_one()
            ledger = select(func.max(IMPORT_CHUNK.c.records_done)).where(IMPORT_CHUNK.c.sync_id == number)
            return status, connection.execute(ledger).scalar() or 0

    def has_ended(self, sync_uri: str) -> bool:
        """Whether there is nothing left to kill for."""
        return self.progress(sync_uri)[0] not in ("pending", "active")

    def kill_once(self, sync_uri: str) -> None:
        """Kill the worker, or all processes, at a random moment of the sync."""
        _, before = self.progress(sync_uri)
        if self.without_progress >= MOST_KILLS_WITHOUT_PROGRESS or self.chance.random() < 0.5:
            until(lambda: self.has_ended(sync_uri) or self.progress(sync_uri)[1] > before, "the next chunk")
        else:
            until(lambda: self.progress(sync_uri)[0] != "pending", "the sync is taken up")
        time.sleep(self.chance.uniform(0, 0.3))
        self.kills += 1
        if self.kills % KILLS_PER_POWER_CUT == 0:
            kill_everything(self.server)
            self.server = self.start()
        else:
            child(self.server, WORKER).kill()
        _, after = self.progress(sync_uri)
        self.without_progress = 0 if after > before else self.without_progress + 1

    def wait(self, sync_uri: str) -> dict[str, Any]:
        """Wait for the end of the sync, and give it."""
        return self.api.wait(sync_uri, LONGEST_SECONDS)


def upload_all(api: Api, uri: str, generation: str) -> list[Record]:
    """Upload everything; gives the records."""
    every = list(records(generation))
    for first in range(0, RECORDS, PER_UPLOAD):
        lines = [f"{record.email},{record.first}" for record in every[first : first + PER_UPLOAD]]
        answer = api.upload(uri, "\n".join(["email,first", *lines]).encode(), **{"content-type": "text/csv"})
        assert answer.status_code == 204, answer.text
    return every


def check_log(api: Api, sync_uri: str, every: list[Record], *, is_first: bool) -> None:
    """The counts in the log are those of an import that nothing has disturbed."""
    good = sum(not record.code for record in every)
    bad, repeated = (sum(record.code == code for record in every) for code in ("ELQ-00002", "ELQ-00026"))
    log = {line["statusCode"]: line["count"] for line in api.log(sync_uri)}
    assert log.pop("ELQ-00145", 0) == 0
    assert log == {
        "ELQ-00130": RECORDS,
        "ELQ-00137": 0,
        "ELQ-00101": 0,
        "ELQ-00001": RECORDS,
        "ELQ-00002": bad,
        "ELQ-00026": repeated,
        "ELQ-00003": RECORDS - repeated,
        "ELQ-00004": good if is_first else 0,
        "ELQ-00022": 0 if is_first else good,
        "ELQ-00119": good,
    }


def check_rejects(api: Api, sync_uri: str, every: list[Record]) -> None:
    """Each refused record is listed once, in order, with its number."""
    expected = [(place, record.code) for place, record in enumerate(every, 1) if record.code]
    found: list[tuple[int, str]] = []
    while len(found) < len(expected):
        answer = api.bulk("GET", f"{sync_uri}/rejects?offset={len(found)}").json()
        assert answer["totalResults"] == len(expected)
        found += [(item["recordIndex"], item["statusCode"]) for item in answer["items"]]
    assert found == expected


def check_store(store: CompanyStore, every: list[Record]) -> None:
    """Every contact is as its record made it, ids without a gap; sets, changes and files fit."""
    good = [record for record in every if not record.code]
    contact = CONTACT.c
    query = select(contact.id, contact.c_emailaddress, contact.email_key, contact.c_firstname).order_by(contact.id)
    with store.database.read() as connection:
        rows = connection.execute(query).all()
        assert [tuple(row) for row in rows] == [(i, r.email, r.email, r.first) for i, r in enumerate(good, 1)]
        last = connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == "contact")).scalar_one()
        assert last == len(good)
        sets = stored_sets(connection)
        assert list(sets["contacts"]) == list(sets["contactList/1"]) == list(range(1, len(good) + 1))
        Replay().follow(connection)
        check_changes_of_syncs(connection)
        check_integrity(connection)
        assert connection.execute(select(IMPORT_CHUNK.c.sync_id)).all() == []
    retention.sweep(store, 0)
    check_files(store)


def test_every_record_counts_once_however_often_the_worker_is_killed(start: StartServer, seed: int) -> None:
    victim = Victim(start, random.Random(seed))
    list_id = victim.api.new_list()
    body = {"name": "large", "fields": FIELDS, "identifierFieldName": "email", "syncActions": [add_to_list(list_id)]}
    uri = victim.api.bulk("POST", "/contacts/imports", json=body).raise_for_status().json()["uri"]
    try:
        for number in range(KILLS):
            if number and victim.kills >= KILLS:
                break
            every = upload_all(victim.api, uri, f"import {number}")
            sync_uri = victim.api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).json()["uri"]
            while victim.kills < KILLS and not victim.has_ended(sync_uri):
                victim.kill_once(sync_uri)
            assert victim.wait(sync_uri)["status"] == "warning"
            check_log(victim.api, sync_uri, every, is_first=number == 0)
            check_rejects(victim.api, sync_uri, every)
            check_store(victim.store, every)
    except BaseException as error:
        error.add_note(f"after {victim.kills} kills of --torture-seed {seed}; the server said:")
        error.add_note("".join(victim.server.lines[-40:]))
        raise
    assert victim.kills == KILLS
    assert victim.server.stop() == 0
