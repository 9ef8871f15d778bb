"""The ELQ status codes that Staithe writes: number, severity, and our wording of what it says.

Source: the Eloqua status code page for the numbers and their meaning; severities are inferred there except
where a recorded reply shows one. Clients should key on the code: the text is ours, but where a recorded log or a
client shows one ([recorded]): that is part of the wire.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Severity(StrEnum):
    """How grave a log line is: the worst line decides how its sync ends."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class StatusCode(Struct, frozen=True):
    """A code with its severity and the pattern of its message in sync logs and, if it differs, in rejects.

    `detail` tells apart the reasons of rejects that share a code, and a line of the log.
    """

    code: str
    severity: Severity
    message: str
    reject_message: str = ""
    detail: str = ""

    @property
    def reason(self) -> str:
        """What a reject is stored with: the code, and behind a blank the detail if there is one."""
        return f"{self.code} {self.detail}" if self.detail else self.code

    @property
    def text_of_reject(self) -> str:
        """The sentence a reject carries."""
        return self.reject_message or self.message


INFORMATION, WARNING, ERROR = Severity.INFORMATION, Severity.WARNING, Severity.ERROR

PROCESSED: Final = StatusCode("ELQ-00001", INFORMATION, "Total records processed.")
"""[recorded]"""

INVALID_EMAIL: Final = StatusCode("ELQ-00002", WARNING, "Invalid email addresses.", "Invalid email address.")
REPEATED_EMAIL: Final = StatusCode("ELQ-00011", INFORMATION, "Email addresses given more than once, applied once.")
GLOBAL_UNSUBSCRIBED: Final = StatusCode("ELQ-00017", INFORMATION, "Contacts globally unsubscribed ({changed} newly).")
REPEATED_IDENTIFIER: Final = StatusCode("ELQ-00026", INFORMATION, "Identifiers given more than once, applied once.")
UNREADABLE: Final = StatusCode(
    "ELQ-00032",
    WARNING,
    "Records that cannot be read.",
    "The record cannot be read: its columns or its identifier are malformed.",
)
UNMATCHED: Final = StatusCode("ELQ-00034", WARNING, "Records that match no contact.", "No contact matches.")
REJECTED: Final = StatusCode("ELQ-00060", WARNING, "Records rejected.")
REQUIRED_MISSING: Final = StatusCode(
    "ELQ-00061", WARNING, "Records that lack a required field.", "A required field is empty or missing."
)
UNKNOWN_CONTACT: Final = StatusCode(
    "ELQ-00085", WARNING, "Records whose contact is unknown.", "No contact has this identifier."
)
SYNC_ENDED: Final = StatusCode("ELQ-00101", INFORMATION, "Sync processed for sync , resulting in {status} status.")
"""[recorded]: the sync has no name there, and the status a capital letter."""

CONVERTED: Final = StatusCode("ELQ-00104", INFORMATION, "Staged upload {upload_id} read ({kb} kB, {format}).")
UNMAPPED: Final = StatusCode("ELQ-00111", WARNING, "Field {name} is not in the definition and was ignored.")
GROUP_SUBSCRIBED: Final = StatusCode(
    "ELQ-00115", INFORMATION, "Contacts subscribed to email group {target} ({changed} newly)."
)
GROUP_UNSUBSCRIBED: Final = StatusCode(
    "ELQ-00116", INFORMATION, "Contacts unsubscribed from email group {target} ({changed} newly)."
)
LIST_REMOVED: Final = StatusCode(
    "ELQ-00118", INFORMATION, "Contacts taken off contact list {target} ({changed} were on it)."
)
LIST_ADDED: Final = StatusCode("ELQ-00119", INFORMATION, "Contacts put on contact list {target} ({changed} newly).")
CONNECTOR_STATUS_SET: Final = StatusCode(
    "ELQ-00120", INFORMATION, "Contacts set to {status} in cloud connector instance {target} ({changed} newly)."
)
NO_ACCOUNTS: Final = StatusCode(
    "ELQ-00121", INFORMATION, "No contact has an account yet, so these are empty: {statements}.", detail="account"
)
DEFINITION_INVALID: Final = StatusCode(
    "ELQ-00122",
    ERROR,
    "The definition is not valid, so the sync does not go on: it {problem}. Create a new definition.",
)
NOTHING_STAGED: Final = StatusCode("ELQ-00124", WARNING, "There is nothing to process.")
NO_MAPPED_FIELD: Final = StatusCode(
    "ELQ-00127", WARNING, "Staged upload {upload_id} has no field of the definition ({name} is missing)."
)
APP_STATUS_SET: Final = StatusCode(
    "ELQ-00128", INFORMATION, "Contacts set to {status} in service instance {target} ({changed} newly)."
)
LOCKED: Final = StatusCode("ELQ-00134", INFORMATION, "Staged uploads locked for this sync.")
READY: Final = StatusCode("ELQ-00137", INFORMATION, "Ready for data import processing.")
"""[recorded]"""

GLOBAL_SUBSCRIBED: Final = StatusCode(
    "ELQ-00138", INFORMATION, "Contacts globally subscribed ({changed} were unsubscribed)."
)
STAGING_FAILED: Final = StatusCode(
    "ELQ-00139",
    ERROR,
    "The sync failed; {done} (error {error_id} in the server's log). The staged data is kept: "
    "sync again, or delete it and upload anew.",
)
IMPORT_FAILED: Final = StatusCode("ELQ-00105", ERROR, STAGING_FAILED.message)
STAGING_DAMAGED: Final = StatusCode(
    STAGING_FAILED.code,
    ERROR,
    "Staged upload {upload_id} is damaged on the server's disk; {done} (error {error_id} in the server's log). "
    "Delete the staged data and upload it anew.",
    detail="damaged",
)
IMPORT_DAMAGED: Final = StatusCode(IMPORT_FAILED.code, ERROR, STAGING_DAMAGED.message, detail="damaged")
EXPORT_FAILED: Final = StatusCode(
    "ELQ-00141", ERROR, "The export failed (error {error_id} in the server's log). Sync again."
)
STAGED: Final = StatusCode("ELQ-00140", INFORMATION, "Records staged for sync actions.")
DEFINITION_DELETED: Final = StatusCode("ELQ-00143", ERROR, "The definition was deleted before the sync ended; {done}.")
WILL_RETRY: Final = StatusCode("ELQ-00145", INFORMATION, "The worker was lost; the sync was taken up again.")

GAVE_UP: Final = StatusCode(
    "ELQ-00146",
    ERROR,
    "The worker was lost {attempts} times with this sync, so it was given up; {done}. The staged data "
    "is kept: tell the operator, then sync again, or delete it and upload anew.",
)
TOO_LONG_RUN: Final = StatusCode(
    "ELQ-00107",
    ERROR,
    "The sync took more than {seconds:,} seconds, so it was ended; {done}. The staged data is kept: sync less at once, "
    "with a narrower filter or fewer records, or ask the operator for more time (--sync-timeout).",
)

LEFT_TO_IMPORT: Final = StatusCode("ELQ-00003", INFORMATION, "Total records remaining after duplicates are rejected.")
"""[recorded]"""

CREATED: Final = StatusCode("ELQ-00004", INFORMATION, "Contacts created.")
UPDATED: Final = StatusCode("ELQ-00022", INFORMATION, "Contacts updated.")
"""Both [recorded]."""

REPEATED_RECORD: Final = StatusCode(
    "ELQ-00026",
    WARNING,
    "Duplicate identifier.",
    "The identifier came before in the same sync; the first record with it was imported.",
)
"""The text of the log, and the severity, are [recorded]."""

UNUSABLE_VALUE: Final = StatusCode(
    "ELQ-00040",
    WARNING,
    "Records with a value that does not fit its field; the rest of the record was imported.",
    "The value does not fit its field; the rest of the record was imported.",
)
CONTACT_EXISTS: Final = StatusCode(
    "ELQ-00048", WARNING, "Records whose contact is there already.", "The contact is there already."
)
EXPORTED: Final = StatusCode("ELQ-00102", INFORMATION, "Successfully exported members to csv file.")
"""A client compares the text, and reads the count [tap-eloqua]."""

EXPORT_STORED: Final = StatusCode("ELQ-00106", INFORMATION, "The exported data is ready to be read ({kb} kB).")
STAGED_FOR_IMPORT: Final = StatusCode("ELQ-00130", INFORMATION, "Total records staged for import.")
"""[recorded]"""

STAGING_REMOVED: Final = StatusCode("ELQ-00131", INFORMATION, "Internal staging removed.")
NO_VALUES: Final = StatusCode("ELQ-00059", WARNING, "Records without any value.", "The record has no value.")
TOO_LONG: Final = StatusCode(
    UNUSABLE_VALUE.code,
    WARNING,
    UNUSABLE_VALUE.message,
    "The value has more characters than its field holds: 100, or 32,000 in a large text; the rest of the record was "
    "imported.",
    "long",
)
EMAIL_TAKEN: Final = StatusCode(
    CONTACT_EXISTS.code, WARNING, CONTACT_EXISTS.message, "Another contact has this email address.", "email"
)
NO_ADDRESS: Final = StatusCode(
    REQUIRED_MISSING.code,
    WARNING,
    REQUIRED_MISSING.message,
    "No contact has this identifier, and the definition has no field for the email address that a new one needs.",
    "address",
)
DATES_READ: Final = StatusCode("ELQ-00104", INFORMATION, "Dates in {name} read as month/day/year.")
IGNORED: Final = StatusCode(
    UNMAPPED.code, INFORMATION, "Values of {name} ignored: an import does not write them.", detail="read-only"
)
VALUES_REFUSED: Final = StatusCode("ELQ-00144", WARNING, "Records with at least one value that was refused.")

REJECT_CODES: Final = {
    c.code: c
    for c in (
        INVALID_EMAIL,
        REPEATED_RECORD,
        UNREADABLE,
        UNMATCHED,
        UNUSABLE_VALUE,
        CONTACT_EXISTS,
        NO_VALUES,
        REQUIRED_MISSING,
        UNKNOWN_CONTACT,
    )
}
"""What rejects are counted by, in the sync log and in metrics."""

REJECT_REASONS: Final = {c.reason: c for c in (*REJECT_CODES.values(), TOO_LONG, EMAIL_TAKEN, NO_ADDRESS)}
