"""Grants and their tokens: given for a consent or a password, exchanged, verified, removed when their time is over.

Codes and refresh tokens are good for one use. A second use means that somebody else has a copy, so everything that the
grant gave ends with it. But the answer to a refresh may get lost: for a minute the same refresh token gets the same
answer. A grant is bound to the password of its user: setting that anew ends it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from staithe.domain.companies import User
from staithe.domain.errors import InvalidToken, NotAuthenticated
from staithe.domain.limits import AUTHORIZATION_CODE_LIFE, REFRESH_AGAIN, REFRESH_TOKEN_LIFE, SECOND
from staithe.domain.oauth import Client, OAuthFault, OAuthRefused, Problem, TokenKind, Wish, to_challenge
from staithe.services.accounts import Proof, mark_password, prove
from staithe.services.guesses import Attempt, Guesses
from staithe.services.stores import Stores
from staithe.storage import oauth
from staithe.storage.database import Connection
from staithe.storage.oauth import Held, NewGrant

MakeSecret = Callable[[TokenKind], str]

SECRET_BYTES: Final = 32
REMOVED_AT_ONCE: Final = 500

PROBLEMS: Final[Mapping[Problem, str]] = {
    Problem.CODE_USED: "The code was used before: what it gave has ended.",
    Problem.REFRESH_TOKEN_USED: "The refresh token was used before: all tokens of its login have ended.",
    Problem.CODE_WRONG: "The code is unknown, expired, or was given to another client.",
    Problem.REFRESH_TOKEN_WRONG: "The refresh token is unknown, expired, or was given to another client.",
    Problem.CODE_REDIRECT: "redirect_uri is not the one that the code was asked for with.",
    Problem.CODE_VERIFIER: "code_verifier does not fit the code_challenge that the code was asked for with.",
    Problem.LOGIN: "The user name or the password is wrong; the name has the form company\\user.",
    Problem.TOKEN_OF_ANOTHER: "The token was given to another client.",
}
"""What is wrong with a code, a token or a login, in words."""

RENEW_ADVICE: Final = "Get another with the refresh token, or by logging in again."


class Issued(Struct, frozen=True):
    """What a client gets; its access token ends after so many seconds."""

    access: str
    expires_in_seconds: int
    refresh: str | None = None


class Exchange(Struct, frozen=True):
    """What a client sends for a code."""

    code: str
    redirect_uri: str | None
    verifier: str | None


def hash_secret(secret: str) -> bytes:
    """What is stored of a token, a code or a client's secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


class Tokens:
    """Gives and verifies tokens.

    Args:
        stores: of the data directory.
        guesses: who may have a password hashed.
        access_life_seconds: how long an access token is good for.
    """

    def __init__(self, stores: Stores, guesses: Guesses, access_life_seconds: int) -> None:
        self.stores = stores
        self.guesses = guesses
        self.access_life_seconds = access_life_seconds

    def verify(self, token: str, now: int) -> tuple[User, int]:
        """The user for whom an access token was given, as the user is now, and when the token expires.

        Raises:
            InvalidToken: it is unknown or expired, or the user's password was set anew.
        """
        with self.stores.control.read() as connection:
            held = oauth.find_token(connection, hash_secret(token), TokenKind.ACCESS)
        if held is None or not is_good(held, now):
            raise InvalidToken("The access token is unknown or has expired.", RENEW_ADVICE)
        return held.user, held.expires_at

    def grant_code(self, client: Client, proof: Proof, wish: Wish, now: int) -> str:
        """A code for a user's consent, to be exchanged within a minute.

        Raises:
            OAuthRefused: the client is gone.
        """
        redirect_uri = wish.redirect_uri if wish.names_redirect else None
        grant = NewGrant(client.id, proof.user.id, proof.mark, redirect_uri, wish.challenge)
        with self.stores.control.write() as connection:
            grant_id = add_grant(connection, client, grant, now)
            code = random_secret(TokenKind.CODE)
            oauth.add_token(connection, hash_secret(code), TokenKind.CODE, grant_id, now + AUTHORIZATION_CODE_LIFE)
            return code

    def grant_access(self, client: Client, proof: Proof, now: int, *, may_refresh: bool) -> Issued:
        """Tokens for a user's consent or password.

        Raises:
            OAuthRefused: the client is gone.
        """
        with self.stores.control.write() as connection:
            grant_id = add_grant(connection, client, NewGrant(client.id, proof.user.id, proof.mark), now)
            return self.issue(connection, grant_id, now, may_refresh=may_refresh, make=random_secret)

    def log_in(self, client: Client, attempt: Attempt, now: int) -> Issued:
        """Tokens for a user's password.

        Raises:
            OAuthRefused: the login is wrong, or of another company than the client's.
        """
        return self.grant_access(client, self.prove_for(client, attempt), now, may_refresh=True)

    def prove_for(self, client: Client, attempt: Attempt) -> Proof:
        """The user who logs in, who must be of the client's company.

        Raises:
            OAuthRefused: the login is wrong, or of another company.
            Busy: it is not verified now.
        """
        try:
            proof = prove(self.stores, self.guesses, attempt)
        except NotAuthenticated:
            raise not_granted(Problem.LOGIN) from None
        if proof.user.company != client.company:
            raise not_granted(Problem.LOGIN)
        return proof

    def exchange(self, client: Client, sent: Exchange, now: int) -> Issued:
        """Tokens for a code.

        Raises:
            OAuthRefused: the code is not good, or was not asked for like this.
        """

        def check(held: Held) -> Problem | None:
            usable = (None, *client.registered) if held.redirect_uri is None else (held.redirect_uri,)
            if sent.redirect_uri not in usable:
                return Problem.CODE_REDIRECT
            given = None if sent.verifier is None else to_challenge(sent.verifier)
            return None if given == held.challenge else Problem.CODE_VERIFIER

        return self.use(client, TokenKind.CODE, sent.code, now, check)

    def refresh(self, client: Client, token: str, now: int) -> Issued:
        """New tokens for a refresh token, which is used up by it; the same ones again for a minute.

        Raises:
            OAuthRefused: the refresh token is not good.
        """
        return self.use(client, TokenKind.REFRESH, token, now, lambda _: None)

    def use(
        self, client: Client, kind: TokenKind, secret: str, now: int, check: Callable[[Held], Problem | None]
    ) -> Issued:
        """Use a code or a refresh token up; `check` says what else is wrong with the request, or None."""
        token_hash = hash_secret(secret)
        with self.stores.control.write() as connection:
            held = oauth.find_token(connection, token_hash, kind)
            if held is None or held.client_id != client.id or not (held.used_at is not None or is_good(held, now)):
                problem = Problem.CODE_WRONG if kind is TokenKind.CODE else Problem.REFRESH_TOKEN_WRONG
            elif held.used_at is not None:
                if (again := issued_again(connection, held, secret, now)) is not None:
                    return again
                oauth.delete_grant(connection, held.grant_id)
                problem = Problem.CODE_USED if kind is TokenKind.CODE else Problem.REFRESH_TOKEN_USED
            else:
                problem = check(held)
                if problem is None:
                    # A code stands in addresses, which are logged: nothing is made from it.
                    salt = secrets.token_bytes(SECRET_BYTES) if kind is TokenKind.REFRESH else None
                    oauth.use_token(connection, token_hash, now, now + REFRESH_TOKEN_LIFE, salt)
                    oauth.forget_salts(connection, held.grant_id, now - REFRESH_AGAIN)
                    make = random_secret if salt is None else partial(derived_secret, secret, salt)
                    return self.issue(connection, held.grant_id, now, may_refresh=True, make=make)
        raise not_granted(problem)

    def revoke(self, client: Client, token: str) -> None:
        """End what a token names (RFC 7009): an access token alone; of a refresh token all that its login was given.

        Raises:
            OAuthRefused: the token was given to another client.
        """
        token_hash = hash_secret(token)
        with self.stores.control.write() as connection:
            for kind in (TokenKind.REFRESH, TokenKind.ACCESS):
                held = oauth.find_token(connection, token_hash, kind)
                if held is None:
                    continue
                if held.client_id != client.id:
                    raise not_granted(Problem.TOKEN_OF_ANOTHER)
                if kind is TokenKind.REFRESH:
                    oauth.delete_grant(connection, held.grant_id)
                else:
                    oauth.delete_tokens(connection, [token_hash])

    def issue(self, connection: Connection, grant_id: int, now: int, *, may_refresh: bool, make: MakeSecret) -> Issued:
        access, refresh = make(TokenKind.ACCESS), make(TokenKind.REFRESH) if may_refresh else None
        ends_at = now + self.access_life_seconds * SECOND
        oauth.add_token(connection, hash_secret(access), TokenKind.ACCESS, grant_id, ends_at)
        if refresh is not None:
            oauth.add_token(connection, hash_secret(refresh), TokenKind.REFRESH, grant_id, now + REFRESH_TOKEN_LIFE)
        return Issued(access, self.access_life_seconds, refresh)


def not_granted(problem: Problem) -> OAuthRefused:
    """Why nothing is given."""
    return OAuthRefused(OAuthFault.INVALID_GRANT, PROBLEMS[problem], problem)


def issued_again(connection: Connection, held: Held, secret: str, now: int) -> Issued | None:
    """What a refresh token got when it was used, with the rest of its time; None if it may not have it again."""
    if held.used_at is None or held.salt is None or now - held.used_at > REFRESH_AGAIN or not is_good(held, now):
        return None
    access, refresh = (derived_secret(secret, held.salt, kind) for kind in (TokenKind.ACCESS, TokenKind.REFRESH))
    successor = oauth.find_token(connection, hash_secret(access), TokenKind.ACCESS)
    # An access token may be good for less than a minute; the refresh token is what must not be lost.
    ends_at = now if successor is None else max(now, successor.expires_at)
    return Issued(access, (ends_at - now) // SECOND, refresh)


def random_secret(_kind: TokenKind) -> str:
    """A secret that nothing makes again."""
    return secrets.token_urlsafe(SECRET_BYTES)


def derived_secret(secret: str, salt: bytes, kind: TokenKind) -> str:
    """A secret that who has another one, and the salt that is stored, makes again: the store alone has it not."""
    digest = hmac.digest(secret.encode("utf-8", "replace"), salt + kind.value.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_good(held: Held, now: int) -> bool:
    """Whether a token's time is not over, nor its user's password another than when the grant was made."""
    return held.expires_at > now and hmac.compare_digest(held.user_mark, mark_password(held.password_hash))


def add_grant(connection: Connection, client: Client, grant: NewGrant, now: int) -> int:
    if not oauth.has_client(connection, client):
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, "The client was deleted.")
    return oauth.add_grant(connection, grant, now)


def remove_expired(stores: Stores, now: int) -> int:
    """Remove tokens whose time is over, and grants that have none left; gives how many tokens."""
    removed = 0
    while True:
        # Looked for first: with nothing to remove there is no commit, which would wake every worker.
        with stores.control.read() as connection:
            expired = oauth.expired_tokens(connection, now, REMOVED_AT_ONCE)
        if not expired:
            return removed
        with stores.control.write() as connection:
            oauth.delete_tokens(connection, expired)
        removed += len(expired)
