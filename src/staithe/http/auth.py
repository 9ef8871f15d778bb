"""Who is calling: HTTP Basic with `company\\user:password`, or a Bearer token."""

from __future__ import annotations

import base64
import binascii

from staithe.app import App
from staithe.domain.companies import User
from staithe.domain.errors import NotAllowed, NotAuthenticated
from staithe.observing.fields import add_log_fields
from staithe.services.accounts import LOGIN_ADVICE
from staithe.services.caller import Caller


def read_basic(header: str) -> tuple[str, str]:
    """(login, password) of an Authorization header. Old clients wrap the base64 in lines [observed].

    Raises:
        NotAuthenticated: it is missing or malformed.
    """
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated("A login is required.", LOGIN_ADVICE)
    compact = "".join(encoded.split())
    try:
        text = base64.b64decode(compact + "=" * (-len(compact) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise NotAuthenticated("The Authorization header is not base64 of UTF-8 text.", LOGIN_ADVICE) from None
    company, backslash, rest = text.partition("\\")
    user, colon, password = rest.partition(":")
    if not (backslash and colon):
        raise NotAuthenticated("The login has not the form company\\user:password.", LOGIN_ADVICE)
    return f"{company}\\{user}", password


def identify(app: App, header: str | None) -> User:
    """The verified user. Slow for a password that is not remembered: call it in a thread.

    Raises:
        NotAuthenticated: no login, or a wrong one.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        user = app.tokens.verify(token.strip(), app.clock())
    else:
        user = app.logins.verify(*read_basic(header or ""))
    add_log_fields(company=user.company.name, user=user.name)
    return user


def authenticate(app: App, header: str | None, *, writes: bool) -> Caller:
    """The verified caller. Slow, as `identify` is.

    Raises:
        NotAuthenticated: no login, or a wrong one.
        NotAllowed: the role may only read.
    """
    user = identify(app, header)
    if writes and not user.role.may_write:
        raise NotAllowed(
            f"User {user.name} has the role {user.role.value}, which may only read.",
            "Use a login with the role api or admin.",
        )
    limits = app.limits.of(user.company)
    return Caller(user, app.stores, app.stores.open(user.company), app.clock(), limits)
