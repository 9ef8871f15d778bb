"""The table of sync actions: what each wire form does to which sets, and the line it leaves in the sync log.

A sync action is a set operation: it puts the contacts of the sync into one set and takes them out of others.
Source: Eloqua's sync action reference; which states exclude each other is inferred from the product's behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from staithe.domain import codes
from staithe.domain.codes import StatusCode
from staithe.domain.field_statement import FieldStatement, parse_field_statement

CONTACTS_SET: Final = "contacts"
GLOBAL_UNSUBSCRIBED_SET: Final = "globalUnsubscribed"
BOUNCED_SET: Final = "bounced"
CLOUD_CONNECTOR: Final = "cloudconnectorstatus"
EMAIL_GROUP_SETS: Final = "emailGroup/"
"""What the names of the sets of email groups begin with.

These and the two above are the states of email addresses, which outlive contacts; lists and app services have contacts.
"""

INSTANCE_PATTERN = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CONNECTOR_PATTERN = re.compile(r"[0-9]{1,18}")
UNFINISHED_STATUSES: Final = ("pending", "active")
SERVICE_STATUSES: Final = ("active", "complete", "errored", "yes", "no", "pending", "invalid", "permission")
"""What a contact can be in a service. Eloqua's pages name some for each kind of service, and no others are known to be
refused: all are taken for all."""


def contact_list_set(list_id: int) -> str:
    """The name of the set of a contact list's members."""
    return f"contactList/{list_id}"


def email_group_set(group_id: int, status: str) -> str:
    """The name of the set of contacts that are `subscribed` or `unsubscribed` in an email group."""
    return f"{EMAIL_GROUP_SETS}{group_id}/{status}"


class SyncAction(Struct, frozen=True, omit_defaults=True):
    """One entry of a definition's `syncActions`, as it was sent."""

    action: str
    destination: str
    status: str | None = None
    update_all: bool | None = None


class Destination(Struct, frozen=True):
    """What a destination statement names.

    `kind` is its first name in lower case; `asset_id` belongs to lists and groups, `instance` (32 lower-case hex
    digits, or the number of a cloud connector) and `execution` (0 if it was not given) to app service instances.
    """

    kind: str
    asset_id: int = 0
    instance: str = ""
    execution: int = 0

    @property
    def target(self) -> str:
        """The id that log lines and errors show."""
        return self.instance or str(self.asset_id)


class SyncActionRule(Struct, frozen=True):
    """A row of the table. Set names have the places {target}, {execution} and {status}."""

    destination: str
    action: str
    status: str | None
    code: StatusCode
    adds_to: str = ""
    removes_from: tuple[str, ...] = ()


def service_rules(destination: str, code: StatusCode = codes.APP_STATUS_SET) -> tuple[SyncActionRule, ...]:
    """The rules of a service: a contact has one status in an execution, so each excludes the others."""
    prefix = f"{destination}/{{target}}/{{execution}}/"
    return tuple(
        SyncActionRule(
            destination,
            "setStatus",
            status,
            code,
            prefix + status,
            tuple(prefix + other for other in SERVICE_STATUSES if other != status),
        )
        for status in SERVICE_STATUSES
    )


SYNC_ACTION_RULES: Final = (
    SyncActionRule("contactlist", "add", None, codes.LIST_ADDED, "contactList/{target}"),
    SyncActionRule("contactlist", "remove", None, codes.LIST_REMOVED, "", ("contactList/{target}",)),
    SyncActionRule(
        "emailgroup",
        "setStatus",
        "subscribed",
        codes.GROUP_SUBSCRIBED,
        EMAIL_GROUP_SETS + "{target}/subscribed",
        (EMAIL_GROUP_SETS + "{target}/unsubscribed",),
    ),
    SyncActionRule(
        "emailgroup",
        "setStatus",
        "unsubscribed",
        codes.GROUP_UNSUBSCRIBED,
        EMAIL_GROUP_SETS + "{target}/unsubscribed",
        (EMAIL_GROUP_SETS + "{target}/subscribed",),
    ),
    SyncActionRule(
        "globalsubscribe", "setStatus", "subscribed", codes.GLOBAL_SUBSCRIBED, "", (GLOBAL_UNSUBSCRIBED_SET,)
    ),
    SyncActionRule("globalsubscribe", "setStatus", "unsubscribed", codes.GLOBAL_UNSUBSCRIBED, GLOBAL_UNSUBSCRIBED_SET),
    *service_rules("decisioninstance"),
    *service_rules("actioninstance"),
    *service_rules("feederinstance"),
    *service_rules(CLOUD_CONNECTOR, codes.CONNECTOR_STATUS_SET),
)

SERVICES: Final = ("actioninstance", "decisioninstance", "feederinstance", CLOUD_CONNECTOR)
ASSET_DESTINATIONS: Final[Mapping[str, str]] = {"contactlist": "contact list", "emailgroup": "email group"}
DESTINATION_HELP: Final = (
    "{{ContactList[id]}}, {{EmailGroup[id]}}, {{GlobalSubscribe}}, {{DecisionInstance(id).Execution[n]}}, "
    "{{ActionInstance(id).Execution[n]}}, {{FeederInstance(id)}} or {{CloudConnectorStatus(number)}}, an instance id "
    "being a GUID with dashes or without"
)


def parse_destination(text: str) -> Destination:
    """Parse the destination of a sync action of contacts.

    Raises:
        ValueError: a sentence that starts with "must".
    """
    statement = parse_field_statement(text)
    root = statement.parts[0]
    kind = root.name.lower()
    known = (
        kind_is_asset(statement) or kind_is_instance(statement) or (kind == "globalsubscribe" and is_bare(statement))
    )
    if not known:
        raise ValueError(f"must be {DESTINATION_HELP}")
    execution = statement.parts[1].number if len(statement.parts) > 1 else 0
    return Destination(kind, root.number or 0, (root.key or "").replace("-", "").lower(), execution or 0)


def is_bare(statement: FieldStatement) -> bool:
    """Whether it is one name with nothing behind it."""
    return len(statement.parts) == 1 and statement.parts[0].number is None and statement.parts[0].key is None


def kind_is_asset(statement: FieldStatement) -> bool:
    """Whether it has the form of `{{ContactList[12]}}`."""
    root = statement.parts[0]
    return root.name.lower() in ASSET_DESTINATIONS and root.number is not None and len(statement.parts) == 1


def kind_is_instance(statement: FieldStatement) -> bool:
    """Whether it has the form of `{{ActionInstance(id).Execution[n]}}`; feeders have no execution."""
    root, *rest = statement.parts
    if root.name.lower() == CLOUD_CONNECTOR:
        return not rest and root.key is not None and CONNECTOR_PATTERN.fullmatch(root.key) is not None
    if root.key is None or not INSTANCE_PATTERN.fullmatch(root.key):
        return False
    match root.name.lower(), rest:
        case "feederinstance" | "actioninstance" | "decisioninstance", []:
            return True
        case "actioninstance" | "decisioninstance", [execution]:
            return execution.name.lower() == "execution" and execution.number is not None
        case _:
            return False


def find_rule(action: SyncAction, destination: Destination) -> SyncActionRule | None:
    """The row for this action on this destination with this status, or None if there is none."""
    wanted_status = (action.status or "").lower() if action.action.lower() == "setstatus" else ""
    for rule in SYNC_ACTION_RULES:
        same_action = rule.destination == destination.kind and rule.action.lower() == action.action.lower()
        if same_action and (rule.status or "") == wanted_status:
            return rule
    return None


def allowed_forms(destination: Destination) -> str:
    """The actions and statuses that a destination takes, as words for an error."""
    rules = [rule for rule in SYNC_ACTION_RULES if rule.destination == destination.kind]
    return " or ".join(rule.action + (f" with status {rule.status}" if rule.status else "") for rule in rules)
