"""Work done ahead in a thread, while the caller waits for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """Gives the items of an iterator; a thread makes the next one from `begin` on, `take` waits for it.

    The caller says when: while both run Python they only hinder each other. Leaving the block waits for the thread.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self.items = items
        self.pool = ThreadPoolExecutor(1, "ahead")
        self.next: Future[Item | None] | None = None

    def begin(self) -> None:
        """Start to make the next item, if that has not begun."""
        self.next = self.next or self.pool.submit(next, self.items, None)

    def take(self) -> Item | None:
        """The next item; None if there is no more.

        Raises:
            Exception: whatever making it raised.
        """
        if self.next is None:
            self.begin()
        assert self.next is not None
        item, self.next = self.next.result(), None
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown(wait=True)
