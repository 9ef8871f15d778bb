"""The checks of `staithe doctor --deep`: of every page, row, set and file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from staithe.domain.doctor_database import some
from staithe.domain.doctor_facts import Damage, Deployment, Finding, Outcome


class DamageCheck(Struct, frozen=True):
    """A kind of damage: the name of its check, the faults of a store, what to say where there is none, what to do."""

    check: str
    faults_of: Callable[[Damage], Sequence[str]]
    sound: str
    advice: str


KINDS: Final = (
    DamageCheck(
        "pages",
        lambda damage: damage.pages,
        "every page can be read and is sound",
        "Stop the server, copy the store aside, and restore the last backup. See what the system says of its disk.",
    ),
    DamageCheck(
        "rows",
        lambda damage: damage.rows,
        "what rows name is there",
        "Restore the last backup under another name and compare; Staithe never leaves such rows, so report it.",
    ),
    DamageCheck(
        "sets",
        lambda damage: damage.sets,
        "sets hold contacts that exist, and that of all contacts has them all",
        "Restore the last backup under another name and compare; Staithe never leaves such sets, so report it.",
    ),
    DamageCheck(
        "content of files",
        lambda damage: damage.files,
        "",
        "See what the system says of its disk. Staged data: delete and upload it anew; exported data: sync again.",
    ),
)


def damage(deployment: Deployment) -> Iterator[Finding]:
    """Nothing is damaged."""
    if deployment.damage is None:
        return
    for kind in KINDS:
        faults = [f"{store.store}: {fault}" for store in deployment.damage for fault in kind.faults_of(store)]
        if faults:
            yield Finding(kind.check, Outcome.FAILURE, some(faults), kind.advice)
        else:
            yield Finding(kind.check, Outcome.OK, kind.sound or files_read(deployment.damage))


def files_read(stores: Sequence[Damage]) -> str:
    """How many files are sound."""
    checked, unchecked = sum(store.checked for store in stores), sum(store.unchecked for store in stores)
    found = f"{checked:,} are as they were written"
    return f"{found}; {unchecked:,} of before there were checksums can be read" if unchecked else found
