"""Random imports into the real store, and exports of what they leave, against the naive model."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staithe.domain.identifiers import NUL
from staithe.services import definitions, run_import, syncs
from staithe.services.stores import Stores
from staithe.staging import csv_rows, json_rows
from tests.conftest import NewDatabase
from tests.property.actions import FEW_ACTIONS
from tests.property.effort import examples
from tests.property.import_model import BAD_DATES, BAD_NUMBERS, DATES, NUMBERS, TARGETS, Contact, Import, Sent
from tests.property.import_world import ImportWorld
from tests.property.model import list_action
from tests.property.test_operations import MEMORY
from tests.property.world import CONTACTS_ELEMENT, MANY

COMPANIES = itertools.count(1)
EMAILS = ["a@x.yz", "B@x.yz", "c@X.yz", "Ünal@x.yz", "contact-1@example.com", "contact-65535@example.com"]
BAD_EMAILS = ["", "  ", "a", "a@x", "a b@x.yz"]
WORDS = ["ab", "AB", "Ab", "cd", "É", "é", "  ab ", "x\ny", 'q"q', "日本", "a\x00b"]
RULES = st.sampled_from(["always", "ifNewIsNotNull", "ifExistingIsNull", "useFieldRule"])
TEXTS = {
    "email": st.sampled_from([*EMAILS, *EMAILS, "  A@x.yz\t", "a@x.yz\0", *BAD_EMAILS]),
    "first": st.sampled_from([*WORDS, "", " "]),
    "company": st.sampled_from([*WORDS[:3], "", "x" * 300]),
    "score": st.sampled_from([*NUMBERS, *NUMBERS, *BAD_NUMBERS, "", " "]),
    "birthday": st.sampled_from([*DATES, *DATES, *BAD_DATES, "", " "]),
    "modified": st.sampled_from([*DATES, *DATES, *BAD_DATES, "", " "]),
    "id": st.sampled_from(["1", "2", "65535", " 3 ", "0001", "0", "-1", "x", "", "4294967296", "9" * 30, "65539"]),
    "ext": st.sampled_from(["CSTAI000000000001", "cstai000000065539", "CSTAI000000000099", "CSTAI1", "", "x"]),
}  # fmt: skip
CONTACT: st.SearchStrategy[Contact] = st.fixed_dictionaries(
    {
        "email": st.sampled_from(EMAILS),
        "first": st.sampled_from([None, *(word for word in WORDS if NUL not in word)]),
        "company": st.sampled_from([None, *WORDS[:3]]),
        "score": st.sampled_from([None, *NUMBERS.values()]),
        "birthday": st.sampled_from([None, *(utc for utc, _ in DATES.values())]),
        "modified": st.sampled_from([None, *(eastern for _, eastern in DATES.values())]),
    }
)


@st.composite
def imports(draw: st.DrawFn) -> Import:
    """An import; of its fields two may write the same."""
    identifier = draw(st.sampled_from(["email", "email", "id", "ext", "first", "company", "score"]))
    others = draw(st.lists(st.sampled_from(TARGETS), max_size=6))
    targets = draw(st.permutations([identifier, *others]))
    fields = [(f"{target} {place}", target) for place, target in enumerate(targets)]
    name = draw(st.sampled_from([name for name, target in fields if target == identifier]))
    emails = [n for n, target in fields if target == "email" and n != name]
    return Import(
        fields=fields,
        identifier=name,
        update_rule=draw(st.none() | RULES),
        update_rule_by_field=draw(st.dictionaries(st.sampled_from([n for n, _ in fields]), RULES, max_size=2)),
        import_rule=draw(st.sampled_from([None, None, "createAndUpdate", "updateOnly", "createOnly"])),
        updates_all=not emails and draw(st.booleans()),
        is_case_sensitive=draw(st.booleans()),
        empties_identifier=draw(st.sampled_from([False, False, True])),
        actions=draw(st.lists(FEW_ACTIONS, max_size=2)),
    )


@st.composite
def upload(draw: st.DrawFn, spec: Import) -> tuple[Sent, list[str], str]:
    """Records as JSON, which may lack values, or as CSV, which may lack columns and have lines that are broken."""
    kind = draw(st.sampled_from(["JSON", "CSV"]))
    names = [name for name in spec.names if name == spec.identifier or draw(st.integers(0, 5))]
    rows: list[dict[str, str] | None] = []
    for _ in range(draw(st.integers(0, 12))):
        if kind == "CSV" and draw(st.integers(0, 12)) == 0:
            rows.append(None)
            continue
        sent = names if kind == "CSV" else [n for n in names if n == spec.identifier or draw(st.integers(0, 5))]
        rows.append({name: draw(TEXTS[spec.target(name)]) for name in sent})
    unmapped = ["Extra"] if kind == "JSON" and rows and draw(st.integers(0, 5)) == 0 else []
    return Sent(rows, dict.fromkeys(names, "bad"), unmapped, has_mapped_field=bool(rows) or kind == "CSV"), names, kind


CRASHES = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=3)


@pytest.fixture(scope="module")
def stores(new_database: NewDatabase) -> Iterator[Stores]:
    """Of all companies; durability is for other tests."""
    folder = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="staithe-") as data:
        opened = Stores(Path(data), new_database())
        yield opened
        opened.close()


@examples(50)
@given(data=st.data(), people=st.lists(CONTACT, max_size=6), chunk=st.sampled_from([1, 3, 1000]))
def test_imports_and_exports_do_what_the_model_does(
    stores: Stores, data: Any, people: list[Contact], chunk: int
) -> None:
    world = ImportWorld(stores, f"company{next(COMPANIES)}")
    for contact in people:
        world.add(dict(contact))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_import, "CHUNK_RECORDS", chunk)
        for module in (json_rows, csv_rows):
            patch.setattr(module, "BLOCK_BYTES", 64)
        for _ in range(data.draw(st.integers(1, 3), "syncs")):
            spec = data.draw(imports(), "import")
            key = world.define_import(spec)
            sent = data.draw(st.lists(upload(spec), max_size=3), "uploads")
            for one in sent:
                world.upload(key, *one)
            world.run(key, spec, [one for one, _, _ in sent], data.draw(CRASHES, "crashes"))
            world.compare()
    world.check_export(
        in_utc=data.draw(st.booleans()),
        most=data.draw(st.none() | st.integers(1, 12)),
        limit=data.draw(st.integers(1, 9)),
    )


def test_a_definition_deleted_between_chunks_stops_the_import(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done stays, nothing more is done, and no file is left."""
    world = ImportWorld(stores, f"company{next(COMPANIES)}")
    spec = Import(fields=[("mail", "email")], identifier="mail", actions=[list_action(1)])
    key = world.define_import(spec)
    for email in ("a@x.yz", "b@x.yz"):
        world.upload(key, Sent([{"mail": email}, {"mail": "wrong"}]), ["mail"], "JSON")
    real = run_import.commit_chunk

    def commit_chunk(*arguments: Any) -> None:
        real(*arguments)
        definitions.delete(world.world.caller, CONTACTS_ELEMENT, key)

    monkeypatch.setattr(run_import, "commit_chunk", commit_chunk)
    sync = syncs.create(world.world.caller, {"syncedInstanceUri": f"/contacts/imports/{key.id}"})
    world.world.work()
    log, _, _ = syncs.read_log(world.world.caller, sync.id, MANY)
    assert [(line.code, line.message) for line in log][1] == (
        "ELQ-00143",
        "The definition was deleted before the sync ended; 2 records had been imported.",
    )
    world.add_to_model({"email": "a@x.yz"})
    world.compare()
