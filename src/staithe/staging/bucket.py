"""Objects under a prefix of an S3 bucket, through pyarrow: put whole or not at all, in bounded time.

pyarrow's output stream finishes an upload whenever it is closed or forgotten, also when writing to it has failed. Two
ways of using it are safe, because a failure stays with the stream and it then finishes nothing:

- an object below the size of a part is sent in one request, when the stream is closed;
- a larger one is begun before anything is written, and its parts are sent by pyarrow's own threads.

They are not safe the other way round: see docs/decisions/0011-staged-files-in-an-object-store.md.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from staithe.domain.errors import Failure, StagingUnavailable, ValidationFailed
from staithe.domain.pauses import Pauses

LOGGER: Final = logging.getLogger(__name__)
SCHEME: Final = "s3://"
PARAMETERS: Final = ("endpoint_override", "region", "scheme", "tls_ca_file_path")
VARIABLES: Final = {
    "endpoint_override": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""Options that the environment may give; of several variables the first that is set. The SDK reads the credentials."""

CONNECT_SECONDS: Final = 3.0
ATTEMPTS: Final = 3
"""The SDK notices after 3 to 10 seconds that nothing comes or goes, so three attempts take half a minute."""

ONE_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""Up to this an object is sent in one request: pyarrow does so below 5 MiB, the least size of a part in S3."""
PART_BYTES: Final = 10 * 1024 * 1024
"""The size of pyarrow's parts. One is in memory at a time."""
READ_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """Where objects are: `root` is the bucket and the prefix, `options` those of pyarrow's `S3FileSystem`."""

    root: str
    options: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        return f"{SCHEME}{self.root}"


def read_bucket_address(text: str) -> BucketAddress:
    """Read `s3://bucket/prefix?region=...`; nothing is asked of the network.

    Raises:
        ValidationFailed: it is no such address.
    """
    try:
        parts = urlsplit(text)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise refusal(text, "Must be s3://BUCKET/PREFIX, perhaps with ?NAME=VALUE&... behind it.") from None
    bucket = parts.netloc.rpartition("@")[2]
    if f"{parts.scheme}://" != SCHEME or not bucket or ":" in bucket or parts.fragment:
        raise refusal(text, "Must be s3://BUCKET/PREFIX, perhaps with ?NAME=VALUE&... behind it.")
    unknown = [name for name in parameters if name not in PARAMETERS]
    if unknown:
        raise refusal(text, f"Must have no parameter {unknown[0]}: it takes {', '.join(PARAMETERS)}.")
    options = {**options_of_environment(), **parameters}
    if parts.username and parts.password:
        options |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password)}
    root = "/".join((bucket, *(piece for piece in unquote(parts.path).split("/") if piece)))
    return BucketAddress(root, split_endpoint(options))


def without_keys(text: str) -> str:
    """An address without the keys that may stand in it: the bucket in one spelling, as `BucketAddress` has it."""
    query = urlsplit(text).query
    return f"{read_bucket_address(text)}{'?' if query else ''}{query}"


def refusal(text: str, rule: str) -> ValidationFailed:
    """What is wrong with an address; a secret key in it is not repeated."""
    return ValidationFailed(Failure("--staging", rule, text.rpartition("@")[2]))


def options_of_environment() -> dict[str, str]:
    """What the usual variables say and pyarrow does not read by itself."""
    found: dict[str, str] = {}
    for option, variables in VARIABLES.items():
        values = [os.environ[name] for name in variables if os.environ.get(name)]
        if values:
            found[option] = values[0]
    return found


def split_endpoint(options: dict[str, str]) -> dict[str, str]:
    """An endpoint may be written as a URL; pyarrow wants its scheme apart."""
    scheme, separator, host = options.get("endpoint_override", "").partition("://")
    if separator:
        options = {"scheme": scheme, **options, "endpoint_override": host.rstrip("/")}
    return options


@contextlib.contextmanager
def reaching(what: str) -> Generator[None]:
    """Turn whatever goes wrong between us and the object store into our own error.

    Raises:
        FileNotFoundError: there is no such object.
        StagingUnavailable: anything else went wrong.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        LOGGER.warning("the object store fails: %s: %s", what, error)
        raise StagingUnavailable("The staging area cannot be reached.", "Send the request again.") from error


class Bucket:
    """The objects under an address. A path is relative to it. Nothing is asked of the network before the first call."""

    def __init__(self, address: BucketAddress, pauses: Pauses) -> None:
        self.address = address
        self.pauses = pauses

    def open_file_system(self, *, is_hasty: bool = False, **options: Any) -> Any:
        """A file system of pyarrow with our limits."""
        seconds = self.pauses.hasty_seconds if is_hasty else self.pauses.silent_seconds
        return fs.S3FileSystem(
            connect_timeout=min(seconds, CONNECT_SECONDS),
            request_timeout=seconds,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1 if is_hasty else ATTEMPTS),
            **self.address.options,
            **options,
        )

    @cached_property
    def one_request(self) -> Any:
        """Writes objects in one request each, in the thread that asks for it."""
        return self.open_file_system(allow_delayed_open=True, background_writes=False)

    @cached_property
    def in_parts(self) -> Any:
        """Writes objects in parts; also used for everything that only reads."""
        return self.open_file_system(allow_delayed_open=False, background_writes=True)

    @cached_property
    def hasty(self) -> Any:
        """For what may fail."""
        return self.open_file_system(is_hasty=True)

    def full_path(self, path: str) -> str:
        """Bucket and key."""
        return f"{self.address.root}/{path}" if path else self.address.root

    def put(self, path: str, file: BinaryIO) -> int:
        """Make an object of all of a file, and give its size in bytes: it is there, whole and durable, or not at all.

        Raises:
            StagingUnavailable: nobody can say whether it is there; it is, only if the answer was lost.
        """
        file.flush()
        size = os.fstat(file.fileno()).st_size
        with reaching(f"put {path}"):
            if size <= ONE_REQUEST_BYTES:
                file.seek(0)
                self.put_at_once(path, file.read())
            else:
                self.put_in_parts(path, file)
        return size

    def put_at_once(self, path: str, data: bytes) -> None:
        stream = self.one_request.open_output_stream(self.full_path(path))
        stream.write(data)
        stream.close()

    def put_in_parts(self, path: str, file: BinaryIO) -> None:
        stream = self.in_parts.open_output_stream(self.full_path(path))
        file.seek(0)
        try:
            while piece := file.read(PART_BYTES):
                stream.write(piece)
                stream.flush()
            stream.close()
        except BaseException:
            # The store's own failure stays with the stream, which then finishes nothing. After any other, it does so
            # now, not when it is forgotten some day: then who called can delete it.
            with contextlib.suppress(OSError):
                stream.close()
            raise

    def open(self, path: str) -> ObjectReader:
        """Open an object to read some of it.

        Raises:
            FileNotFoundError: there is none.
            StagingUnavailable: the object store fails.
        """
        with reaching(f"read {path}"):
            return ObjectReader(path, self.in_parts.open_input_file(self.full_path(path)))

    def copy_to(self, path: str, file: BinaryIO) -> None:
        """Copy all of an object to a file.

        Raises:
            FileNotFoundError: there is none.
            StagingUnavailable: the object store fails.
        """
        with contextlib.closing(self.open(path)) as source:
            copied = 0
            while copied < source.size:
                piece = source.read(min(READ_BYTES, source.size - copied))
                file.write(piece)
                copied += len(piece)
        file.flush()

    def delete(self, path: str) -> None:
        """Delete an object, in haste; one that is gone already is no error.

        Raises:
            StagingUnavailable: the object store fails.
        """
        with contextlib.suppress(FileNotFoundError), reaching(f"delete {path}"):
            self.hasty.delete_file(self.full_path(path))

    def ages(self, path: str) -> dict[str, float]:
        """The names of the objects in a folder, and the seconds since each was written.

        Raises:
            StagingUnavailable: the object store fails.
        """
        with reaching(f"list {path}"):
            found = self.in_parts.get_file_info(fs.FileSelector(self.full_path(path), allow_not_found=True))
        now = time.time()
        return {entry.base_name: now - entry.mtime_ns / 1e9 for entry in found if entry.is_file}


class ObjectReader(io.RawIOBase):
    """An object as a file that Python reads, whose failures are our own errors."""

    def __init__(self, path: str, source: pa.NativeFile) -> None:
        super().__init__()
        self.path = path
        self.source = source
        self.size: int = source.size()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read some bytes; fewer only at the end.

        Raises:
            FileNotFoundError: the object was deleted meanwhile.
            StagingUnavailable: the object store fails, or gives fewer bytes than there are.
        """
        place = self.source.tell()
        wanted = self.size - place if size < 0 else min(size, self.size - place)
        with reaching(f"read {self.path}"):
            data: bytes = self.source.read(wanted) if wanted > 0 else b""
            if len(data) < wanted:
                raise OSError(f"{len(data)} of {wanted} bytes came")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place."""
        self.source.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """The place it is at."""
        return int(self.source.tell())

    def close(self) -> None:
        """Close it."""
        self.source.close()
        super().close()
