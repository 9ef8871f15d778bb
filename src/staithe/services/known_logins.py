"""The logins of an HTTP process: verified once, and anew when the control store has changed."""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import cached_property
from typing import Final

import msgspec
from msgspec import Struct

from staithe.domain.companies import User
from staithe.domain.company_limits import CompanyLimits
from staithe.services import accounts, company_limits
from staithe.services.guesses import Attempt, Guesses
from staithe.services.stores import CompanyStore, Stores
from staithe.services.tokens import Tokens
from staithe.storage.databases import Watch

REMEMBER_SECONDS: Final = 300
"""How long a password is not hashed anew, which is slow on purpose, unless it is another."""

MOST_REMEMBERED: Final = 10_000


class Login(Struct, frozen=True):
    """A verified login, as the control store had it in a version.

    `mark` stands for the password, until `mark_ends_at` of `time.monotonic`; it is empty for a token, which is good
    until `expires_at`.
    """

    user: User
    store: CompanyStore
    limits: CompanyLimits
    version: int
    mark: bytes = b""
    mark_ends_at: float = float("inf")
    expires_at: int | None = None


class KnownLogins:
    """Remembers logins by what clients send, of which it keeps a keyed hash alone.

    One thread uses it, that of the event loop, but for `verify_password` and `verify_token`, which are slow.

    Args:
        stores: of the server.
        tokens: which verify theirs.
        guesses: who may have a password hashed.
        defaults: the limits of companies that have none of their own.
    """

    def __init__(self, stores: Stores, tokens: Tokens, guesses: Guesses, defaults: CompanyLimits) -> None:
        self.guesses = guesses
        self.stores = stores
        self.tokens = tokens
        self.defaults = defaults
        self.key = secrets.token_bytes(32)
        self.known: dict[bytes, Login] = {}
        self.looked_up_in = -1

    @cached_property
    def watch(self) -> Watch:
        """Of the control store, begun by the thread that asks it."""
        return self.stores.watch_control()

    def version(self) -> int:
        """That of the control store. Who verifies a login has asked for it before."""
        return self.watch.version()

    def find(self, sent: str, now: int) -> Login | None:
        """A login that is good at a time, without verifying it; None if that has to be done."""
        known = self.known.get(self.hash(sent))
        if known is None or known.version != self.watch.version() or known.mark_ends_at < time.monotonic():
            return None
        return known if known.expires_at is None or known.expires_at > now else None

    def last(self, sent: str) -> Login | None:
        """The login as it was when it was last verified, however long ago."""
        return self.known.get(self.hash(sent))

    def remember(self, sent: str, login: Login) -> None:
        """Remember a login that was verified; of too many the oldest is forgotten."""
        key = self.hash(sent)
        self.known.pop(key, None)
        if len(self.known) >= MOST_REMEMBERED:
            del self.known[next(iter(self.known))]
        self.known[key] = login

    def hash(self, sent: str) -> bytes:
        return hashlib.blake2b(sent.encode(), key=self.key, digest_size=32).digest()

    def verify_password(self, attempt: Attempt, version: int, last: Login | None) -> Login:
        """The login of `company\\user` with a password, which is not hashed if the last time it was the same.

        Raises:
            NotAuthenticated: there is no such user, or the password is another.
            Busy: it is not verified now.
        """
        is_fresh = last is not None and time.monotonic() < last.mark_ends_at
        mark = last.mark if last is not None and is_fresh else b""
        known = msgspec.structs.replace(attempt, is_known=last is not None)
        proof = accounts.prove(self.stores, self.guesses, known, mark)
        ends_at = last.mark_ends_at if last is not None and proof.mark == mark else time.monotonic() + REMEMBER_SECONDS
        store, limits = self.look_up(proof.user, version)
        return Login(proof.user, store, limits, version, proof.mark, ends_at)

    def verify_token(self, token: str, version: int, now: int) -> Login:
        """The login by an access token.

        Raises:
            InvalidToken: it is unknown or expired, or the user's password was set anew.
        """
        user, expires_at = self.tokens.verify(token, now)
        store, limits = self.look_up(user, version)
        return Login(user, store, limits, version, expires_at=expires_at)

    def look_up(self, user: User, version: int) -> tuple[CompanyStore, CompanyLimits]:
        if version != self.looked_up_in:
            # Once for each version: what a deleted company had open would keep its room on the disk.
            self.looked_up_in = version
            self.stores.close_deleted()
        own = company_limits.read_own(self.stores, user.company)
        return self.stores.open(user.company), own.over(self.defaults)
