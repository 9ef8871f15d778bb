"""The plan of an export: which columns of contacts and which sets become which texts, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart, PartKind, resolve_contact_part
from staithe.domain.definitions import ExportDefinition
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.filter_language import Comparison, Filter, Membership, leaves_of, parse_filter
from staithe.domain.filter_plan import FilterContext, FilterPlan, plan_filter
from staithe.domain.filter_reader import check_segment
from staithe.domain.plan import SetStep, plan_steps
from staithe.domain.values import EASTERN


class ExportColumn(Struct, frozen=True):
    """A field of the definition and the part of a contact that fills it."""

    name: str
    part: ContactPart


class ExportPlan(Struct, frozen=True):
    """Find the contacts, take at most `max_records` of them by id, write the columns, then take the steps.

    `filter` is None for all contacts; `system_zone` is the zone that system timestamps are written in; `of_accounts`
    has the statements, of fields and in the filter, that name what no contact has yet.
    """

    filter: FilterPlan | None
    columns: tuple[ExportColumn, ...]
    system_zone: tzinfo
    max_records: int | None
    steps: tuple[SetStep, ...]
    of_accounts: tuple[str, ...] = ()


def plan_export(definition: ExportDefinition, catalogue: Catalogue) -> ExportPlan:
    """Make the plan of an export.

    Raises:
        ValueError: it is not valid, or no more: a sentence that starts with "must".
    """
    tree = None if definition.filter is None else parse_filter(definition.filter)
    if tree is not None:
        check_segment(tree)
    zone = UTC if definition.are_system_timestamps_in_utc else EASTERN
    context = FilterContext(catalogue, zone)
    return ExportPlan(
        filter=None if tree is None else plan_filter(tree, context),
        columns=tuple(
            ExportColumn(name, resolve_contact_part(parse_field_statement(text), catalogue))
            for name, text in definition.fields.items()
        ),
        system_zone=zone,
        max_records=definition.max_records,
        steps=plan_steps(definition.sync_actions),
        of_accounts=tuple(find_accounts([*definition.fields.values(), *statements_of(tree)], catalogue)),
    )


def statements_of(tree: Filter | None) -> list[str]:
    """What the comparisons of a filter compare."""
    leaves = () if tree is None else leaves_of(tree)
    return [leaf.statement for leaf in leaves if isinstance(leaf, Comparison | Membership)]


def find_accounts(statements: Iterable[str], catalogue: Catalogue) -> Iterable[str]:
    """Those statements that name something of accounts, each once."""
    parts = {text: resolve_contact_part(parse_field_statement(text), catalogue) for text in statements}
    return [text for text, part in parts.items() if part.kind is PartKind.ACCOUNT]
