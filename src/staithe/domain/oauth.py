"""OAuth 2.0 (RFC 6749, RFC 7636): programs that act for a user, what they ask for, and why they are refused."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from msgspec import Struct

from staithe.domain.base_url import DEFAULT_PORTS, to_base_url
from staithe.domain.companies import Company
from staithe.domain.errors import Failure, StaitheError, ValidationFailed
from staithe.domain.limits import REDIRECT_URI_CHARACTERS
from staithe.domain.redirect_prefixes import is_below

SCOPE: Final = "full"
"""The one scope there is [Eloqua: authenticate using OAuth]."""

URI_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
APP_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
"""The scheme of a program on a device: a domain name backwards (RFC 8252, 7.1)."""

CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class OAuthFault(StrEnum):
    """The errors of RFC 6749, sections 4.1.2.1 and 5.2."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"


class Problem(IntEnum):
    """Why a token request is refused, as `error_code` tells it: the thousands say what is wrong with what.

    That errors have such numbers is Eloqua's (release 21C, August 2021); which they are is not published.
    """

    REQUEST = 1000
    GRANT_TYPE = 1001
    SCOPE = 1002
    CLIENT = 2000
    REFRESH_TOKEN_WRONG = 3000
    REFRESH_TOKEN_USED = 3001
    CODE_WRONG = 4000
    CODE_USED = 4001
    CODE_REDIRECT = 4002
    CODE_VERIFIER = 4003
    LOGIN = 5000
    TOKEN_OF_ANOTHER = 6000

    @property
    def is_unauthorized(self) -> bool:
        """Whether the client has to prove itself, or to ask the user, anew: a client or a refresh token is not good."""
        return self // 1000 in (2, 3)


PROBLEMS: Final[Mapping[OAuthFault, Problem]] = {
    OAuthFault.INVALID_CLIENT: Problem.CLIENT,
    OAuthFault.UNSUPPORTED_GRANT_TYPE: Problem.GRANT_TYPE,
    OAuthFault.INVALID_SCOPE: Problem.SCOPE,
}
"""The problem that a fault is, where it is always the same one."""


class OAuthRefused(StaitheError):
    """A request of OAuth that is refused: the name of the fault, and a sentence in ASCII that says what is wrong."""

    def __init__(self, fault: OAuthFault, description: str, problem: Problem | None = None) -> None:
        super().__init__(description)
        self.fault = fault
        self.description = description
        self.problem = problem or PROBLEMS.get(fault, Problem.REQUEST)


class ResponseType(StrEnum):
    """What the authorization page gives: a code to exchange, or the access token itself (the implicit grant)."""

    CODE = "code"
    IMPLICIT = "token"


class TokenKind(StrEnum):
    """What a secret that was given to a client is good for."""

    CODE = "code"
    ACCESS = "access"
    REFRESH = "refresh"


class Client(Struct, frozen=True):
    """A program that may act for users of one company: `identifier` is what the wire calls client_id.

    Answers to it go to one of `redirect_uris`, to the letter, or below one of `redirect_prefixes`.
    """

    id: int
    company: Company
    name: str
    identifier: str
    redirect_uris: tuple[str, ...]
    redirect_prefixes: tuple[str, ...] = ()

    @property
    def registered(self) -> tuple[str, ...]:
        """All addresses that are registered for it."""
        return (*self.redirect_uris, *self.redirect_prefixes)

    def may_redirect_to(self, uri: str) -> bool:
        """Whether an answer may go there: to a registered URI to the letter, or below a registered prefix."""
        return uri in self.redirect_uris or any(is_below(prefix, uri) for prefix in self.redirect_prefixes)


class Wish(Struct, frozen=True):
    """What a client asks a user for: where the answer goes, of which type, and what proves who may exchange it.

    `names_redirect` tells whether the request named the redirect URI: the exchange must name it too then.
    """

    redirect_uri: str
    names_redirect: bool
    state: str | None
    response_type: ResponseType = ResponseType.CODE
    challenge: str | None = None


def check_redirect_uri(uri: str) -> None:
    """Whether a client may have answers sent there: http, https, or the scheme of a program on a device.

    Raises:
        ValidationFailed: it may not.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in DEFAULT_PORTS:
        is_usable = to_base_url(parts.scheme, parts.netloc) is not None
    else:
        is_usable = APP_SCHEME.fullmatch(parts.scheme) is not None and len(uri) > len(parts.scheme) + 1
    if not is_usable or URI_CHARACTERS.fullmatch(uri) is None or len(uri) > REDIRECT_URI_CHARACTERS:
        rule = "Must be an absolute http or https URL, or of a scheme such as com.example.app, without a fragment."
        raise ValidationFailed(Failure("redirect-uri", rule, uri))


def choose_redirect_uri(client: Client, asked: str | None) -> str | None:
    """Where the answer to a client goes: where it asks for, or to the only registered address; None if to neither."""
    if asked is None:
        return client.registered[0] if len(client.registered) == 1 else None
    return asked if client.may_redirect_to(asked) else None


def read_wish(parameters: Mapping[str, str], redirect_uri: str) -> Wish:
    """What a client asks for, its redirect URI being known as one of its own.

    Raises:
        OAuthRefused: something in it is wrong.
    """
    try:
        response_type = ResponseType(parameters.get("response_type", ""))
    except ValueError:
        fault = OAuthFault.UNSUPPORTED_RESPONSE_TYPE if "response_type" in parameters else OAuthFault.INVALID_REQUEST
        raise OAuthRefused(fault, "response_type must be code or token.") from None
    check_scope(parameters.get("scope", ""))
    challenge = parameters.get("code_challenge")
    if challenge is not None and parameters.get("code_challenge_method") != "S256":
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "code_challenge_method must be S256.")
    if challenge is not None and CHALLENGE.fullmatch(challenge) is None:
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "code_challenge must be a SHA-256 in base64url.")
    names_redirect = "redirect_uri" in parameters
    return Wish(redirect_uri, names_redirect, parameters.get("state"), response_type, challenge)


def check_scope(scope: str) -> None:
    """Whether a scope is the one there is, or left out.

    Raises:
        OAuthRefused: it is another.
    """
    if not set(scope.lower().split()) <= {SCOPE}:
        raise OAuthRefused(OAuthFault.INVALID_SCOPE, f"scope must be {SCOPE}, or left out.")


def to_challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def add_to_query(uri: str, parameters: Mapping[str, str]) -> str:
    """A redirect URI with more parameters; those it has stay as they are."""
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
    return urlunsplit(parts._replace(query=query))


def add_fragment(uri: str, parameters: Mapping[str, str]) -> str:
    """A redirect URI with parameters that its server does not get to see."""
    return f"{uri}#{urlencode(parameters)}"
