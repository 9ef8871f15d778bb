"""A client that measures: some uploads, one sync, and a look whether it has ended: every 5 ms, later less often."""

from __future__ import annotations

import base64
import http.client
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from tests.support.api import BULK, FINAL, Api, add_to_list

from bench.bodies import Body
from bench.data import login_of

POLL_SECONDS: Final = 0.005
POLL_PART: Final = 0.02
"""Of the time waited so far: looking all the time would take a processor from a long sync."""

MOST_SECONDS: Final = 600.0
IDLE_SECONDS: Final = 30.0
"""The server closes a connection that idles for 75 s."""


class Span(Struct, frozen=True, kw_only=True):
    """Some uploads and their sync, in seconds: the whole, and the parts it is made of, one after the other.

    `sync` ends at `syncEndedAt`, which is written into the commit; the commit itself reaches the disk after it, so
    that belongs to `seen`, with the time until the client asks again.
    """

    total: float
    upload: float
    create_sync: float
    wait_for_worker: float
    sync: float
    seen: float


class Client:
    """One connection to a server, logged in to one company."""

    def __init__(self, url: str, company: str) -> None:
        self.api = Api(url, login_of(company))
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=MOST_SECONDS)
        self.used_at = time.monotonic()
        self.authorization = f"Basic {base64.b64encode(login_of(company).encode()).decode()}"

    def new_list_definition(self, statement: str) -> tuple[int, str]:
        """A new, empty contact list, and a definition that adds to it: (the list's id, the definition's uri)."""
        list_id = self.api.new_list()
        return list_id, self.api.define(add_to_list(list_id), statement=statement)

    def call(
        self, method: str, path: str, content: bytes = b"", content_type: str = "application/json", root: str = BULK
    ) -> bytes:
        """A request, of the Bulk API unless `root` is another; gives the body of the answer.

        Raises:
            RuntimeError: the answer was an error.
        """
        headers = {"Authorization": self.authorization, "Content-Type": content_type}
        if time.monotonic() - self.used_at > IDLE_SECONDS:
            self.connection.close()  # it is opened anew: the server may be about to close it
        self.connection.request(method, root + path, content or None, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        self.used_at = time.monotonic()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {body.decode()}")
        return body

    def define(self, element_path: str, properties: Mapping[str, object]) -> str:
        """Make a definition, and give its uri."""
        return str(msgspec.json.decode(self.call("POST", element_path, msgspec.json.encode(properties)))["uri"])

    def run(self, uri: str, *bodies: Body) -> tuple[Span, str]:
        """Upload, sync and wait for the end: (what it took, the sync's uri)."""
        sync_request = msgspec.json.encode({"syncedInstanceUri": uri})
        began, began_at = time.perf_counter(), time.time()
        for body in bodies:
            self.call("POST", f"{uri}/data", body.content, body.content_type)
        uploaded_at = time.time()
        sync_uri = str(msgspec.json.decode(self.call("POST", "/syncs", sync_request))["uri"])
        sync = self.wait(sync_uri)
        total, seen_at = time.perf_counter() - began, time.time()
        created_at, started_at, ended_at = (
            datetime.fromisoformat(sync[name]).timestamp() for name in ("createdAt", "syncStartedAt", "syncEndedAt")
        )
        span = Span(
            total=total,
            upload=uploaded_at - began_at,
            create_sync=created_at - uploaded_at,
            wait_for_worker=started_at - created_at,
            sync=ended_at - started_at,
            seen=seen_at - ended_at,
        )
        return span, sync_uri

    def wait(self, sync_uri: str) -> dict[str, Any]:
        """Ask until a sync has ended, every 5 ms or after 2 % more of the time; gives it.

        Raises:
            RuntimeError: it has not ended after ten minutes.
        """
        began = asked = time.perf_counter()
        while asked < began + MOST_SECONDS:
            sync = msgspec.json.decode(self.call("GET", sync_uri))
            if sync["status"] in FINAL:
                return dict(sync)
            pause = max(POLL_SECONDS, POLL_PART * (asked - began))
            time.sleep(max(0.0, asked + pause - time.perf_counter()))
            asked = time.perf_counter()
        raise RuntimeError(f"{sync_uri} has not ended after {MOST_SECONDS} s")

    def verify(self, list_id: int, sync_uri: str, body: Body) -> None:
        """Make sure that a sync did what it was measured for.

        Raises:
            RuntimeError: its status, its list, or its rejects are not what the upload must come to.
        """
        status = self.api.bulk("GET", sync_uri).raise_for_status().json()["status"]
        listed = self.api.bulk("GET", f"/contacts/lists/{list_id}").raise_for_status().json()["count"]
        rejects = self.api.bulk("GET", f"{sync_uri}/rejects", params={"limit": 1, "totalResults": "true"})
        found = (status, listed, rejects.raise_for_status().json()["totalResults"])
        wanted = ("warning" if body.rejected else "success", body.known, body.rejected)
        if found != wanted:
            raise RuntimeError(f"{sync_uri} came to {found} and not to {wanted}: status, contacts on list, rejects")

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()
        self.api.client.close()
