"""A plain client of the Bulk API and the Application API, as an integration engineer would write it."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from tests.support import bare
from tests.support.waiting import LONGEST_SECONDS

BULK = "/api/bulk/2.0"
REST = "/api/REST/1.0"
FINAL = ("success", "warning", "error")


class Api:
    """Calls a server with one login."""

    def __init__(self, url: str, login: str) -> None:
        user, _, password = login.partition(":")
        self.client = httpx.Client(
            base_url=url, auth=(user, password), timeout=LONGEST_SECONDS, trust_env=False, verify=bare.TRUST
        )

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request below the server's root."""
        return self.client.request(method, path, **options)

    def bulk(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of the Bulk API."""
        return self.call(method, BULK + path, **options)

    def rest(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of the Application API."""
        return self.call(method, REST + path, **options)

    def new_list(self, name: str = "list") -> int:
        """Make a contact list and give its id."""
        return int(self.rest("POST", "/assets/contact/list", json={"name": name}).raise_for_status().json()["id"])

    def new_group(self, name: str = "group") -> int:
        """Make an email group and give its id."""
        return int(self.rest("POST", "/assets/email/group", json={"name": name}).raise_for_status().json()["id"])

    def define(self, *actions: dict[str, Any], statement: str = "{{Contact.Id}}", **more: Any) -> str:
        """Make a definition whose field is called Id, and give its uri."""
        body = {
            "name": "definition",
            "fields": {"Id": statement},
            "identifierFieldName": "Id",
            "syncActions": list(actions) or [UNSUBSCRIBE],
            **more,
        }
        return str(self.bulk("POST", "/contacts/syncActions", json=body).raise_for_status().json()["uri"])

    def upload(self, uri: str, records: Any, **headers: str) -> httpx.Response:
        """Upload records (JSON) or bytes (JSON unless a content-type is given)."""
        content = records if isinstance(records, bytes) else json.dumps(records).encode()
        return self.bulk(
            "POST", f"{uri}/data", content=content, headers={"content-type": "application/json", **headers}
        )

    def sync(self, uri: str, seconds: float = LONGEST_SECONDS) -> dict[str, Any]:
        """Start a sync of a definition, wait for its end, and give it."""
        created = self.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()
        return self.wait(created["uri"], seconds)

    def wait(self, sync_uri: str, seconds: float = LONGEST_SECONDS) -> dict[str, Any]:
        """Wait for the end of a sync, and give it."""
        limit = time.monotonic() + seconds
        while True:
            sync = self.bulk("GET", sync_uri).raise_for_status().json()
            if sync["status"] in FINAL:
                return dict(sync)
            assert time.monotonic() < limit, f"{sync_uri} has not ended: {sync}"
            time.sleep(0.01)

    def log(self, sync_uri: str) -> list[dict[str, Any]]:
        """The lines of a sync log."""
        return list(self.bulk("GET", f"{sync_uri}/logs").raise_for_status().json()["items"])

    def rejects(self, sync_uri: str) -> list[dict[str, Any]]:
        """The rejects of a sync, first page."""
        return list(self.bulk("GET", f"{sync_uri}/rejects").raise_for_status().json()["items"])


UNSUBSCRIBE = {"action": "setStatus", "destination": "{{GlobalSubscribe}}", "status": "unsubscribed"}


def add_to_list(list_id: int) -> dict[str, str]:
    """The sync action that puts contacts on a list."""
    return {"action": "add", "destination": "{{ContactList[%d]}}" % list_id}
