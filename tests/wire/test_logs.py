"""Log lines of a real server: what they say, what they never say, and in which form."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy
from sqlalchemy import text

from staithe.observing.fields import add_log_fields, current_fields, log_fields
from staithe.observing.logs import FIELDS, LineFormatter, LogFormat
from tests.conftest import NewDatabase, StartServer
from tests.fault.processes import child
from tests.support import bare
from tests.support.api import Api
from tests.support.commands import staithe
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import until

BULK = "/api/bulk/2.0"
ADDRESS = "ann.private@example.com"
OTHER_ADDRESS = "bo.private@example.com"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
ALWAYS = ["timestamp", "level", "process", "logger", "message"]
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "howto" / "observe.md"
Line = dict[str, Any]


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[RunningServer]:
    """A server that logs everything, for machines."""
    data = tmp_path_factory.mktemp("logs") / "data"
    running = RunningServer(data, "--log-format", "json", "--access-log", database=new_database())
    yield running
    assert running.stop() == 0


def lines_of(server: RunningServer, **wanted: object) -> list[Line]:
    """The lines that have these fields. All that begin with a brace must be JSON."""
    lines = [json.loads(line) for line in list(server.lines) if line.startswith("{")]
    return [line for line in lines if wanted.items() <= line.items()]


def line_of(server: RunningServer, **wanted: object) -> Line:
    """The one line that has these fields, as soon as it is there; without its time and duration."""
    until(lambda: bool(lines_of(server, **wanted)), f"a line with {wanted}")
    (line,) = lines_of(server, **wanted)
    assert list(line)[:5] == ALWAYS
    assert TIME.fullmatch(line.pop("timestamp"))
    assert 0 <= line.pop("seconds", 0) < 3600
    return line


def test_a_request_is_a_line(talkative: RunningServer) -> None:
    api, _store = talkative.new_company("north")
    uri = api.define()
    assert api.upload(uri, [{"Id": "1"}], **{"x-request-id": "job-7/step.2"}).headers["x-request-id"] == "job-7/step.2"
    assert line_of(talkative, request_id="job-7/step.2") == {
        "level": "info",
        "process": "http",
        "logger": "staithe.access",
        "message": "request answered",
        "request_id": "job-7/step.2",
        "company": "north",
        "user": "ann",
        "method": "POST",
        "route": f"{BULK}/contacts/syncActions/{{id}}/data",
        "path": f"{BULK}{uri}/data",
        "status": 204,
    }


def test_the_id_that_an_answer_has_is_in_its_line(talkative: RunningServer) -> None:
    api, _store = talkative.new_company("south")
    for path in ("/syncs", "/no/such/path"):
        answer = api.bulk("GET", path)
        assert re.fullmatch(r"[0-9a-f]{32}/\d{1,11}", answer.headers["x-request-id"])
        assert line_of(talkative, request_id=answer.headers["x-request-id"])["status"] == answer.status_code


@pytest.mark.parametrize("sent", ["two words", "a" * 129, 'quote"', "{brace}", "", "é"])
def test_an_id_that_could_forge_a_line_is_replaced(talkative: RunningServer, sent: str) -> None:
    headers = {"x-request-id": sent.encode()}
    answer = bare.get(f"{talkative.url}/healthz", headers=headers)
    assert re.fullmatch(r"[0-9a-f]{32}/\d{1,11}", answer.headers["x-request-id"])


def test_a_sync_is_a_line(talkative: RunningServer) -> None:
    api, _store = talkative.new_company("east", contacts=5)
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "99"}])
    api.sync(uri)
    assert line_of(talkative, company="east", message="sync ended") == {
        "level": "info",
        "process": "worker",
        "logger": "staithe.access",
        "message": "sync ended",
        "company": "east",
        "sync_id": 1,
        "kind": "syncActions",
        "status": "warning",
    }


def test_a_sync_that_fails_has_the_error_id_that_its_log_has(talkative: RunningServer) -> None:
    api, store = talkative.new_company("west", contacts=5)
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    (staged,) = store.staging.root.iterdir()
    staged.write_bytes(b"no arrow file")
    failed = api.sync(uri)
    assert failed["status"] == "error"
    (message,) = [entry["message"] for entry in api.log(failed["uri"]) if entry["statusCode"] == "ELQ-00139"]
    told = re.search(r"error ([0-9a-f]{32}) in the server's log", message)
    assert told
    line = line_of(talkative, error_id=told[1])
    assert line.pop("exception").startswith("Traceback (most recent call last):\n")
    assert line == {
        "level": "error",
        "process": "worker",
        "logger": "staithe.services.run_sync",
        "message": f"error {told[1]}: sync 1 of company west failed",
        "company": "west",
        "sync_id": 1,
        "kind": "syncActions",
        "error_id": told[1],
    }


def break_store(store: Any) -> None:
    """Whoever reads contact lists or contacts now, meets a fault of the server."""
    with store.database.write() as connection:
        for table in ("contact_list", "id_set"):
            connection.execute(text(f"DROP TABLE {table}"))


def test_a_fault_has_the_error_id_that_its_answer_has(talkative: RunningServer) -> None:
    api, store = talkative.new_company("broken")
    break_store(store)
    answer = api.bulk("GET", "/contacts/lists/12", headers={"x-request-id": "fault-1"})
    assert answer.status_code == 500
    error_id = answer.json()["errorId"]
    line = line_of(talkative, error_id=error_id, level="error")
    assert "contact_list" in line.pop("exception")
    of_request = {"request_id": "fault-1", "company": "broken", "user": "ann", "error_id": error_id}
    assert line == {
        "level": "error",
        "process": "http",
        "logger": "staithe.http.errors",
        "message": f"error {error_id}: GET {BULK}/contacts/lists/{{id}}",
        **of_request,
    }
    assert line_of(talkative, error_id=error_id, level="warning") == {
        "level": "warning",
        "process": "http",
        "logger": "staithe.access",
        "message": "request answered",
        **of_request,
        "method": "GET",
        "route": f"{BULK}/contacts/lists/{{id}}",
        "path": f"{BULK}/contacts/lists/12",
        "status": 500,
    }


def test_a_line_of_a_connection_that_was_ended(talkative: RunningServer) -> None:
    parts = urlsplit(talkative.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert b"400" in connection.recv(1000)
    line = line_of(talkative, logger="staithe.http.connections")
    assert line == {
        "level": "warning",
        "process": "http",
        "logger": "staithe.http.connections",
        "message": "a connection of 127.0.0.1 was ended: malformed",
    }


def test_a_line_of_the_supervisor(talkative: RunningServer) -> None:
    child(talkative, WORKER).kill()
    assert line_of(talkative, process="serve") == {
        "level": "warning",
        "process": "serve",
        "logger": "staithe.supervisor",
        "message": "the worker process died (exit code -9): starting it anew",
    }


def leave_secrets(server: RunningServer, company: str) -> list[str]:
    """Send secrets and contact data everywhere a client can; gives what no log may have."""
    api, store = server.new_company(company, contacts=3)
    uri = api.define(statement="{{Contact.Field(C_EmailAddress)}}")
    api.upload(uri, [{"Id": ADDRESS, "Private": "private value"}])
    api.upload(uri, f'[{{"Id": "{ADDRESS}"'.encode())
    api.rest("GET", "/data/contacts", params={"search": f"emailAddress={ADDRESS}"})
    api.rest("GET", f"/data/contact/{ADDRESS}")
    api.rest("POST", "/data/contact", json={"emailAddress": ADDRESS})
    api.bulk(
        "POST", "/syncs", json={"syncedInstanceUri": uri, "callbackUrl": "http://u:callback-pw@127.0.0.1:1/x?k=key7"}
    )
    wrong = Api(server.url, f"{company}\\ann:wrong-password")
    assert wrong.bulk("GET", "/syncs").status_code == 401
    bearer = {"authorization": "Bearer a-bearer-token"}
    assert bare.get(f"{server.url}{BULK}/syncs", headers=bearer).status_code == 401
    wrong.client.close()
    api.wait("/syncs/1")
    until(lambda: "try 1 of 3" in "".join(server.lines), "the callback fails")
    break_store(store)
    assert api.rest("POST", "/data/contact", json={"emailAddress": OTHER_ADDRESS}).status_code == 500
    until(lambda: "id_set" in "".join(server.lines), "the fault is logged")
    secrets = ["secret", "wrong-password", "a-bearer-token", "callback-pw", "key7", "private value"]
    return [*secrets, ADDRESS, OTHER_ADDRESS, ADDRESS.replace("@", "%40")]


@pytest.mark.parametrize("form", list(LogFormat))
def test_what_clients_send_is_not_logged(servers: StartServer, form: LogFormat) -> None:
    server = servers("--access-log", environment={"STAITHE_LOG_FORMAT": form.value})
    secrets = leave_secrets(server, "quiet")
    assert server.stop() == 0
    said = "".join(server.lines)
    assert [secret for secret in secrets if secret in said] == []
    assert said.count("request answered") >= 8
    assert "/data/contact/*" in said
    assert "callback http://127.0.0.1:1/x, try 1 of 3: " in said


def test_requests_are_not_logged_unless_that_is_wanted(servers: StartServer) -> None:
    server = servers()
    api, store = server.new_company("still", contacts=3)
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    api.sync(uri)
    assert api.bulk("GET", "/nothing").status_code == 404
    break_store(store)
    error_id = api.bulk("GET", "/contacts/lists/1").json()["errorId"]
    assert server.stop() == 0
    said = "".join(server.lines)
    assert "sync ended" not in said
    (answered,) = [line for line in server.lines if "request answered" in line]
    path = f"{BULK}/contacts/lists"
    fields = f"error_id={error_id} method=GET route={path}/{{id}} path={path}/1 status=500 seconds="
    begin = (
        r"\S+Z \[warning  \] request answered \[staithe\.access\] process=http request_id=\S+ company=still user=ann "
    )
    assert re.match(begin + re.escape(fields), answered), answered
    assert f"error {error_id}: GET " in said
    assert "Traceback (most recent call last):" in said


def test_a_format_that_there_is_not_is_refused(tmp_path: Path) -> None:
    failed = staithe("serve", "--data", str(tmp_path / "data"), "--log-format", "xml")
    assert failed.returncode == 2
    assert "'xml' is not one of 'text', 'json'" in failed.stderr


def record(message: str, *values: object, exception: BaseException | None = None, **extra: object) -> logging.LogRecord:
    found = (type(exception), exception, exception.__traceback__) if exception is not None else None
    made = logging.LogRecord("staithe.test", logging.WARNING, __file__, 1, message, values, found)
    made.__dict__.update(extra)
    return made


def test_a_message_stays_on_its_line() -> None:
    forged = record("path %s", "/a\n2026-11-25 [error] all is lost\r\x1b[31m\x00ü")
    line = LineFormatter("http", LogFormat.TEXT).format(forged)
    assert line.endswith(r"path /a\x0a2026-11-25 [error] all is lost\x0d\x1b[31m\x00ü [staithe.test] process=http")
    assert "\n" not in line
    assert json.loads(LineFormatter("http", LogFormat.JSON).format(forged))["message"] == forged.getMessage()


@pytest.mark.parametrize("form", list(LogFormat))
def test_tracebacks_do_not_tell_the_values_of_rows(form: LogFormat) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE t (a TEXT UNIQUE)"))
        insert = text("INSERT INTO t VALUES (:a)")
        connection.execute(insert, {"a": ADDRESS})
        with pytest.raises(sqlalchemy.exc.IntegrityError) as raised:
            connection.execute(insert, {"a": ADDRESS})
    engine.dispose()
    assert ADDRESS in str(raised.value)
    line = LineFormatter("http", form).format(record("it failed", exception=raised.value))
    assert ADDRESS not in line
    assert "[parameters: (hidden)" in line
    assert "UNIQUE constraint failed" in line
    of_postgresql = RuntimeError(
        f"duplicate key\nDETAIL:  Key (a)=({ADDRESS}) exists.\nCONTEXT:  COPY t, line 1: {ADDRESS}"
    )
    line = LineFormatter("http", form).format(record("it failed", exception=of_postgresql))
    assert ADDRESS not in line
    assert "duplicate key" in line


def test_only_known_fields_are_added_to_lines() -> None:
    line = json.loads(
        LineFormatter("http", LogFormat.JSON).format(record("x", error_id="e1", color_message="y", body="z"))
    )
    assert set(line) == {*ALWAYS, "error_id"}


def test_fields_end_with_their_block() -> None:
    with log_fields(request_id="r"):
        add_log_fields(company="acme")
        with log_fields(sync_id=1):
            assert current_fields() == {"request_id": "r", "company": "acme", "sync_id": 1}
        assert current_fields() == {"request_id": "r", "company": "acme"}
    add_log_fields(company="nobody's")
    assert current_fields() == {}


def test_the_document_has_every_field() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?!counter|gauge|histogram)", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [*ALWAYS, *FIELDS, "exception"]
