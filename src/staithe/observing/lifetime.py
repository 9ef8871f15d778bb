"""Begins and ends the observing of a process."""

from __future__ import annotations

from staithe.config import Settings
from staithe.observing import logs, metrics, traces
from staithe.observing.folder import folder_of_server
from staithe.observing.shared_counts import merge_dead


def start(process: str, settings: Settings) -> None:
    """Begin to observe this process.

    Args:
        process: its name in logs, metrics and traces: `http` or `worker`.
        settings: of the server.
    """
    logs.configure(process, settings.log_format, access_log=settings.access_log)
    metrics.note_start(process)
    folder = folder_of_server()
    if folder is not None:
        merge_dead(folder)
    traces.start(process)


def stop() -> None:
    """Send what has not been sent yet: to be called when the process has done its work."""
    traces.stop()
