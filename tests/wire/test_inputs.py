"""What people have sent that other servers misread: each is imported as it was meant, or refused, and never silent."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from typing import Any

import pytest
from sqlalchemy import literal, select

from staithe.clock import system_clock
from staithe.domain.companies import Role, User
from staithe.domain.definitions import DefinitionKey
from staithe.domain.elements import ELEMENTS_BY_NAME
from staithe.domain.errors import Busy
from staithe.domain.folding import FOLDS, fold
from staithe.services.caller import Caller
from staithe.services.stores import CompanyStore
from staithe.services.uploads import ReceivingUpload, UploadRequest
from staithe.storage.folding import folded
from tests.support.api import Api
from tests.support.imports import EMAIL, FIRST, contact, define_import, run_import
from tests.support.server import RunningServer
from tests.support.times import timeless
from tests.wire.test_syncs import line

one_database = pytest.mark.one_database("What a value means is decided before a database is asked.")

ADDRESS = "{{Contact.Field(C_Address1)}}"
FIELDS = {"email": EMAIL, "addr": ADDRESS, "first": FIRST}
CSV, JSON = "text/csv", "application/json"
HEADER = "email,addr,first\n"
UNUSABLE = "The value does not fit its field; the rest of the record was imported."
MALFORMED = "The record cannot be read: its columns or its identifier are malformed."


def define(api: Api, **changes: Any) -> str:
    return define_import(api, **({"fields": FIELDS, "identifierFieldName": "email"} | changes))


def run(api: Api, body: str | bytes | list[Any], **changes: Any) -> dict[str, Any]:
    """Upload records as JSON, or a text as CSV, and sync."""
    changes = {"fields": FIELDS, "identifierFieldName": "email"} | changes
    if isinstance(body, list):
        return run_import(api, body, **changes)
    return run_import(api, body if isinstance(body, bytes) else body.encode(), CSV, **changes)


def refusal(api: Api, body: bytes, content_type: str = CSV) -> str:
    """Why an upload is refused, after which nothing is staged."""
    uri = define(api)
    answer = api.upload(uri, body, **{"content-type": content_type})
    assert answer.status_code == 400, answer.text
    assert api.bulk("GET", uri).json().get("kbUsed") is None
    (failure,) = answer.json()["failures"]
    return str(failure["constraint"])


def stored(api: Api, email: str) -> list[dict[str, Any]]:
    """The contacts with an address."""
    found = api.rest("GET", "/data/contacts", params={"search": f"emailAddress='{email}'", "depth": "complete"}).json()
    return [dict(element) for element in found["elements"]]


def make_field(api: Api, name: str, data_type: str, display_type: str) -> dict[str, Any]:
    field = {"name": name, "dataType": data_type, "displayType": display_type}
    return dict(api.rest("POST", "/assets/contact/field", json=field).raise_for_status().json())


def rejects(api: Api, sync: dict[str, Any]) -> list[dict[str, Any]]:
    return list(api.bulk("GET", f"{sync['uri']}/rejects").json()["items"])


def reject(code: str, message: str, index: int, values: tuple[str, str, str], *invalid: str) -> dict[str, Any]:
    return {
        "fieldValues": dict(zip(FIELDS, values, strict=True)),
        "message": message,
        "statusCode": code,
        "recordIndex": index,
        "invalidFields": list(invalid),
    }


def as_csv(rows: list[tuple[str, str, str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return HEADER + out.getvalue()


def test_a_quote_inside_a_value_is_a_character(api: Api) -> None:
    sync = run(api, HEADER + 'x@q.example,5" pipe,Ann\ny@q.example,"6"" pipe",Bea\n')
    assert sync["status"] == "success"
    assert [stored(api, f"{name}@q.example")[0]["address1"] for name in "xy"] == ['5" pipe', '6" pipe']


def test_a_quote_that_never_closes_is_named_and_nothing_is_stored(api: Api) -> None:
    rows = [f"n{i}@open.example,Street {i},Ann" for i in range(1, 1001)]
    rows[500] = 'n501@open.example,"Street 501,Ann'
    body = (HEADER + "\n".join(rows) + "\n").encode()
    assert refusal(api, body) == "Must be CSV whose quotes are closed, but record 501 opens one that never closes."
    assert refusal(api, b'email,"addr\na@x.example,b\n') == (
        "Must be CSV whose quotes are closed, but the first line opens one that never closes."
    )


@one_database
@pytest.mark.parametrize("padding", [0, 100, 12_000])
def test_the_same_records_at_any_size(api: Api, padding: int) -> None:
    """Quoted line breaks, a bare quote and broken records, alone and in the middle of a file of several blocks."""
    around = "".join(f'p{i}@pad{padding}.example,"Road {i}\nHouse 1",Pat\n' for i in range(padding))
    odd = (
        f'a@size{padding}.example,5" pipe,Ann\n'
        f'b@size{padding}.example,"Smith" Jr,Bea\n'
        f'c@size{padding}.example,"one \\" two",Cay\n'
        f'd@size{padding}.example,"one, ""two""\nthree",Dot\n'
        f"e@size{padding}.example,short\n"
    )
    sync = run(api, HEADER + around + odd + around.replace("p", "q"))
    assert rejects(api, sync) == [
        reject("ELQ-00032", MALFORMED, padding + 2, (f"b@size{padding}.example", "Smith Jr", "Bea"), "email"),
        reject("ELQ-00032", MALFORMED, padding + 3, (f"c@size{padding}.example", 'one \\ two"', "Cay"), "email"),
        reject("ELQ-00032", MALFORMED, padding + 5, (f"e@size{padding}.example", "short", ""), "email"),
    ]
    assert stored(api, f"a@size{padding}.example")[0]["address1"] == '5" pipe'
    assert stored(api, f"d@size{padding}.example")[0]["address1"] == 'one, "two"\nthree'
    assert [len(stored(api, f"{name}@size{padding}.example")) for name in "bce"] == [0, 0, 0]
    if padding:
        assert stored(api, f"p{padding - 1}@pad{padding}.example")[0]["address1"] == f"Road {padding - 1}\nHouse 1"
    counts = {entry["statusCode"]: entry["count"] for entry in api.log(sync["uri"])}
    assert (counts["ELQ-00001"], counts["ELQ-00004"]) == (2 * padding + 5, 2 * padding + 2)


@one_database
@pytest.mark.parametrize(
    "number", ["12345678901234567.25", "1e22", "0.00001", "1.50", "1.0", "-0", "-0.0", "123456789012345678901", "1E+5"]
)
def test_a_number_in_json_keeps_its_characters(api: Api, number: str) -> None:
    uri = define(api)
    body = f'[{{"email": "n@num.example", "addr": {number}, "first":{number}}}]'
    assert api.upload(uri, body.encode()).status_code == 204
    assert api.sync(uri)["status"] == "success"
    (found,) = stored(api, "n@num.example")
    assert (found["address1"], found["firstName"]) == (number, number)


@one_database
@pytest.mark.parametrize(
    ("text", "value"), [("1e2", "100"), ("0.00001", "0.00001"), ("1.50", "1.5"), ("12345678901234567.25", None)]
)
def test_numeric_fields_read_json_numbers_as_texts(api: Api, text: str, value: str | None) -> None:
    made = api.rest(
        "POST", "/assets/contact/field", json={"name": "Score", "dataType": "numeric", "displayType": "text"}
    ).json()
    fields = {"email": EMAIL, "score": f"{{{{Contact.Field({made['internalName']})}}}}"}
    for body, content_type in (
        (f'[{{"email":"n@score.example","score":{text}}}]', JSON),
        (f"email,score\nm@score.example,{text}\n", CSV),
    ):
        uri = define(api, fields=fields)
        assert api.upload(uri, body.encode(), **{"content-type": content_type}).status_code == 204
        found = [(r["statusCode"], r["invalidFields"]) for r in rejects(api, api.sync(uri))]
        assert found == ([] if value is not None else [("ELQ-00040", ["score"])])
    for email in ("n@score.example", "m@score.example"):
        values = {v["id"]: v.get("value", "") for v in stored(api, email)[0]["fieldValues"]}
        assert values.get(made["id"], "") == (value or "")


def test_columns_and_keys_are_compared_by_one_rule(api: Api) -> None:
    sync = run(api, '\ufeff Email , "ADDR" ,fIRST\na@rule.example,Road,Ann\n\ufeffb@rule.example,Road,Bea\n')
    assert sync["status"] == "success"
    names = {"identifierFieldName": " EMAIL ", "updateRuleByField": {"FIRST": "always"}}
    assert run(api, "email,first\nb@rule.example,Bob\n", updateRule="ifExistingIsNull", **names)["status"] == "success"
    assert stored(api, "b@rule.example")[0]["firstName"] == "Bob"
    sync = run(api, [{" EMAIL": "c@rule.example", "\ufeffAddr": "Road", "first ": "\ufeffCay"}])
    assert sync["status"] == "success"
    found = [stored(api, f"{name}@rule.example")[0] for name in "abc"]
    assert [(c["firstName"], c["address1"]) for c in found] == [("Ann", "Road"), ("Bob", "Road"), ("Cay", "Road")]


@one_database
@pytest.mark.parametrize(
    ("body", "content_type", "rule"),
    [
        (
            b"email,first,first\na@x.example,Ann,Bea\n",
            CSV,
            "Must have one column for each field, but 'first' and 'first' both mean 'first'.",
        ),
        (
            b'[{"email":"a@x.example","first":"Ann","first":"Bea"}]',
            JSON,
            "Must have one value for each field, but in record 1 'first' and 'first' both mean 'first'.",
        ),
        (
            b'[{"email":"a@x.example"},{"email":"b@x.example","first":"Ann","FIRST":"Bea"}]',
            JSON,
            "Must have one value for each field, but in record 2 'first' and 'FIRST' both mean 'first'.",
        ),
    ],
)
def test_a_field_that_comes_twice_is_refused(api: Api, body: bytes, content_type: str, rule: str) -> None:
    assert refusal(api, body, content_type) == rule


def test_a_definition_has_no_two_names_that_no_file_could_tell_apart(api: Api) -> None:
    fields = {"email": EMAIL, "first": FIRST, " FIRST": ADDRESS}
    answer = api.bulk("POST", "/contacts/imports", json={"name": "x", "fields": fields, "identifierFieldName": "email"})
    assert answer.status_code == 400
    assert answer.json()["failures"] == [
        {
            "field": "fields",
            "constraint": "Must have names that differ by more than case and blanks: 'first'.",
            "value": " FIRST",
        }
    ]


@one_database
@pytest.mark.parametrize(
    "email",
    [
        "zero\u200bwidth@mail.example",
        "right\u202eleft@mail.example",
        "one\u0001@mail.example",
        "del\u007f@mail.example",
        "ann@em1..ex.com",
        "mailto:ann@mail.example",
        "two@at@mail.example",
        "no dot@mail.example",
        "ann@mail",
        ".ann@mail.example",
        "a" * 65 + "@mail.example",
    ],
)
def test_what_is_no_email_address_is_refused(api: Api, email: str) -> None:
    sync = run(api, [{"email": email, "addr": "Road", "first": "Ann"}])
    assert sync["status"] == "warning"
    assert rejects(api, sync) == [reject("ELQ-00002", "Invalid email address.", 1, (email, "Road", "Ann"), "email")]
    assert run(api, as_csv([(email, "Road", "Ann")]))["status"] == "warning"


@pytest.mark.parametrize(
    "email", ["o'neil+x@mail.example", "用户@例子.example", "ü@münchen.example", "a_b-c@x-y.example"]
)
def test_an_unusual_email_address_is_imported(api: Api, email: str) -> None:
    assert run(api, [{"email": email}])["status"] == "success"
    assert len(stored(api, email.replace("'", "*"))) == 1


def test_texts_beyond_the_documented_size_are_left_out(api: Api) -> None:
    made = api.rest(
        "POST", "/assets/contact/field", json={"name": "Notes", "dataType": "largeText", "displayType": "textArea"}
    ).json()
    fields = FIELDS | {"notes": f"{{{{Contact.Field({made['internalName']})}}}}"}
    records = [
        {"email": "fits@long.example", "first": "é" * 100, "notes": "n" * 32_000},
        {"email": "long@long.example", "first": "é" * 101, "addr": "Road", "notes": "n" * 32_001},
        {"email": "both@long.example", "first": "f" * 101, "addr": "a\0b"},
    ]
    sync = run(api, records, fields=fields)
    too_long = (
        "The value has more characters than its field holds: 100, or 32,000 in a large text; the rest of the record "
        "was imported."
    )
    found = [(r["statusCode"], r["message"], r["recordIndex"], r["invalidFields"]) for r in rejects(api, sync)]
    assert found == [
        ("ELQ-00040", too_long, 2, ["first", "notes"]),
        ("ELQ-00040", UNUSABLE, 3, ["addr", "first"]),
    ]
    (fits,), (long,) = stored(api, "fits@long.example"), stored(api, "long@long.example")
    assert fits["firstName"] == "é" * 100
    assert (long.get("firstName", ""), long["address1"]) == ("", "Road")
    log = [(e["statusCode"], e["count"]) for e in api.log(sync["uri"]) if e["statusCode"] in ("ELQ-00040", "ELQ-00144")]
    assert log == [("ELQ-00040", 2), ("ELQ-00144", 2)]


def test_dates_with_the_month_first_are_told(api: Api) -> None:
    made = api.rest(
        "POST", "/assets/contact/field", json={"name": "Since", "dataType": "date", "displayType": "text"}
    ).json()
    fields = FIELDS | {"since": f"{{{{Contact.Field({made['internalName']})}}}}"}
    dates = ("05/06/2024", "2024-06-05", "13/06/2024", "5/6/2024 10:00")
    sync = run(api, [{"email": f"d{i}@date.example", "since": date} for i, date in enumerate(dates)], fields=fields)
    told = [timeless(entry) for entry in api.log(sync["uri"]) if "month" in entry["message"]]
    assert told == [line("ELQ-00104", "information", 2, "Dates in since read as month/day/year.")]
    assert [(r["recordIndex"], r["invalidFields"]) for r in rejects(api, sync)] == [(3, ["since"])]


def test_records_without_values_and_short_ones_say_so(api: Api) -> None:
    sync = run(api, "email,addr,first\na@short.example,Ann\n,,\n  ,  ,\t\n,Road,\n  \n")
    assert rejects(api, sync) == [
        reject("ELQ-00032", MALFORMED, 1, ("a@short.example", "Ann", ""), "email"),
        reject("ELQ-00059", "The record has no value.", 2, ("", "", ""), "email"),
        reject("ELQ-00059", "The record has no value.", 3, ("  ", "  ", "\t"), "email"),
        reject("ELQ-00061", "A required field is empty or missing.", 4, ("", "Road", ""), "email"),
        reject("ELQ-00059", "The record has no value.", 5, ("  ", "", ""), "email"),
    ]
    sync = run(api, [{}, {"other": "x"}, {"email": " ", "addr": None}])
    assert [r["statusCode"] for r in rejects(api, sync)] == ["ELQ-00059"] * 3


def test_rejects_name_the_true_cause(api: Api) -> None:
    by_id = {"id": "{{Contact.Id}}", "email": EMAIL}
    sync = run(api, [{"id": "1", "email": "contact-2@example.com"}], fields=by_id, identifierFieldName="id")
    (taken,) = rejects(api, sync)
    assert (taken["statusCode"], taken["message"], taken["invalidFields"]) == (
        "ELQ-00048",
        "Another contact has this email address.",
        ["email"],
    )
    by_phone = {"phone": "{{Contact.Field(C_BusPhone)}}", "first": FIRST}
    sync = run(api, [{"phone": "+1 555", "first": "Ann"}], fields=by_phone, identifierFieldName="phone")
    (homeless,) = rejects(api, sync)
    assert (homeless["statusCode"], homeless["message"], homeless["invalidFields"]) == (
        "ELQ-00061",
        "No contact has this identifier, and the definition has no field for the email address that a new one needs.",
        ["C_EmailAddress"],
    )


@pytest.mark.parametrize(
    ("rule", "left"), [("always", ""), ("ifNewIsNotNull", "Ann"), ("ifExistingIsNull", "Ann"), ("useFieldRule", "")]
)
def test_blanks_are_no_value(api: Api, rule: str, left: str) -> None:
    assert run(api, [{"email": "b@blank.example", "first": "Ann"}])["status"] == "success"
    assert run(api, [{"email": "b@blank.example", "first": " \u00a0\t "}], updateRule=rule)["status"] == "success"
    assert stored(api, "b@blank.example")[0].get("firstName", "") == left


def test_letters_fold_as_unicode_does(api: Api) -> None:
    by_company = {"company": "{{Contact.Field(C_Company)}}", "email": EMAIL, "first": FIRST}
    made = [{"email": f"{i}@fold.example", "company": name} for i, name in enumerate(("ÉCLAIR", "ΣΟΦΟΣ", "ẞtraße"))]
    assert run(api, made, fields=by_company)["status"] == "success"
    asked = [{"company": name, "first": "found"} for name in ("éclair", "σοφος", "ßTRAßE")]
    changes = {"fields": {"company": by_company["company"], "first": FIRST}, "identifierFieldName": "company"}
    sync = run(api, asked, **changes)
    assert (sync["status"], rejects(api, sync)) == ("success", [])
    for i in range(3):
        assert stored(api, f"{i}@fold.example")[0]["firstName"] == "found"
    for text, count in (("éCLAIR", 1), ("Σοφοσ", 1), ("ecla*", 0), ("*Éclai*", 1)):
        found = api.rest("GET", "/data/contacts", params={"search": f"C_Company='{text}'"}).json()
        assert (text, found["total"]) == (text, count)
    filters = {"= 'Éclair'": 1, "~ '%CLAIR'": 1, "~ 'é%'": 1, "IN ('σΟΦΟς', 'x')": 1, "!= 'éCLAIR'": 102}
    for text, count in filters.items():
        body = {
            "name": "fold",
            "fields": {"email": EMAIL},
            "filter": f"'{{{{Contact.Field(C_Company)}}}}' {text}",
        }
        uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
        sync = api.sync(uri)
        assert (text, api.bulk("GET", f"{sync['uri']}/data").json()["totalResults"]) == (text, count)


def test_databases_fold_every_letter_alike(store: CompanyStore) -> None:
    letters = "".join(map(chr, FOLDS)) + "ßİΐéﬁ😀"
    with store.database.read() as connection:
        found = connection.execute(select(folded(literal(letters)), folded(literal("A[Z]%_")))).one()
    assert tuple(found) == (fold(letters), "a[z]%_")


def test_instance_ids_with_dashes_are_taken(api: Api) -> None:
    dashed, plain = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "0F1E2D3C4B5A69788796A5B4C3D2E1F0"
    destination = f"{{{{ActionInstance({dashed}).Execution[3]}}}}"
    uri = api.define({"destination": destination, "action": "setStatus", "status": "complete"})
    assert api.upload(uri, [{"Id": "7"}]).status_code == 204
    assert api.sync(uri)["status"] == "success"
    body = {
        "name": "status",
        "fields": {"Id": "{{Contact.Id}}"},
        "filter": f"STATUS('{{{{ActionInstance({plain}).Execution[3]}}}}') = 'complete'",
    }
    sync = api.sync(api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"])
    assert api.bulk("GET", f"{sync['uri']}/data").json()["items"] == [{"Id": "7"}]


@pytest.mark.parametrize("word", ["1", "True", "true", "yes", "Y"])
def test_states_compare_with_any_word_for_true(api: Api, word: str) -> None:
    statement = "'{{Contact.Email.IsSubscribed}}'"
    body = {"name": "state", "fields": {"Id": "{{Contact.Id}}"}, "filter": f"{statement} = '{word}'"}
    sync = api.sync(api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"])
    assert api.bulk("GET", f"{sync['uri']}/data").json()["totalResults"] == 100
    body["filter"] = f"{statement} = 'x{word}'"
    answer = api.bulk("POST", "/contacts/exports", json=body)
    assert (answer.status_code, answer.json()["failures"][0]["field"]) == (400, "filter")


def test_utf16_is_refused(api: Api) -> None:
    text = HEADER + "a@x.example,b,c\n"
    zero = "Must be UTF-8, but begins with a zero byte as UTF-16 does."
    assert refusal(api, text.encode("utf-16-le")) == zero
    assert refusal(api, text.encode("utf-16-be")) == zero
    uri = define(api)
    for piece_by_piece in (iter([b"e", b"\0", b"m\0"]), iter([b"\0", b"e"])):
        answer = api.bulk("POST", f"{uri}/data", content=piece_by_piece, headers={"content-type": CSV})
        assert answer.json()["failures"][0]["constraint"] == zero
    assert refusal(api, text.encode("utf-16")) == "Must be UTF-8: byte 0xff at byte offset 0 is not."
    assert refusal(api, json.dumps([{"email": "a@x.example"}]).encode("utf-16-le"), JSON)


@one_database
@pytest.mark.parametrize("padding", [1, 512, 100_000])
def test_gzip_may_be_padded_with_zeros(api: Api, padding: int) -> None:
    uri = define(api)
    body = gzip.compress(HEADER.encode()) + bytes(padding) + gzip.compress(b"a@zip.example,b,c\n") + bytes(padding)
    headers = {"content-type": CSV, "content-encoding": "gzip"}
    assert api.upload(uri, body, **headers).status_code == 204
    assert api.sync(uri)["status"] == "success"
    assert len(stored(api, "a@zip.example")) == 1
    assert api.upload(uri, body + b"\0x", **headers).status_code == 400


@pytest.mark.parametrize(
    "parameters",
    [{"q": "name"}, {"q": "nothing=1"}],
)
def test_a_search_that_cannot_be_understood_is_refused(api: Api, parameters: dict[str, str]) -> None:
    answer = api.bulk("GET", "/contacts/imports", params=parameters)
    assert (answer.status_code, [f["field"] for f in answer.json()["failures"]]) == (400, list(parameters))


def test_a_contact_of_the_application_api_has_the_same_limits(api: Api) -> None:
    body = {"emailAddress": "rest@long.example", "firstName": "f" * 101}
    assert api.rest("POST", "/data/contact", json=body).status_code == 400
    made = api.rest("POST", "/data/contact", json=body | {"firstName": "f" * 100})
    assert contact(api, int(made.json()["id"]))["firstName"] == "f" * 100


def test_the_time_limit_is_kept_while_an_upload_is_parsed(api: Api, store: CompanyStore, server: RunningServer) -> None:
    number = int(define(api).rpartition("/")[2])
    user = User(1, store.company, "ann", Role.ADMIN)
    caller = Caller(user, server.stores, store, system_clock())
    body = (HEADER + "a@time.example,b,c\n" * 100_000).encode()
    for kind, content in (("CSV", body), ("JSON", b"[" + b'{"email":"a@time.example"},' * 100_000 + b"{}]")):
        request = UploadRequest(kind, "", time.monotonic())
        with ReceivingUpload(caller, ELEMENTS_BY_NAME["contacts"], DefinitionKey("imports", number), request) as upload:
            with pytest.raises(Busy):
                upload.feed(content[: 2**20])
            assert upload.writer.rows < 20_000
    assert api.bulk("GET", f"/contacts/imports/{number}").json().get("kbUsed") is None
