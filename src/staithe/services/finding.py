"""Finds the contacts of a filter: comparisons in SQL, sets as bitmaps, AND, OR and NOT as set algebra."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import cached_property

import msgspec

from staithe.domain.catalogue import Catalogue
from staithe.domain.filter_plan import (
    Both,
    ColumnTest,
    Either,
    FilterContext,
    FilterPlan,
    InContainer,
    InSets,
    Others,
    is_relational,
    plan_filter,
)
from staithe.domain.id_set import IdSet
from staithe.domain.segments import CriteriaFilter, Segment, filter_tree
from staithe.domain.sync_actions import CONTACTS_SET, contact_list_set
from staithe.storage import assets, filtering, sets
from staithe.storage.database import Connection


class ContactFinder:
    """Finds contacts at the moment of a transaction; what it gives are contacts that exist, and no others."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self.connection = connection
        self.catalogue = catalogue

    @cached_property
    def everyone(self) -> IdSet:
        """All contacts."""
        return sets.load_set(self.connection, CONTACTS_SET)

    def find(self, plan: FilterPlan) -> IdSet:
        """The contacts that a plan finds."""
        if is_relational(plan):
            return filtering.find_ids(self.connection, self.catalogue, plan)
        match plan:
            case Both(operands):
                return self.find_all(operands)
            case Either(operands):
                return IdSet.union(map(self.find, operands))
            case Others(operand):
                return self.everyone - self.find(operand)
            case InSets(names):
                return IdSet.union(sets.load_set(self.connection, name) for name in names) & self.everyone
            case InContainer(kind, number):
                return self.find_container(kind, number)
            case ColumnTest():
                raise AssertionError("a comparison is relational")

    def find_all(self, operands: Sequence[FilterPlan]) -> IdSet:
        """What all operands have. Those that ask of columns are one statement: it reads the contacts once."""
        relational = tuple(filter(is_relational, operands))
        found = self.find(Both(relational)) if relational else self.everyone
        for operand in operands:
            if operand not in relational:
                found &= self.find(operand)
        return found

    def find_container(self, kind: str, number: int) -> IdSet:
        """The contacts of a stored segment or filter; none if it is gone."""
        asset = assets.find_asset(self.connection, kind, number)
        if asset is None:
            return IdSet()
        if kind == "contactfilter":
            return self.find_criteria(msgspec.json.decode(asset.properties, type=CriteriaFilter))
        return self.find_segment(msgspec.json.decode(asset.properties, type=Segment))

    def find_criteria(self, criteria: CriteriaFilter) -> IdSet:
        """The contacts that meet a filter's criteria; times in them are in UTC."""
        return self.find(plan_filter(filter_tree(criteria, self.catalogue), FilterContext(self.catalogue, UTC)))

    def find_segment(self, segment: Segment) -> IdSet:
        """Whoever an included element has, without whoever an excluded one has."""
        members: dict[bool, IdSet] = {True: IdSet(), False: IdSet()}
        for element in segment.elements:
            if element.list_id:
                found = self.find(InSets((contact_list_set(element.list_id),)))
            elif element.filter_id:
                found = self.find_container("contactfilter", element.filter_id)
            else:
                assert element.filter is not None, "an element is a list, a shared filter, or one of its own"
                found = self.find_criteria(element.filter)
            members[element.is_included] |= found
        return members[True] - members[False]
