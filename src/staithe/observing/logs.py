"""Configures the logs of a process: one line an event, as text for people or as JSON for machines.

All code logs with Python's own `logging`, libraries too; structlog makes the lines. It is imported when the first
line is written: a process that has nothing to say starts a tenth of a second earlier.
"""

from __future__ import annotations

import logging
import re
import sys
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from staithe.observing.fields import current_fields

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import EventDict, Processor, WrappedLogger


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


ALWAYS: Final = ("timestamp", "level", "process", "logger", "message")
FIELDS: Final = (
    "request_id",
    "company",
    "user",
    "method",
    "route",
    "path",
    "status",
    "seconds",
    "sync_id",
    "kind",
    "error_id",
    "trace_id",
)
"""The fields that lines can have, beside those that they have always, and `exception`."""

CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
VALUES_OF_ROWS: Final = re.compile(r"^([ \t]*(?:\[parameters: |DETAIL: |CONTEXT: )).*$", re.MULTILINE)
"""Lines in which database drivers tell the values that a statement had: they are contact data."""


ACCESS: Final = logging.getLogger("staithe.access")
"""Tells of every request and every sync that has ended; unless that is wanted, only of those that went wrong."""


def configure(process: str, log_format: str, *, access_log: bool = False) -> None:
    """Send everything this process logs to standard error.

    Args:
        process: its name, on every line.
        log_format: a value of `LogFormat`.
        access_log: whether there is a line for each request and each sync.
    """
    ACCESS.setLevel(logging.INFO if access_log else logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(process, LogFormat(log_format)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # It tells every address that is called, with its query.
    logging.getLogger("httpx").setLevel(logging.WARNING)


class LineFormatter(logging.Formatter):
    """Makes the lines of a process, with structlog."""

    def __init__(self, process: str, log_format: LogFormat) -> None:
        super().__init__()
        self.process = process
        self.log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        """One event as a line; in text, a traceback follows it."""
        return self.formatter.format(record)

    @cached_property
    def formatter(self) -> ProcessorFormatter:
        """What structlog makes lines with."""
        from structlog import processors, stdlib

        steps: list[Processor] = [
            processors.TimeStamper(fmt="iso", utc=True),
            stdlib.add_log_level,
            self.add_fields,
            stdlib.ExtraAdder(FIELDS),
            stdlib.add_logger_name,
            processors.format_exc_info,
            hide_values,
            stdlib.ProcessorFormatter.remove_processors_meta,
        ]
        last = render_json() if self.log_format is LogFormat.JSON else render_text()
        return stdlib.ProcessorFormatter(processors=[*steps, *last])

    def add_fields(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Say which process it is, and which request or sync it is about."""
        return {**event, "process": self.process, **current_fields()}


def render_json() -> list[Processor]:
    """The last steps of a line of JSON."""
    from structlog import processors

    return [
        processors.EventRenamer("message"),
        put_first,
        processors.JSONRenderer(lambda event, **_: msgspec.json.encode(event, enc_hook=repr).decode()),
    ]


def render_text() -> list[Processor]:
    """The last steps of a line of text, in colours on a terminal."""
    from structlog import dev

    renderer = dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), pad_event_to=0, sort_keys=False, exception_formatter=dev.plain_traceback
    )
    return [escape_message, renderer]


def put_first(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Begin lines with what all of them have, so that people can read those of machines too."""
    return {**{name: event[name] for name in ALWAYS}, **event}


def hide_values(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Take the values of rows out of tracebacks."""
    if "exception" in event:
        event["exception"] = VALUES_OF_ROWS.sub(r"\1(hidden)", event["exception"])
    return event


def escape_message(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Keep a message on its line, whatever a client has sent that stands in it."""
    event["event"] = CONTROL_CHARACTERS.sub(lambda found: f"\\x{ord(found[0]):02x}", str(event["event"]))
    return event
