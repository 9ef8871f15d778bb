"""Makes the bodies of uploads: random, but the same in every benchmark, and different in every run."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

compute: Any = pc
Ids = npt.NDArray[np.int64]

UNKNOWN_PER_RECORD: Final = 0.01
RECORD_FRAME_BYTES: Final = len('{"Id":""},')


class Body(Struct, frozen=True):
    """An upload, and what must come of it: the contacts on the list, and the rejects."""

    content: bytes
    content_type: str
    known: int
    rejected: int


def draw_ids(seed: tuple[int, ...], contacts: int, count: int) -> tuple[Ids, int]:
    """Distinct ids in random order, and how many of them no contact of 1 to `contacts` has: 1 %."""
    random = np.random.default_rng(seed)
    unknown = round(count * UNKNOWN_PER_RECORD)
    known = random.choice(contacts, count - unknown, replace=False) + 1
    ids = np.concatenate([known, np.arange(contacts + 1, contacts + unknown + 1)])
    random.shuffle(ids)
    return ids, unknown


def json_of_ids(seed: tuple[int, ...], contacts: int, count: int) -> Body:
    """Contact ids as JSON texts, which is how Eloqua's own examples and clients write them."""
    ids, unknown = draw_ids(seed, contacts, count)
    return Body(to_json(pa.array(ids).cast(pa.string())), "application/json", count - unknown, unknown)


def csv_of_ids(seed: tuple[int, ...], contacts: int, count: int) -> Body:
    """Contact ids as CSV."""
    ids, unknown = draw_ids(seed, contacts, count)
    content = b"Id\n" + join(pa.array(ids).cast(pa.string()), "\n") + b"\n"
    return Body(content, "text/csv", count - unknown, unknown)


def json_of_emails(seed: tuple[int, ...], contacts: int, count: int) -> Body:
    """Email addresses as JSON, as `staithe seed` makes them."""
    ids, unknown = draw_ids(seed, contacts, count)
    numbers = pa.array(ids).cast(pa.string())
    emails = compute.binary_join_element_wise("contact-", numbers, "@example.com", "")
    return Body(to_json(emails), "application/json", count - unknown, unknown)


def json_of_length(seed: tuple[int, ...], contacts: int, length: int) -> Body:
    """As many known ids as fit into `length` bytes of JSON, all of one width; some are repeated."""
    width = len(str(contacts))
    first = 10 ** (width - 1)
    if first == contacts:
        first, width = first // 10, width - 1
    count = (length - 1) // (RECORD_FRAME_BYTES + width)
    last = min(contacts, 10**width - 1)
    ids = np.random.default_rng(seed).integers(first, last, count, endpoint=True)
    content = to_json(pa.array(ids).cast(pa.string()))
    return Body(content, "application/json", len(np.unique(ids)), 0)


def to_json(values: pa.Array) -> bytes:
    return b"[" + join(compute.binary_join_element_wise('{"Id":"', values, '"}', ""), ",") + b"]"


def join(texts: pa.Array, separator: str) -> bytes:
    rows = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined: str = compute.binary_join(rows, separator)[0].as_py()
    return joined.encode()
