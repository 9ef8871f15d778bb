"""What the demo uploads: made-up identifiers, and those of a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from staithe.cli import demo_records
from staithe.cli.demo_file import read_records
from staithe.cli.demo_records import (
    CONTACT_ID,
    EMAIL_ADDRESS,
    EXTERNAL_ID,
    FIRST_MADE_UP_ID,
    MALFORMED,
    Body,
    Records,
    cut_into_bodies,
    make_records,
)
from staithe.domain.errors import ValidationFailed


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def identifiers_in(body: Body) -> list[object]:
    text = body.content.decode()
    if body.content_type == "application/json":
        return [record["Id"] for record in json.loads(text)]
    header, *lines = csv.reader(text.splitlines())
    assert header == ["Id"]
    return [line[0] for line in lines]


@pytest.mark.parametrize(
    ("contacts", "count"), [(100, 100), (399, 100), (2_000, 500), (1_000_000, 250_000), (1_200_000, 250_000)]
)
def test_made_up_identifiers_are_a_quarter_of_the_contacts(contacts: int, count: int) -> None:
    values = make_records(contacts).values
    assert len(values) == count
    assert values == make_records(contacts).values
    numbers = [int(str(value)) for value in values if str(value).isdigit()]
    known = [number for number in numbers if number <= contacts]
    assert min(numbers) >= FIRST_MADE_UP_ID
    assert len(numbers) - len(known) == count // 100
    assert sum(value in MALFORMED for value in values) == max(1, count // 500)
    assert values.count("") == max(1, count // 1000)
    assert len(known) - len(set(known)) == count // 50


def test_bodies_alternate_and_keep_the_order() -> None:
    records = make_records(2_000)
    bodies = list(cut_into_bodies(records))
    assert [body.content_type for body in bodies] == ["application/json", "text/csv"] * 5
    assert [body.records for body in bodies] == [50] * 10
    assert [value for body in bodies for value in identifiers_in(body)] == records.values


@pytest.mark.parametrize("data_format", ["JSON", "CSV"])
def test_no_body_is_larger_than_an_upload_may_be(data_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_records, "UPLOAD_BYTES", 300)
    records = Records("Id", CONTACT_ID, [f"{n:020}" for n in range(500)], (data_format,))
    bodies = list(cut_into_bodies(records))
    assert max(len(body.content) for body in bodies) <= 300
    assert [value for body in bodies for value in identifiers_in(body)] == records.values


def test_quotes_commas_and_empty_values_survive_csv() -> None:
    records = Records("Id", CONTACT_ID, ['a"b', "c,d", "", "é\n"], ("CSV",))
    contents = [body.content.decode().partition("\r\n")[2] for body in cut_into_bodies(records)]
    assert contents == ['"a""b"\r\n', '"c,d"\r\n', '""\r\n', '"é\n"\r\n']


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "Id\n1\n2\n", ("Id", CONTACT_ID, ["1", "2"])),
        ("a.CSV", "\ufeffId\r\n1\r\n", ("Id", CONTACT_ID, ["1"])),
        ("a.csv", "paid,userId\n1,2\n", ("userId", CONTACT_ID, ["2"])),
        ("a.csv", "who, E-mail \nAnn,ann@example.com\n", ("E-mail", EMAIL_ADDRESS, ["ann@example.com"])),
        ("a.csv", "n,C_EmailAddress\n1\n2,a@b.cd\n", ("C_EmailAddress", EMAIL_ADDRESS, ["", "a@b.cd"])),
        ("a.csv", "first,second\n7,8\n", ("first", CONTACT_ID, ["7"])),
        ("a.csv", "ContactIDExt\ncstai000000000001\n", ("ContactIDExt", EXTERNAL_ID, ["cstai000000000001"])),
        ("a.json", '[{"x":1,"id":2},{"id":null},{}]', ("id", CONTACT_ID, [2, None, None])),
        ("a.json", '\ufeff[{"mail":""},{"mail":" a@b.cd"}]', ("mail", EMAIL_ADDRESS, ["", " a@b.cd"])),
    ],
)
def test_the_identifiers_of_a_file(
    tmp_path: Path, name: str, content: str, expected: tuple[str, str, list[object]]
) -> None:
    records = read_records(write(tmp_path, name, content), "")
    assert (records.field, records.statement, records.values) == expected
    assert records.formats == (name[2:].upper(),)


@pytest.mark.parametrize(
    ("name", "content", "column", "reason"),
    [
        ("a.txt", "Id\n1\n", "", "Must be a file whose name ends in .csv or .json."),
        ("a.csv", "", "", "Must have a first line with column names, but is empty."),
        ("a.csv", "\n\n", "", "Must have a first line with column names, but is empty."),
        ("a.csv", "Id\n", "", "Must have an identifier, but no record has one in the column Id."),
        ("a.csv", "Id,n\n,1\n", "", "Must have an identifier, but no record has one in the column Id."),
        ("a.csv", "12,Ann\n13,Bo\n", "", "Must have a first line with column names, but begins with 12,Ann."),
        ("a.csv", "Id\n1\n", "Key", "Has no column Key; it has Id."),
        ("a.csv", ",\n1,2\n", "", "Must have a column with a name of 1 to 100 characters, and records."),
        ("a.csv", b"Id\n\xff\n", "", "Must be UTF-8: byte 0xff is not."),
        ("a.json", " ", "", "Must be a JSON array of flat objects, but is empty."),
        ("a.json", "[]", "", "Must have a column with a name of 1 to 100 characters, and records."),
        ("a.json", "[{}]", "", "Must have a column with a name of 1 to 100 characters, and records."),
        ("a.json", '{"Id":1}', "", "Must be a JSON array of flat objects: Expected `array`, got `object`."),
        ("a.json", '["1"]', "", "Must be a JSON array of flat objects: Expected `object`, got `str` - at `$[0]`."),
        ("a.json", '[{"Id":1}', "", "Must be a JSON array of flat objects: Input data was truncated."),
        ("a.json", b'[{"Id":"\xff"}]', "", "Must be UTF-8: byte 0xff is not."),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, content: str | bytes, column: str, reason: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(ValidationFailed) as refused:
        read_records(path, column)
    assert refused.value.message == f"--file {path}: {reason}"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ValidationFailed, match="Cannot be read: Is a directory"):
        read_records(folder, "")


def test_a_nested_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="flat objects: Expected"):
        read_records(write(tmp_path, "a.json", '[{"Id":{"x":1}}]'), "")
