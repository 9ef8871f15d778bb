"""Tells every thread of a process that it is to stop; a signal handler may set it at any moment.

A `threading.Event` must not be set by a signal handler. The handler runs in the main thread, between any two steps of
it: if that thread has just taken the event's lock, to wait or to look, the handler waits for that lock for ever.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Final

from staithe.private_descriptors import forget, keep_private

MILLISECONDS: Final = 1000
NO_FILE: Final = -1


class StopLatch:
    """Set once, and never cleared. It takes no lock: it is a pipe that nobody reads, so it wakes all who wait."""

    def __init__(self) -> None:
        self.was_set = False
        self.reader, self.writer = os.pipe()
        for descriptor in (self.reader, self.writer):
            # A process that is forked has a latch of its own.
            keep_private(descriptor)
            os.set_blocking(descriptor, False)

    def set(self, *_: object) -> None:
        """Let everybody stop. It may be the handler of a signal."""
        self.was_set = True
        # A pipe that is full wakes as well as one byte does; one that is closed has nobody to wake.
        with suppress(OSError):
            os.write(self.writer, b"\0")

    def is_set(self) -> bool:
        """Whether it was set."""
        return self.was_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, but no longer than some seconds; returns whether it was set."""
        if not self.was_set:
            poll = select.poll()
            poll.register(self.reader, select.POLLIN)
            poll.poll(seconds * MILLISECONDS)
        return self.was_set

    def close(self) -> None:
        """Close the pipe, once nobody waits any more. Whoever sets it later writes nothing."""
        descriptors = (self.reader, self.writer)
        self.reader = self.writer = NO_FILE
        for descriptor in descriptors:
            forget(descriptor)
            os.close(descriptor)
