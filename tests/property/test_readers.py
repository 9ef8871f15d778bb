"""The readers of uploads against naive ones: the same records, however a file is cut and whatever is around."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from staithe.domain.errors import ParseFailed
from staithe.staging import csv_rows, json_rows, quotes
from tests.property.bodies import FIELDS, csv_reader, json_reader, read_all
from tests.support.nightly import effort

FILES = effort("files read beside a naive reader")
SEED = 20261127
PARTS = (
    *('"', '"', '""', ",", ",", "\n", "\n", "\r\n", "\r", "a", "b c", " ", "é", "\0"),
    *('5" pipe', '"x"', '"y",', "\ufeff"),
)
HEADERS = ("Id,Name", "Id", "Name,a,b,Id", "a,Id,b,c,d,Name,e,f,g")
Row = list[str | bool | None]


def read_naively(text: str) -> Iterator[tuple[list[str], bool]]:
    """(values, whether a quote is broken) of each line; a value that is never closed is an `EOFError`."""
    values, value, state, broken, is_empty = [""], "", "start", False, True
    for character in [*text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n"), "\n"]:
        if state == "quoted" or (state == "closed" and character == '"'):
            if state == "quoted" and character == '"':
                state = "closed"
            else:
                value, state = value + character, "quoted"
        elif character == ",":
            values[-1], value, state, is_empty = value, "", "start", False
            values.append("")
            continue
        elif character == "\n":
            values[-1], value, state = value, "", "start"
            if not is_empty:
                yield values, broken
            values, broken, is_empty = [""], False, True
            continue
        elif state == "start" and character == '"':
            state = "quoted"
        else:
            broken = broken or state == "closed"
            value, state = value + character, "plain"
        is_empty = False
    if state != "start":
        raise EOFError


def expected(text: str, header: str = HEADERS[0]) -> list[Row]:
    """The records of a file as they are staged; what a record lacks is empty, and a field without a column is None."""
    names = header.split(",")
    rows = [(values, broken or len(values) != len(names)) for values, broken in read_naively(text)]
    filled = [([*values, *[""] * len(names)][: len(names)], unreadable) for values, unreadable in rows]
    return [[values[names.index(f)] if f in names else None for f in FIELDS] + [flag] for values, flag in filled]


def normal_rows(rows: list[list[str | None]]) -> list[list[str | bool | None]]:
    """Line ends inside of quoted values are kept as they are; the naive reader knows line feeds alone."""
    return [[v.replace("\r\n", "\n").replace("\r", "\n") if isinstance(v, str) else v for v in row] for row in rows]


def test_files_are_read_as_a_naive_reader_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(SEED)
    refused = unreadable = 0
    for _ in range(FILES):
        text = "".join(chance.choices(PARTS, k=chance.randint(0, 40)))
        header = chance.choice(HEADERS)
        body = f"{header}\n{text}".encode()
        monkeypatch.setattr(csv_rows, "BLOCK_BYTES", chance.choice([1, 7, 30, 64, 64, 4096, 4096, 4096]))
        sizes = [chance.randint(1, 90) for _ in range(3)]
        try:
            wanted = expected(text, header)
        except EOFError:
            refused += 1
            with pytest.raises(ParseFailed, match="never closes"):
                read_all(csv_reader(), body, sizes)
            continue
        assert normal_rows(read_all(csv_reader(), body, sizes)) == wanted, repr(text)
        unreadable += sum(bool(row[2]) for row in wanted)
    assert refused > FILES / 20
    assert unreadable > FILES


def test_a_record_is_the_same_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file again between others, padded before and behind to any size."""
    chance = random.Random(SEED)
    for _ in range(FILES // 10):
        text = "".join(chance.choices(PARTS, k=chance.randint(0, 40))) + "\n"
        padding = chance.choice(["p,q\n", '"p","q"\n', '"p\n""","q"\r\n', 'p,5" q\n', "p\n", '"p"x,q\n'])
        before, behind = (chance.randint(0, 200) for _ in range(2))
        monkeypatch.setattr(csv_rows, "BLOCK_BYTES", chance.choice([64, 512, 4096]))
        try:
            alone = expected(text)
        except EOFError:
            with pytest.raises(ParseFailed):
                read_all(csv_reader(), f"Id,Name\n{text}".encode())
            continue
        [one] = expected(padding)
        body = f"Id,Name\n{padding * before}{text}{padding * behind}".encode()
        found = read_all(csv_reader(), body, [chance.randint(1, 5000)])
        assert normal_rows(found) == [one] * before + alone + [one] * behind


@pytest.mark.parametrize(
    "text",
    ['"', '"' * 100_000, '",' * 50_000, 'a"' * 50_000, 'x,"' + "a\n" * 50_000, '"""' * 30_000 + "\n", ',"\n' * 30_000],
    ids=lambda text: text[:6],
)
@pytest.mark.parametrize("cut", [1, 100, 4096])
def test_each_byte_is_looked_at_once(text: str, cut: int) -> None:
    """So whatever the quotes are, the time that a file takes grows with its size."""
    scanner = quotes.QuoteScanner(1024)
    body = text.encode()
    looked_at = 0
    for start in range(0, len(body), cut * 100):
        end = start + cut * 100
        looked_at += sum(len(p) for _, p, _ in scanner.pieces(body[:end], is_all=end >= len(body)))
    assert looked_at <= len(body) == scanner.place


def test_json_records_are_the_same_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(SEED)
    texts = ['"', "\\", "},{", "}", "{", ":", '":', "\n", "é", "a", '\\"', "]"]
    for _ in range(FILES // 10):
        values = ["".join(chance.choices(texts, k=chance.randint(0, 8))) for _ in range(6)]
        records = [{"Id": id_, "Name": name} for id_, name in zip(values[::2], values[1::2], strict=True)]
        padding = chance.choice([{"Id": "p"}, {"id": "p"}, {"Id": '"},{', "Name": "\\"}, {"Id": "p", "x": 1.50}])
        before, behind = (chance.randint(0, 200) for _ in range(2))
        monkeypatch.setattr(json_rows, "BLOCK_BYTES", chance.choice([16, 512, 4096]))
        blanks = chance.choice([None, 1])
        body = json.dumps([padding] * before + records + [padding] * behind, indent=blanks).encode()
        found = read_all(json_reader(), body, [chance.randint(1, 5000)])
        one = [next(iter(padding.values())), padding.get("Name"), False]
        assert found == [one] * before + [[*record.values(), False] for record in records] + [one] * behind
