"""Keeps the native libraries behind numpy and Arrow from starting threads: only a process without them forks safely."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

VARIABLES: Final[Mapping[str, str]] = {
    # OpenBLAS starts a thread for each core as numpy is imported, and we multiply no matrices.
    "OPENBLAS_NUM_THREADS": "1",
    # jemalloc comes with Arrow and starts a thread of its own, though Arrow takes its memory from mimalloc.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def keep_native_threads_few() -> None:
    """Tell the libraries, which read it when they are imported. What an operator has set stays."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
