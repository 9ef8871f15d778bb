"""The plan of a sync: what it will do, as frozen data, made by a pure function and shown to people as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from staithe.domain.codes import StatusCode
from staithe.domain.definitions import SyncActionDefinition
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.sync_actions import UNFINISHED_STATUSES, SyncAction, find_rule, parse_destination


class SetStep(Struct, frozen=True):
    """One sync action: put the contacts into `adds_to` (a set's name; empty for none), out of `removes_from`.

    `instead_of_uploaded` names the sets whose contacts it acts on in place of the uploaded ones (`updateAll`).
    """

    code: StatusCode
    target: str
    status: str
    adds_to: str
    removes_from: tuple[str, ...]
    instead_of_uploaded: tuple[str, ...] = ()

    def set_names(self) -> set[str]:
        """Every set it reads or changes."""
        return {name for name in (self.adds_to, *self.removes_from, *self.instead_of_uploaded) if name}


class SyncPlan(Struct, frozen=True):
    """Match each record by `identifier` in the field `identifier_field`, then take the steps in their order."""

    identifier: IdentifierKind
    identifier_field: str
    steps: tuple[SetStep, ...]


EXECUTIONS: Final = ("actioninstance", "decisioninstance")


def plan_sync(definition: SyncActionDefinition) -> SyncPlan:
    """Make the plan of a valid definition."""
    return SyncPlan(definition.identifier, definition.identifier_field_name, plan_steps(definition.sync_actions))


def set_names(steps: Iterable[SetStep]) -> list[str]:
    """Every set that steps touch, sorted: the order in which they are locked."""
    return sorted({name for step in steps for name in step.set_names()})


def plan_steps(sync_actions: Iterable[SyncAction]) -> tuple[SetStep, ...]:
    """The steps of the sync actions of any valid definition."""
    steps: list[SetStep] = []
    for action in sync_actions:
        destination = parse_destination(action.destination)
        rule = find_rule(action, destination)
        assert rule is not None, f"a stored definition has the action {action}, which no rule knows"
        names = {"target": destination.target, "execution": destination.execution}
        whole_execution = (
            tuple(f"{destination.kind}/{destination.target}/{destination.execution}/{s}" for s in UNFINISHED_STATUSES)
            if action.update_all and destination.kind in EXECUTIONS
            else ()
        )
        steps.append(
            SetStep(
                rule.code,
                destination.target,
                rule.status or "",
                rule.adds_to.format(**names),
                tuple(name.format(**names) for name in rule.removes_from),
                whole_execution,
            )
        )
    return tuple(steps)


class StepResult(Struct, frozen=True):
    """What one step did: contacts it applied to, and how many of them it changed anything for."""

    step: SetStep
    applied: int
    changed: int


def apply_step(
    step: SetStep, uploaded: IdSet, sets: Mapping[str, IdSet]
) -> tuple[StepResult, dict[str, IdSet], list[tuple[str, SetChange]]]:
    """Take one step: (what it did, the sets it changed, how).

    Args:
        step: the step.
        uploaded: the known contacts of the sync.
        sets: the present value of every set the step names.
    """
    ids = IdSet.union(sets[name] for name in step.instead_of_uploaded) if step.instead_of_uploaded else uploaded
    after: dict[str, IdSet] = {}
    changes: list[tuple[str, SetChange]] = []
    changed = IdSet()
    if step.adds_to:
        added = ids - sets[step.adds_to]
        after[step.adds_to] = sets[step.adds_to] | added
        changes.append((step.adds_to, SetChange(added, IdSet())))
        changed |= added
    for name in step.removes_from:
        removed = ids & sets[name]
        after[name] = sets[name] - removed
        changes.append((name, SetChange(IdSet(), removed)))
        changed |= removed
    return StepResult(step, len(ids), len(changed)), after, changes
