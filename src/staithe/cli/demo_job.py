"""The demo's job: sync actions, an export and an import, and the account of them, all over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.cli.demo_client import DemoClient, Json
from staithe.cli.demo_exchange import exchange
from staithe.cli.demo_records import Records, cut_into_bodies
from staithe.cli.demo_report import Applied, Outcome, Rejected, Steps
from staithe.cli.demo_syncs import PAGE_ITEMS, read_log, synchronize
from staithe.cli.progress import progress_bar
from staithe.domain import codes
from staithe.domain.syncs import SyncStatus

REASONS: Final[Mapping[str, str]] = {
    codes.UNKNOWN_CONTACT.code: "no such contact",
    codes.UNREADABLE.code: "malformed",
    codes.INVALID_EMAIL.code: "not an email address",
    codes.REQUIRED_MISSING.code: "empty",
}
ENDINGS: Final[Mapping[SyncStatus, str]] = {
    SyncStatus.SUCCESS: "synced: success",
    SyncStatus.WARNING: "synced: warning, as some are rejected",
}
REPETITIONS: Final = (codes.REPEATED_IDENTIFIER.code, codes.REPEATED_EMAIL.code)
FIRST_SHOWN: Final = 3
REJECT_PAGES: Final = 5


def run_job(client: DemoClient, contacts: int, records: Records, steps: Steps) -> Outcome:
    """Define, upload, sync and take stock.

    Raises:
        RequestError: the server refuses something, or the sync ends in error.
    """
    list_id, group_id = client.make_contact_list("Demo list"), client.make_email_group("Demo group")
    actions = (
        {"action": "add", "destination": f"{{{{ContactList[{list_id}]}}}}"},
        {"action": "setStatus", "destination": f"{{{{EmailGroup[{group_id}]}}}}", "status": "unsubscribed"},
        {"action": "setStatus", "destination": "{{GlobalSubscribe}}", "status": "unsubscribed"},
    )
    definition = client.define("Demo", records.field, records.statement, actions)
    steps.done("define", "contact list, email group and definition made")
    requests = upload(client, definition, records)
    steps.done("upload", f"{len(records.values):,} identifiers sent in {requests} requests", len(records.values))
    sync = synchronize(client, definition)
    steps.done("sync", ENDINGS[SyncStatus(sync["status"])], len(records.values))
    exported, updated = exchange(client, list_id, steps)
    counts = read_log(client, sync)
    return Outcome(
        contacts=contacts,
        statement=records.statement,
        contact_list=list_id,
        email_group=group_id,
        definition=definition,
        sync=sync["uri"],
        status=sync["status"],
        requests=requests,
        uploaded=len(records.values),
        records=counts[codes.PROCESSED.code],
        applied=(
            Applied("added to the contact list", counts[codes.LIST_ADDED.code]),
            Applied("unsubscribed from the email group", counts[codes.GROUP_UNSUBSCRIBED.code]),
            Applied("unsubscribed globally", counts[codes.GLOBAL_UNSUBSCRIBED.code]),
        ),
        repeated=sum(counts.get(code, 0) for code in REPETITIONS),
        rejected=read_rejected(client, sync, counts),
        on_list=client.list_size(list_id),
        exported=exported,
        updated=updated,
    )


def upload(client: DemoClient, definition: str, records: Records) -> int:
    """Send every record, with a progress bar; gives the number of requests."""
    requests = 0
    with progress_bar(transient=True) as progress:
        task = progress.add_task("uploading identifiers", total=len(records.values))
        for body in cut_into_bodies(records):
            client.upload(definition, body)
            progress.advance(task, body.records)
            requests += 1
    return requests


def read_rejected(client: DemoClient, sync: Json, counts: Mapping[str, int]) -> tuple[Rejected, ...]:
    """The reasons for which records were rejected, the most frequent first.

    Counts are the log's. Record numbers are from the first pages of the rejects, so a rare reason may have none.
    """
    firsts: dict[str, list[int]] = {code: [] for code in REASONS if code in counts}
    for page in range(REJECT_PAGES):
        answer = client.page(f"{sync['uri']}/rejects", PAGE_ITEMS, page * PAGE_ITEMS)
        for reject in answer["items"]:
            numbers = firsts[reject["statusCode"]]
            if len(numbers) < FIRST_SHOWN:
                numbers.append(reject["recordIndex"])
        if not answer["hasMore"] or all(len(n) >= min(FIRST_SHOWN, counts[code]) for code, n in firsts.items()):
            break
    reasons = [Rejected(code, REASONS[code], counts[code], tuple(numbers)) for code, numbers in firsts.items()]
    return tuple(sorted(reasons, key=lambda reason: -reason.count))
