"""The rules of the house that no other tool holds: sizes, words, schema, lock files, documents that tell the truth."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, inspect
from sqlalchemy.engine import Inspector

from staithe import __version__
from staithe.cli.commands import COMMANDS, CommandRow
from staithe.domain import codes, limits
from staithe.domain.codes import StatusCode
from staithe.domain.elements import OPERATIONS
from staithe.http.errors import STATUSES
from staithe.storage.databases import open_databases
from staithe.storage.tables import CONTROL_METADATA, METADATA
from tests.conftest import NewDatabase

ROOT = Path(__file__).parent.parent.parent
LONGEST_FILE = 500
LONGEST_FUNCTION = 70
CODE = sorted(p for folder in ("src", "tests", "bench") for p in (ROOT / folder).rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(p for folder in ("docs", "deploy") for p in (ROOT / folder).rglob("*.md"))])


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    long = [f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    assert long == []


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_its_duty(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_no_module_has_a_name_without_meaning() -> None:
    names = {path.stem for path in (ROOT / "src").rglob("*.py")}
    assert names.isdisjoint({"utils", "helpers", "common", "base", "manager", "misc"})


def test_only_the_fields_words_are_used() -> None:
    """The glossary's last column: words that would be a second name for something."""
    table = (ROOT / "docs" / "glossary.md").read_text()
    never = {w.strip() for row in re.findall(r"^\|.*\|$", table, re.M)[2:] for w in row.split("|")[3].split(",")} - {""}
    assert len(never) > 5
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, never))})s?\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {word[0]}"
        for path in (ROOT / "src").rglob("*.py")
        for word in pattern.finditer(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(("migrations", "metadata"), [("company", METADATA), ("control", CONTROL_METADATA)])
def test_a_migrated_schema_equals_a_fresh_one(
    tmp_path: Path, new_database: NewDatabase, migrations: str, metadata: MetaData
) -> None:
    shapes: list[dict[str, object]] = []
    for name in ("migrated", "fresh"):
        databases = open_databases(tmp_path / name, new_database())
        databases.make_company(1)
        database = databases.control if migrations == "control" else databases.open_company(1)
        with database.write() as connection:
            if name == "fresh":
                metadata.drop_all(connection)
                metadata.create_all(connection)
            shapes.append(shape(inspect(connection), getattr(database, "schema", None)))
        databases.close()
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > len(metadata.tables) > 3


def shape(inspector: Inspector, schema: str | None) -> dict[str, object]:
    """Everything that makes a schema."""
    return {
        table: (
            [{k: str(v) for k, v in column.items()} for column in inspector.get_columns(table, schema)],
            inspector.get_pk_constraint(table, schema),
            sorted(map(shape_of_index, inspector.get_indexes(table, schema)), key=lambda index: str(index["name"])),
            sorted(inspector.get_unique_constraints(table, schema), key=str),
        )
        for table in inspector.get_table_names(schema)
    }


def shape_of_index(index: Any) -> dict[str, object]:
    """An index; the condition of a partial one is an object, which equals no other."""
    return {**index, "dialect_options": {name: str(value) for name, value in index["dialect_options"].items()}}


@pytest.mark.parametrize("kind", ["company", "control"])
def test_both_dialects_have_the_same_migrations(kind: str) -> None:
    """Their numbers are the schema's version, which backups compare."""
    folder = ROOT / "src" / "staithe" / "storage" / "migrations" / kind
    names = [
        {path.name.split(".")[0] for path in folder.glob(f"*.{dialect}.sql")} for dialect in ("sqlite", "postgresql")
    ]
    assert names[0] == names[1]
    assert len(names[0]) > 1


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines()]


LOCK_FILES = [*ROOT.glob("requirements*.lock"), *(ROOT / "tests" / "clients").glob("*.lock")]


@pytest.mark.parametrize("name", [str(path.relative_to(ROOT)) for path in sorted(LOCK_FILES)])
def test_lock_files_have_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.M), "no options: where packages come from is the installer's business"
    assert text.count("--hash=sha256:") >= len(re.findall(r"^[\w.-]+==", text, re.M))


def test_the_lock_file_of_node_has_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "tests" / "clients" / "node" / "package-lock.json").read_text())["packages"]
    assert len(packages) > 5
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name


def test_no_path_of_a_machine() -> None:
    for path in tracked_files():
        if path != Path(__file__) and path.is_file():
            assert not re.search(r"/(home|Users|root)/\w", path.read_text(errors="replace")), path


def test_both_lock_files_hold_the_same_versions() -> None:
    def versions(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / name).read_text(), re.M))

    runtime, development = versions("requirements.lock"), versions("requirements-dev.lock")
    assert runtime.items() <= development.items()
    assert "pytest" in development.keys() - runtime.keys()


def test_every_limit_and_code_has_a_source() -> None:
    text = Path(limits.__file__).read_text()
    for name in (n for n in vars(limits) if n.isupper() and n not in ("MICROSECOND", "SECOND", "HOUR", "DAY")):
        docstring = re.search(rf'^{name}: Final = .*\n"""(.*)"""', text, re.M)
        assert docstring, name
        assert "[" in docstring[1], f"{name} names no source"


def all_codes() -> list[StatusCode]:
    return [value for value in vars(codes).values() if isinstance(value, StatusCode)]


def test_codes_are_unique() -> None:
    """But for repeated identifiers, a warning of imports, as recorded, and harmless to sync actions; and for how an
    upload was read, which takes several lines."""
    times = Counter(code.reason for code in all_codes())
    assert sorted(code for code, count in times.items() if count > 1) == ["ELQ-00026", "ELQ-00104"]
    assert [code.code for code in codes.REJECT_CODES.values()] == list(codes.REJECT_CODES)
    assert [code.reason for code in codes.REJECT_REASONS.values()] == list(codes.REJECT_REASONS)


@pytest.mark.parametrize("code", all_codes(), ids=lambda c: c.code)
def test_every_code_that_is_written_is_documented(code: StatusCode) -> None:
    assert code.code in (ROOT / "docs" / "compatibility.md").read_text()


@pytest.mark.parametrize("status", sorted({204, 201, 500, *STATUSES.values()}))
def test_every_answer_of_the_upload_is_documented(status: int) -> None:
    assert re.search(rf"^\| {status} \|", (ROOT / "docs" / "compatibility.md").read_text(), re.M)


def test_every_served_operation_is_documented() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text()
    for operation in OPERATIONS:
        mark = "yes" if operation.served else "not yet"
        assert f"| {operation.method} | `{operation.path}` | {mark} |" in text, "run: python -m tests.house.coverage"


def test_the_readme_has_its_parts_in_order() -> None:
    text = (ROOT / "README.md").read_text()
    parts = ("# Staithe", "make demo", "make test", "What you then see", "curl", "ARCHITECTURE.md")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_every_command_is_in_the_readme_or_the_docs() -> None:
    text = "".join(path.read_text() for path in DOCUMENTS)
    assert len(COMMANDS) >= 4
    for row in COMMANDS:
        assert f"staithe {row.name}" in text, row.name


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_the_list_of_commands_says_what_the_commands_say_of_themselves(row: CommandRow) -> None:
    help_text = row.load().help
    assert help_text is not None
    assert help_text.partition("\n\n")[0].replace("\n", " ") == row.help


def test_the_changelog_tells_of_this_version() -> None:
    assert re.search(rf"^## {re.escape(__version__)} ", (ROOT / "CHANGELOG.md").read_text(), re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_module_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:src|tests|bench|docs)/[\w/.-]+)`", text)
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists(), name
