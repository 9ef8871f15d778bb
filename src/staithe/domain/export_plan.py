"""The plan of an export: which columns of contacts and which sets become which texts, as frozen data."""

from __future__ import annotations

from datetime import UTC, tzinfo

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart, resolve_contact_part
from staithe.domain.definitions import ExportDefinition
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.filter_language import parse_filter
from staithe.domain.filter_plan import FilterContext, FilterPlan, plan_filter
from staithe.domain.plan import SetStep, plan_steps
from staithe.domain.values import EASTERN


class ExportColumn(Struct, frozen=True):
    """A field of the definition and the part of a contact that fills it."""

    name: str
    part: ContactPart


class ExportPlan(Struct, frozen=True):
    """Find the contacts, take at most `max_records` of them by id, write the columns, then take the steps.

    `filter` is None for all contacts; `system_zone` is the zone that system timestamps are written in.
    """

    filter: FilterPlan | None
    columns: tuple[ExportColumn, ...]
    system_zone: tzinfo
    max_records: int | None
    steps: tuple[SetStep, ...]


def plan_export(definition: ExportDefinition, catalogue: Catalogue) -> ExportPlan:
    """Make the plan of a valid export."""
    zone = UTC if definition.are_system_timestamps_in_utc else EASTERN
    context = FilterContext(catalogue, zone)
    return ExportPlan(
        filter=None if definition.filter is None else plan_filter(parse_filter(definition.filter), context),
        columns=tuple(
            ExportColumn(name, resolve_contact_part(parse_field_statement(text), catalogue))
            for name, text in definition.fields.items()
        ),
        system_zone=zone,
        max_records=definition.max_records,
        steps=plan_steps(definition.sync_actions),
    )
