"""Signs of life: each process writes down, again and again, when its main loop was last at work.

The supervisor starts a process anew whose loop stands still, though the process lives: it was stopped, or waits for
itself. HTTP processes read those of workers, for `/readyz`. A beat is a number in an unnamed file that processes are
given open; the clock is the monotonic one, which all of them share and which a suspended machine does not move.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from typing import Final

NUMBER: Final = struct.Struct("d")
EVERY_SECONDS: Final = 0.5
LARGEST_STEP_SECONDS: Final = 1.0


class Beat:
    """The beat of one process.

    Args:
        descriptor: of the open file; without it one is made.
    """

    def __init__(self, descriptor: int = -1) -> None:
        if descriptor < 0:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        self.descriptor = descriptor
        self.next_at = 0.0

    def begin(self) -> None:
        """The process is being started: it counts as alive, and is not watched before its first beat."""
        self.write(-time.monotonic())

    def mark(self) -> None:
        """The loop is at work; it may be said at each of its turns."""
        now = time.monotonic()
        if now >= self.next_at:
            self.next_at = now + EVERY_SECONDS
            self.write(now)

    def write(self, number: float) -> None:
        os.pwrite(self.descriptor, NUMBER.pack(number), 0)

    def last(self) -> float:
        """When it was last said; negative if it is only being started, 0 if it never was."""
        data = os.pread(self.descriptor, NUMBER.size, 0)
        return float(NUMBER.unpack(data)[0]) if len(data) == NUMBER.size else 0.0

    def is_fresh(self, seconds: float) -> bool:
        """Whether the process was at work, or was started, within so many seconds."""
        return time.monotonic() - abs(self.last()) < seconds


class Silence:
    """For how long a process has said nothing, as whoever watches it has seen.

    A step counts no more than a second: a watcher that was stopped itself, or did not get the processor, has not seen
    the silence.
    """

    def __init__(self) -> None:
        self.last = 0.0
        self.seconds = 0.0
        self.looked_at = 0.0

    def look(self, last: float) -> float:
        """The seconds of silence, after a look at the beat."""
        now = time.monotonic()
        step = min(now - self.looked_at, LARGEST_STEP_SECONDS)
        self.looked_at = now
        is_silent = last > 0 and last == self.last
        self.seconds = self.seconds + step if is_silent else 0.0
        self.last = last
        return self.seconds
