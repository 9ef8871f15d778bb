"""Which kind of file system holds a path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")
OCTAL: Final = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path) -> str:
    """The type of the file system that holds a path, empty where the system does not tell (only Linux does)."""
    if not MOUNTS.exists():
        return ""
    best, found = -1, ""
    for line in MOUNTS.read_text().splitlines():
        _, mounted, kind, *_ = line.split(" ")
        # Spaces and the like stand in octal. Of two mounts on one folder, the later one is what is seen.
        folder = Path(OCTAL.sub(lambda match: chr(int(match[1], 8)), mounted))
        if path.is_relative_to(folder) and len(folder.parts) >= best:
            best, found = len(folder.parts), kind
    return found
