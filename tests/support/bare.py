"""Requests without a client that has a login."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from tests.support.waiting import LONGEST_SECONDS

TRUST = ssl.create_default_context()
"""One for all: to make it takes longer than a request."""


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Any request, over a connection of its own."""
    return httpx.request(method, url, trust_env=False, timeout=LONGEST_SECONDS, verify=TRUST, **options)


def get(url: str, **options: Any) -> httpx.Response:
    """GET."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> httpx.Response:
    """POST."""
    return request("POST", url, **options)
