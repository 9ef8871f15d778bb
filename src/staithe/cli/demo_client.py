"""The demo's side of the wire: a plain client of the two APIs, as anybody could write it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import httpx

from staithe.cli.demo_records import Body
from staithe.domain.errors import RequestError
from staithe.domain.syncs import UNFINISHED

BULK: Final = "/api/bulk/2.0"
REST: Final = "/api/REST/1.0"
TIMEOUT_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.02

Json = dict[str, Any]


class DemoClient:
    """Calls a server with one login."""

    def __init__(self, url: str, login: str, password: str) -> None:
        self.client = httpx.Client(base_url=url, auth=(login, password), timeout=TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> DemoClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.close()

    def call(self, method: str, path: str, **options: Any) -> Json:
        """Send a request; gives the body of the answer, empty if it has none.

        Raises:
            RequestError: the server refuses it, or does not answer.
        """
        try:
            answer = self.client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise RequestError(f"{method} {path}: no answer ({error}).") from error
        if answer.is_error:
            raise RequestError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else {}

    def make_contact_list(self, name: str) -> int:
        """Make a contact list and give its id."""
        return int(self.call("POST", f"{REST}/assets/contact/list", json={"name": name})["id"])

    def make_email_group(self, name: str) -> int:
        """Make an email group and give its id."""
        return int(self.call("POST", f"{REST}/assets/email/group", json={"name": name})["id"])

    def define(self, name: str, field: str, statement: str, actions: Sequence[Mapping[str, str]]) -> str:
        """Make a definition of sync actions whose one field identifies contacts; gives its uri."""
        body = {
            "name": name,
            "fields": {field: statement},
            "identifierFieldName": field,
            "syncActions": list(actions),
        }
        return self.make_definition("syncActions", body)

    def make_definition(self, kind: str, body: Json) -> str:
        """Make a definition of any kind, and give its uri."""
        return str(self.call("POST", f"{BULK}/contacts/{kind}", json=body)["uri"])

    def upload(self, definition: str, body: Body) -> None:
        """Stage one body for a definition."""
        headers = {"content-type": body.content_type}
        self.call("POST", f"{BULK}{definition}/data", content=body.content, headers=headers)

    def sync(self, definition: str) -> Json:
        """Sync what a definition has staged, wait for the end, and give the sync."""
        sync = self.call("POST", f"{BULK}/syncs", json={"syncedInstanceUri": definition})
        while sync["status"] in UNFINISHED:
            time.sleep(POLL_SECONDS)
            sync = self.call("GET", f"{BULK}{sync['uri']}")
        return sync

    def page(self, path: str, limit: int, offset: int = 0) -> Json:
        """One page of a list."""
        return self.call("GET", f"{BULK}{path}", params={"limit": limit, "offset": offset})

    def list_size(self, list_id: int) -> int:
        """How many contacts a contact list has."""
        return int(self.call("GET", f"{BULK}/contacts/lists/{list_id}")["count"])
