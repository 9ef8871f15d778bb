"""The import priorities that a definition can name.

In Eloqua people set them up in the product, and they say which source may overwrite which. Here every company has the
site default alone: an import changes what its update rules say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class ImportPriority(Struct, frozen=True):
    """A priority: 1 is the first."""

    id: int
    name: str
    priority: int

    @property
    def uri(self) -> str:
        """What `importPriorityUri` names it by."""
        return f"/imports/priorities/{self.id}"


IMPORT_PRIORITIES: Final = (ImportPriority(1, "Default", 1),)
PRIORITIES_BY_ID: Final[Mapping[int, ImportPriority]] = {priority.id: priority for priority in IMPORT_PRIORITIES}
