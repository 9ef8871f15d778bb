"""Plans of syncs against the naive model, and the parsers of statements and list queries."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from staithe.domain.catalogue import STANDARD
from staithe.domain.definition_reader import Surroundings
from staithe.domain.definitions import SYNC_ACTIONS, SyncActionDefinition, read_definition
from staithe.domain.elements import ELEMENTS
from staithe.domain.errors import ValidationFailed
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.id_set import IdSet, SetChange, merge_changes
from staithe.domain.list_query import PropertyType, read_list_query
from staithe.domain.plan import apply_step, plan_sync, set_names
from staithe.domain.sync_actions import parse_destination
from tests.property.actions import ACTIONS, INSTANCES
from tests.property.effort import examples
from tests.property.model import SERVICES, STATUSES, Action, act

CONTACTS_ELEMENT = next(e for e in ELEMENTS if e.name == "contacts")
SET_NAMES = (
    [f"contactList/{n}" for n in (1, 2)]
    + [f"emailGroup/{n}/{s}" for n in (1, 2) for s in ("subscribed", "unsubscribed")]
    + ["globalUnsubscribed"]
    + [f"{k.lower()}/{i.lower()}/{e}/{s}" for k in SERVICES for i in INSTANCES for e in (0, 5) for s in STATUSES]
)
IDS = st.sets(st.integers(1, 12), max_size=10)


def definition_of(actions: list[Action]) -> SyncActionDefinition:
    body = {
        "name": "any",
        "fields": {"Id": "{{Contact.Id}}"},
        "identifierFieldName": "Id",
        "syncActions": [action.wire for action in actions],
    }
    around = Surroundings(CONTACTS_ELEMENT, STANDARD, lambda _kind, number: number in (1, 2))
    definition = read_definition(SYNC_ACTIONS, body, around)
    assert isinstance(definition, SyncActionDefinition)
    return definition


@examples(130)
@given(
    st.lists(ACTIONS, min_size=1, max_size=10),
    IDS,
    st.dictionaries(st.sampled_from(SET_NAMES), IDS, max_size=30),
)
def test_steps_do_what_the_model_does(actions: list[Action], uploaded: set[int], first: dict[str, set[int]]) -> None:
    plan = plan_sync(definition_of(actions))
    names = set_names(plan.steps)
    assert names == sorted(set(names))
    present = {name: IdSet.of(first.get(name, ())) for name in names}
    naive = {name: set(ids) for name, ids in first.items()}
    changes: list[tuple[str, SetChange]] = []
    for step, action in zip(plan.steps, actions, strict=True):
        result, after, made = apply_step(step, IdSet.of(uploaded), present)
        present |= after
        changes += made
        assert (step.code.code, result.applied, result.changed) == (action.code, *act(action, uploaded, naive))
    assert {n: set(ids) for n, ids in present.items()} == {n: naive.get(n, set()) for n in present}
    for name, change in merge_changes(changes).items():
        assert change, "a change of nothing is none"
        assert set(change.added) == naive[name] - first.get(name, set())
        assert set(change.removed) == first.get(name, set()) - naive[name]


NAME = st.text(string.ascii_letters + string.digits, max_size=8).map(lambda rest: "A" + rest)
PART = st.one_of(
    NAME,
    st.builds(lambda name, number: f"{name}[{number}]", NAME, st.integers(0, 10**18 - 1)),
    st.builds(
        lambda name, key: f"{name}({key})",
        NAME,
        st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=9),
    ),
)


@examples(70)
@given(st.lists(PART, min_size=1, max_size=4))
def test_statements_are_taken_apart_and_put_together(parts: list[str]) -> None:
    text = "{{" + ".".join(parts) + "}}"
    statement = parse_field_statement(text)
    spelled = [
        p.name + (f"[{p.number}]" if p.number is not None else "") + (f"({p.key})" if p.key is not None else "")
        for p in statement.parts
    ]
    assert "{{" + ".".join(spelled) + "}}" == text
    assert statement.canonical == text.lower()


SCRAPS = st.lists(
    st.sampled_from(["{{", "}}", "{", "}", ".", "[", "]", "(", ")", "Contact", "Field", "ContactList", "EmailGroup",
                     "GlobalSubscribe", "1", "0" * 20, "²", "é", " ", "\n", "\x00", "a_b", INSTANCES[0],
                     "Execution[1]"]),
    max_size=9,
).map("".join)  # fmt: skip


@examples(170)
@given(st.one_of(SCRAPS, SCRAPS.map(lambda s: "{{" + s + "}}"), st.text(max_size=12)))
@example("{{}}")
@example("{{}")
@example("{{Contact.}}")
@example("{{ContactList[1]}}\n")
def test_any_text_is_a_statement_or_a_value_error_that_says_must(text: str) -> None:
    for parse in (parse_field_statement, parse_destination):
        problem = problem_of(parse, text)
        assert problem is None or problem.startswith("must ")


def problem_of(parse: Callable[[str], object], text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


PROPERTIES = {"name": PropertyType.TEXT, "id": PropertyType.NUMBER, "createdAt": PropertyType.TIME}
QUERY_SCRAPS = st.lists(
    st.sampled_from(["name", "id", "createdAt", "CREATEDAT", "=", "<", ">", "!=", "<=", ">=", "*", "'", '"', " ", "ASC",
                     "desc", "1", "-5", "²", "१", "9" * 30, "2026-01-31", "2026-01-31T09:00:00Z",
                     "0001-01-01T00:00+23:59", "9999-12-31T23:59:59-23:59",
                     "1700000000", "T", "Z", "24:00", "\x00", "é", "_", "1_0", "inf"]),
    max_size=6,
).map("".join)  # fmt: skip
QUERY_VALUE = st.one_of(
    QUERY_SCRAPS,
    st.text(max_size=8),
    st.builds(
        lambda name, sign, value: name + sign + value,
        st.sampled_from(list(PROPERTIES)),
        st.sampled_from(["=", "<", ">=", "!="]),
        st.one_of(QUERY_SCRAPS, st.datetimes().map(str), st.integers().map(str)),
    ),
)


@examples(230)
@given(
    st.dictionaries(st.sampled_from(["q", "orderby", "limit", "offset", "totalresults", "other"]), QUERY_VALUE),
    st.sampled_from([PROPERTIES, {}]),
)
def test_any_list_query_is_read_or_refused(parameters: dict[str, str], properties: dict[str, PropertyType]) -> None:
    with contextlib.suppress(ValidationFailed):
        query = read_list_query(parameters, properties)
        assert 1 <= query.limit <= 1000
        assert 0 <= query.offset < 2**63
        assert query.order_by in ("", *properties)
        if query.condition is not None:
            is_text = properties[query.condition.name] is PropertyType.TEXT
            assert isinstance(query.condition.value, str if is_text else int)
            assert is_text or -(2**63) <= int(query.condition.value) < 2**63, "it must fit a column"


JSON_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), SCRAPS, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
SYNC_ACTION = st.one_of(
    JSON_VALUE,
    ACTIONS.map(lambda action: action.wire),
    st.dictionaries(st.sampled_from(["action", "destination", "status", "updateAll"]), JSON_VALUE),
)
FIELDS = st.one_of(
    JSON_VALUE,
    st.dictionaries(st.text(max_size=3), st.sampled_from(["{{Contact.Id}}", "{{contact.field(ContactIDExt)}}"])),
)


@examples(170)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.one_of(st.text(max_size=120), JSON_VALUE),
            "fields": FIELDS,
            "identifierFieldName": st.one_of(st.text(max_size=3), JSON_VALUE),
            "syncActions": st.one_of(JSON_VALUE, SYNC_ACTION, st.lists(SYNC_ACTION, max_size=11)),
            "isSyncTriggeredOnImport": JSON_VALUE,
        },
    )
)
def test_any_definition_is_read_or_refused(body: dict[str, object]) -> None:
    with contextlib.suppress(ValidationFailed):
        around = Surroundings(CONTACTS_ELEMENT, STANDARD, lambda _kind, number: number % 2 == 1)
        definition = read_definition(SYNC_ACTIONS, body, around)
        assert isinstance(definition, SyncActionDefinition)
        assert definition.identifier_field_name in definition.fields
        assert len(plan_sync(definition).steps) == len(definition.sync_actions)
