"""Checksums of a file's pieces: the schema, each batch, and the end of an Arrow file.

A piece is checked as the same bytes that are decoded, so that nothing is used that was not checked, and a page of a
large file costs the check of its own pieces. A row of the store keeps the checksums (packed: of each piece its end in
the file and its CRC-32), so that a file which was cut short, or changed for another, is found too. The CRC is that of
ISA-L, which takes a fiftieth of the time that decoding takes. A file that was written before there were checksums has
None, and is read as it is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import BinaryIO, Final, TypeAlias

from isal import isal_zlib

from staithe.domain.errors import Damaged

Piece: TypeAlias = tuple[int, int, int]
"""(start, stop, CRC-32) of a part of a file."""

PIECE: Final = struct.Struct("<QI")
MAGIC_BYTES: Final = 8
MESSAGE_PREFIX_BYTES: Final = 8
"""An Arrow file begins with `ARROW1` and two zero bytes. A message of it, of which the schema is the first, begins with
a mark of four bytes and its length in four more. Source: Arrow's columnar format, "Serialization and IPC"."""


def unpack(checksums: bytes) -> list[Piece]:
    """The pieces of a file, in their order."""
    pieces: list[Piece] = []
    start = 0
    for stop, checksum in PIECE.iter_unpack(checksums):
        pieces.append((start, stop, checksum))
        start = stop
    return pieces


def check(data: bytes | bytearray | memoryview, piece: Piece, name: str) -> None:
    """Make sure that a piece is as it was written.

    Raises:
        Damaged: it is not.
    """
    start, stop, checksum = piece
    if len(data) != stop - start or isal_zlib.crc32(data) != checksum:
        raise damaged(name, f"bytes {start:,} to {stop:,} are not as they were written")


def damaged(name: str, what: str) -> Damaged:
    """The error of a damaged file."""
    return Damaged(f"The file {name} is damaged on the server's disk: {what}.")


class PieceWriter:
    """Gathers the bytes of a piece, which Arrow writes in many parts, and writes them at once with their checksum.

    Args:
        file: where to.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sink = io.BytesIO()
        self.packed = bytearray()
        self.stop = 0

    def end_piece(self) -> None:
        """What was gathered is a piece; the first one is taken as two, of which the schema is one.

        Raises:
            OSError: the file cannot be written.
        """
        with self.sink.getbuffer() as gathered:
            if not self.packed:
                schema_stop = MAGIC_BYTES + MESSAGE_PREFIX_BYTES
                schema_stop += int.from_bytes(gathered[schema_stop - 4 : schema_stop], "little")
                self.write(gathered[:schema_stop])
                self.write(gathered[schema_stop:])
            else:
                self.write(gathered)
        self.sink.seek(0)
        self.sink.truncate()

    def write(self, data: memoryview) -> None:
        self.file.write(data)
        self.stop += len(data)
        self.packed += PIECE.pack(self.stop, isal_zlib.crc32(data))


class PieceChecker:
    """Checks the bytes of a whole file as they pass by.

    Args:
        name: of the file, for messages.
        checksums: of it.
    """

    def __init__(self, name: str, checksums: bytes) -> None:
        self.name = name
        self.pieces: Sequence[Piece] = unpack(checksums)
        self.number = 0
        self.place = 0
        self.checksum = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            Damaged: a piece that ends in them is not as it was written, or there are more bytes than there were.
        """
        rest = memoryview(data)
        while len(rest):
            if self.number == len(self.pieces):
                raise damaged(self.name, f"it has more than the {self.place:,} bytes that were written")
            start, stop, checksum = self.pieces[self.number]
            part, rest = rest[: stop - self.place], rest[stop - self.place :]
            self.checksum = isal_zlib.crc32(part, self.checksum)
            self.place += len(part)
            if self.place == stop:
                if self.checksum != checksum:
                    raise damaged(self.name, f"bytes {start:,} to {stop:,} are not as they were written")
                self.number += 1
                self.checksum = 0

    def finish(self) -> None:
        """There is no more.

        Raises:
            Damaged: the file was cut short.
        """
        if self.number < len(self.pieces):
            raise damaged(self.name, f"it ends at byte {self.place:,} of {self.pieces[-1][1]:,}")
