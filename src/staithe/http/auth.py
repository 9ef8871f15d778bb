"""Who is calling: HTTP Basic with `company\\user:password`, or a Bearer token."""

from __future__ import annotations

import anyio.to_thread

from staithe.app import App
from staithe.domain.errors import NotAllowed, NotAuthenticated
from staithe.http.addresses import address_of
from staithe.http.header_values import basic_text
from staithe.http.requests import Request
from staithe.observing.fields import add_log_fields
from staithe.services.caller import Caller
from staithe.services.guesses import LOGIN_ADVICE, Attempt
from staithe.services.known_logins import Login


def read_basic(header: str) -> tuple[str, str]:
    """(login, password) of an Authorization header.

    Raises:
        NotAuthenticated: it is missing or malformed.
    """
    try:
        text = basic_text(header)
    except ValueError:
        raise NotAuthenticated("The Authorization header is not base64 of UTF-8 text.", LOGIN_ADVICE) from None
    if text is None:
        raise NotAuthenticated("A login is required.", LOGIN_ADVICE)
    company, backslash, rest = text.partition("\\")
    user, colon, password = rest.partition(":")
    if not (backslash and colon):
        raise NotAuthenticated("The login has not the form company\\user:password.", LOGIN_ADVICE)
    return f"{company}\\{user}", password


async def log_in(app: App, request: Request) -> Login:
    """The verified login of a request. One that is known takes no thread.

    Raises:
        NotAuthenticated: no login, or a wrong one.
        Busy: a password is not verified now.
    """
    sent = request.headers.get("authorization", "").strip()
    login = app.logins.find(sent, app.clock())
    if login is None:
        # Asked for before the control store is read: what changes in between ends what is remembered here.
        version = app.logins.version()
        login = await anyio.to_thread.run_sync(verify, app, sent, address_of(request), version, app.logins.last(sent))
        app.logins.remember(sent, login)
    add_log_fields(company=login.user.company.name, user=login.user.name)
    return login


def verify(app: App, sent: str, address: str, version: int, last: Login | None) -> Login:
    scheme, _, token = sent.partition(" ")
    if scheme.lower() == "bearer":
        return app.logins.verify_token(token.strip(), version, app.clock())
    return app.logins.verify_password(Attempt(*read_basic(sent), address), version, last)


async def authenticate(app: App, request: Request, *, writes: bool) -> Caller:
    """The verified caller.

    Raises:
        NotAuthenticated: no login, or a wrong one.
        Busy: a password is not verified now.
        NotAllowed: the role may only read.
    """
    login = await log_in(app, request)
    user = login.user
    if writes and not user.role.may_write:
        raise NotAllowed(
            f"User {user.name} has the role {user.role.value}, which may only read.",
            "Use a login with the role api or admin.",
        )
    seconds = app.settings.query_timeout_seconds
    return Caller(user, app.stores, login.store, app.clock(), login.limits, seconds, login.version)
