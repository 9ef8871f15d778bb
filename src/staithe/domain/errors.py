"""Every error a request can end in. No HTTP numbers here: `staithe.http.errors` maps them, once.

StaitheError
└── RequestError            the request is refused; nothing was changed
    ├── ValidationFailed    a property or parameter is wrong          (failures)
    │   ├── ParseFailed     the body is not what it says it is        (where)
    │   └── NotUnique       a value that must be unique is taken
    ├── NotAuthenticated    no login, or a wrong one
    │   └── InvalidToken    an access token that is unknown or has ended
    ├── NotAllowed          the login's role lacks the right
    ├── NotFound            there is no such thing, nor was there
    │   └── MalformedId     nothing can have the id in the path           (name, text)
    ├── Gone                it existed, and was deleted or expired
    ├── Conflict            it is in use right now, or was said otherwise before
    ├── InUse               something else names it, so it cannot be deleted
    ├── TooLarge            the request is over a size limit
    ├── StorageFull         the company's staging quota has no room
    ├── StoreUnusable       a store is missing, or not of this version  (place)
    ├── Damaged             what the disk has is not what was written
    └── Busy                not now: try again                        (retry_after_seconds)
        ├── OutcomeUnknown  nobody knows whether it was done
        ├── TooManyRequests the company has had its share for now
        ├── QueryTooLong    it takes more time than it may have
        └── StagingUnavailable  the object store of staged files fails
"""

from __future__ import annotations

from msgspec import Struct


class Failure(Struct, frozen=True):
    """One wrong property: its name, what was sent (None if nothing was), and a sentence starting with "Must".

    `requirement` is the name the Application API has for the rule that was broken.
    Source: Eloqua's 400 body, product notice 20D.
    """

    field: str
    constraint: str
    value: object = None
    requirement: str = ""


class StaitheError(Exception):
    """The root of Staithe's own errors."""


class RequestError(StaitheError):
    """A request that is refused. `message` says what is wrong, `advice` what to do about it."""

    def __init__(self, message: str, advice: str = "", **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.details = details


class ValidationFailed(RequestError):
    """One or more properties are wrong."""

    def __init__(self, *failures: Failure) -> None:
        super().__init__("; ".join(f"{f.field}: {f.constraint}" for f in failures))
        self.failures = failures


class ParseFailed(ValidationFailed):
    """The body cannot be read: `constraint` names the byte offset or the record."""

    def __init__(self, constraint: str, value: object = None) -> None:
        super().__init__(Failure("body", constraint, value))


class NotUnique(ValidationFailed):
    """A value that must be unique belongs to something else."""


class NotAuthenticated(RequestError):
    """No login was sent, or it is wrong."""


class InvalidToken(NotAuthenticated):
    """The access token is unknown, has expired, or was ended."""


class NotAllowed(RequestError):
    """The login is right, but its role lacks the right."""


class NotFound(RequestError):
    """There is no such thing and never was."""


class MalformedId(NotFound):
    """The id in a path is none that anything could have."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"There is nothing with the id {text}.", "Ids are whole numbers from 1 up.")
        self.name = name
        self.text = text


class Gone(RequestError):
    """It existed, and was deleted or has expired."""


class Conflict(RequestError):
    """The present state forbids it; the same request may work later."""


class InUse(RequestError):
    """It cannot be deleted while something names it."""


class TooLarge(RequestError):
    """The request is over a size limit."""


class StorageFull(RequestError):
    """The company's staging quota has no room for it."""


class StoreUnusable(RequestError):
    """A store is missing, or not of this version. Nothing was changed, and to try again does not help.

    `place` says where it is, for operators: it is not in the message if clients may get that.
    """

    def __init__(self, message: str, advice: str, place: str) -> None:
        super().__init__(message, advice)
        self.place = place


class Damaged(RequestError):
    """What was stored is not as it was written: the disk, or somebody, has changed it."""

    def __init__(
        self, message: str, advice: str = "Tell the operator: staithe doctor --deep finds all that is damaged."
    ) -> None:
        super().__init__(message, advice)


class Busy(RequestError):
    """Not now. Nothing was stored; the same request may be sent again."""

    def __init__(self, message: str, advice: str = "", *, retry_after_seconds: int = 1) -> None:
        super().__init__(message, advice, retryAfterSeconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(Busy):
    """The database was lost while it committed: what was asked for may be done, or not.

    So what a commit would have named, such as a staged file, must not be removed.
    """


class TooManyRequests(Busy):
    """The company is over a limit of its own, so that others have their share."""


class QueryTooLong(Busy):
    """What was asked of the store takes longer than it may; nothing was changed."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message, advice, retry_after_seconds=60)


class StagingUnavailable(Busy):
    """The object store that has the staged files fails, or does not answer in time."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message, advice, retry_after_seconds=5)
