"""Who may have a password hashed now: few at once, and ever more slowly who has sent wrong ones.

Everything is in the memory of one process, and bounded: each HTTP process counts by itself. A login that is known
(`staithe.services.known_logins`) is not asked for here, so others who guess do not slow it down.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final, Generic, TypeVar

from msgspec import Struct

from staithe.domain.errors import Busy, NotAuthenticated, TooManyRequests

LOGIN_ADVICE: Final = "Send HTTP Basic credentials (company\\user, a colon, the password) or a Bearer token."
HASHES_AT_ONCE: Final = 2
"""Each takes 64 MB for some 50 ms, by the recommended parameters of argon2."""

HASHES_WAITING: Final = 8
WAIT_SECONDS: Final = 5.0
FREE_GUESSES: Final = 10
"""Different wrong passwords for one user, or from one address for one user, before anybody has to wait."""

FREE_GUESSES_OF_ADDRESS: Final = 30
LONGEST_WAIT_SECONDS: Final = 60.0
FORGET_SECONDS: Final = 900.0
MOST_REMEMBERED: Final = 10_000
"""Of each kind: of more, those that were not heard of for longest are forgotten."""

SUBNET_BITS: Final = 64
"""Of an IPv6 address: one household or one server has all addresses below."""


class Attempt(Struct, frozen=True):
    """Somebody who sends a password: from which address (empty if that says nothing), for whom, and which.

    `is_known` tells that exactly this was right before.
    """

    login: str
    password: str
    address: str = ""
    is_known: bool = False


class Count(Struct):
    """Wrong passwords, when the last came, and until when no other is tried (`time.monotonic`)."""

    guesses: int = 0
    last_at: float = 0.0
    ends_at: float = 0.0


Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The newest things by a key."""

    def __init__(self) -> None:
        self.items: OrderedDict[bytes, Value] = OrderedDict()

    def get(self, key: bytes) -> Value | None:
        """What is remembered."""
        return self.items.get(key)

    def put(self, key: bytes, value: Value) -> None:
        """Remember something."""
        self.items[key] = value
        self.items.move_to_end(key)
        if len(self.items) > MOST_REMEMBERED:
            self.items.popitem(last=False)


class Queue:
    """Lets few at once, and few wait."""

    def __init__(self, at_once: int) -> None:
        self.room = threading.Semaphore(at_once)
        self.lock = threading.Lock()
        self.waiting = 0

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for one's turn, which is the block.

        Raises:
            Busy: too many wait already, or it takes too long.
        """
        with self.lock:
            is_full = self.waiting >= HASHES_WAITING
            self.waiting += not is_full
        if is_full:
            raise busy()
        try:
            has_turn = self.room.acquire(timeout=WAIT_SECONDS)
        finally:
            with self.lock:
                self.waiting -= 1
        if not has_turn:
            raise busy()
        try:
            yield
        finally:
            self.room.release()


def wrong_login() -> NotAuthenticated:
    """The same for all that is wrong with one."""
    return NotAuthenticated("The login is wrong.", LOGIN_ADVICE)


def busy() -> Busy:
    return Busy("The server is verifying as many passwords as it does at once.", "Send it again.")


class Guesses:
    """Wrong passwords of a process, and the queue of those to verify. Threads share it."""

    def __init__(self) -> None:
        self.on_wrong: Callable[[Attempt], None] = lambda _: None
        """Told of each wrong password that was hashed."""
        self.on_slowed: Callable[[Attempt, int], None] = lambda *_: None
        """Told of each that was not, and how many seconds whoever sent it has to wait."""
        self.key = secrets.token_bytes(32)
        self.lock = threading.Lock()
        self.strangers, self.known = Queue(HASHES_AT_ONCE), Queue(1)
        self.counts: Remembered[Count] = Remembered()
        self.wrong: Remembered[bool] = Remembered()
        self.trusted: Remembered[bool] = Remembered()
        """Users and the addresses from which they have logged in."""

    def hash(self, *parts: str | bytes) -> bytes:
        hashed = hashlib.blake2b(key=self.key, digest_size=32)
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            hashed.update(b"%d:" % len(data) + data)
        return hashed.digest()

    @contextmanager
    def verifying(self, attempt: Attempt, mark: bytes) -> Generator[None]:
        """Verify a password within the block, which raises `NotAuthenticated` if it is wrong.

        Args:
            attempt: who sends what.
            mark: of the user's password as it is stored; empty for a user that does not exist.

        Raises:
            NotAuthenticated: it is known to be wrong. Nothing new is guessed by it, so it does not count again: a
                program that has an old password does not slow down those beside it.
            TooManyRequests: too many others were wrong before.
            Busy: too many are being verified.
        """
        login = attempt.login.casefold()
        sent = self.hash(b"wrong", login, attempt.password, mark)
        pair, user = self.hash(b"pair", login, attempt.address), self.hash(b"user", login)
        address = self.hash(b"address", network_of(attempt.address))
        with self.lock:
            if self.wrong.get(sent):
                raise wrong_login()
            if not attempt.is_known:
                self.refuse_hasty(attempt, (pair,) if self.trusted.get(pair) else (user, address))
        try:
            with (self.known if attempt.is_known else self.strangers).turn():
                yield
        except NotAuthenticated:
            with self.lock:
                self.wrong.put(sent, True)
                self.count(pair, FREE_GUESSES)
                self.count(user, FREE_GUESSES)
                if attempt.address:
                    self.count(address, FREE_GUESSES_OF_ADDRESS)
            self.on_wrong(attempt)
            raise
        with self.lock:
            self.trusted.put(pair, True)

    def refuse_hasty(self, attempt: Attempt, keys: tuple[bytes, ...]) -> None:
        now = time.monotonic()
        wait = max((count.ends_at - now for key in keys if (count := self.counts.get(key))), default=0.0)
        if wait <= 0:
            return
        seconds = int(wait) + 1
        self.on_slowed(attempt, seconds)
        raise TooManyRequests(
            "Too many passwords were wrong.", "Wait, then send the right one.", retry_after_seconds=seconds
        )

    def count(self, key: bytes, free: int) -> None:
        now = time.monotonic()
        count = self.counts.get(key)
        if count is None or now - count.last_at > FORGET_SECONDS:
            count = Count()
        count.guesses += 1
        count.last_at = now
        if count.guesses >= free:
            count.ends_at = now + min(2.0 ** min(count.guesses - free, 16), LONGEST_WAIT_SECONDS)
        self.counts.put(key, count)


def network_of(address: str) -> str:
    """What one client surely has: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(int(parsed) >> SUBNET_BITS)
