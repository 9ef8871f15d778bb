"""`GET /id`: who is logged in, and where the APIs are. Clients ask it first, on any host name."""

from __future__ import annotations

from staithe.app import App
from staithe.domain.errors import NotAuthenticated
from staithe.http.auth import log_in
from staithe.http.base_url import base_url_of
from staithe.http.calls import Answer
from staithe.http.requests import Request
from staithe.wire.identity import NOT_AUTHENTICATED, identity_body


async def answer_identity(app: App, request: Request) -> Answer:
    """Answer `GET /id`: 200 in any case, as clients compare the text that stands for a wrong login."""
    try:
        user = (await log_in(app, request)).user
    except NotAuthenticated:
        return Answer(200, NOT_AUTHENTICATED)
    return Answer(200, identity_body(user, base_url_of(request, app.settings.public_url)))
