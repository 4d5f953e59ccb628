"""The encoded query language as text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.query import OPERATORS, Condition, Order, escape, parse


def test_and_or_and_new_query_make_groups_of_alternatives() -> None:
    query = parse("active=true^priority=1^ORpriority=2^NQstate=6")

    first, second = query.groups
    assert first == (
        (Condition("active", "=", "true"),),
        (Condition("priority", "=", "1"), Condition("priority", "=", "2")),
    )
    assert second == ((Condition("state", "=", "6"),),)


def test_orders_keep_their_sequence_and_repeat_once() -> None:
    query = parse("sys_updated_on>=2025-01-01^ORDERBYsys_updated_on^ORDERBYDESCsys_id^ORDERBYsys_updated_on")

    assert query.order == (Order("sys_updated_on", False), Order("sys_id", True))


def test_a_doubled_caret_is_a_literal_one() -> None:
    query = parse("short_description=a^^ORb^state=1")

    assert query.groups[0][0] == (Condition("short_description", "=", "a^ORb"),)
    assert query.groups[0][1] == (Condition("state", "=", "1"),)


@pytest.mark.parametrize(
    ("text", "field", "operator", "value"),
    [
        ("stateNOT IN6,7", "state", "NOT IN", "6,7"),
        ("stateIN1,2", "state", "IN", "1,2"),
        ("opened_atBETWEEN2025-01-01@2025-02-01", "opened_at", "BETWEEN", "2025-01-01@2025-02-01"),
        ("opened_atON2025-01-01@x@y", "opened_at", "ON", "2025-01-01@x@y"),
        ("company.countryISEMPTY", "company.country", "ISEMPTY", ""),
        ("short_descriptionNOT LIKEmail", "short_description", "NOT LIKE", "mail"),
        ("short_descriptionNOTLIKEmail", "short_description", "NOT LIKE", "mail"),
        ("short_descriptionCONTAINSmail", "short_description", "LIKE", "mail"),
        ("short_descriptionDOES NOT CONTAINmail", "short_description", "NOT LIKE", "mail"),
        ("short_description*mail", "short_description", "LIKE", "mail"),
        ("short_description!*mail", "short_description", "NOT LIKE", "mail"),
        ("short_description%mail", "short_description", "ENDSWITH", "mail"),
        ("short_description!=*", "short_description", "!=", "*"),
        ("cmdb_ciIN_HIERARCHYabc", "cmdb_ci", "IN_HIERARCHY", "abc"),
        ("numberSTARTSWITHINC", "number", "STARTSWITH", "INC"),
        ("priority<=2", "priority", "<=", "2"),
        ("short_description=a=b", "short_description", "=", "a=b"),
        (
            "opened_at>javascript:gs.dateGenerate('2025-01-01','00:00:00')",
            "opened_at",
            ">",
            "javascript:gs.dateGenerate('2025-01-01','00:00:00')",
        ),
    ],
)
def test_conditions_are_field_operator_value(text: str, field: str, operator: str, value: str) -> None:
    assert parse(text).groups == (((Condition(field, operator, value),),),)


def test_what_is_no_condition_is_set_aside() -> None:
    query = parse("nonsense^state=1^ORwhat?")

    assert query.ignored == ("nonsense", "ORwhat?")
    assert query.groups == (((Condition("state", "=", "1"),),),)


def test_an_alternative_to_nothing_stands_alone() -> None:
    assert parse("nonsense^ORstate=1").groups == (((Condition("state", "=", "1"),),),)


fields = st.text(string.ascii_lowercase + "_.", min_size=1, max_size=12)
values = st.text(max_size=20).filter(lambda text: "\x00" not in text and "\x01" not in text)
conditions = st.builds(Condition, fields, st.sampled_from(("=", "!=", "LIKE", "STARTSWITH", "IN")), values)


@given(st.lists(st.lists(st.lists(conditions, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_is_read_back(groups: list[list[list[Condition]]]) -> None:
    def text(condition: Condition) -> str:
        return f"{condition.field}{condition.operator}{escape(condition.value)}"

    written = "^NQ".join("^".join("^OR".join(map(text, alternatives)) for alternatives in group) for group in groups)

    assert parse(written).groups == tuple(tuple(tuple(a) for a in group) for group in groups)


@given(st.text(alphabet=st.sampled_from("^ORNQDBYESC=!<>.ab1 @\u202e" + "".join(OPERATORS)), max_size=60))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    query = parse(text)

    assert query.groups


def test_a_related_list_is_a_condition_of_the_whole_query() -> None:
    query = parse("active=true^RLQUERYtask_sla.task,>=2,m2m^has_breached=true^ORstage=paused^ENDRLQUERY^priority=1")
    assert [[c.field for c in alternatives] for alternatives in query.groups[0]] == [["active"], ["priority"]]
    (related,) = query.related
    assert (related.table, related.field, related.operator, related.count) == ("task_sla", "task", ">=", 2)
    assert [c.field for c in related.where.groups[0][0]] == ["has_breached", "stage"]


def test_a_join_takes_what_follows_to_the_next_or_to_the_order() -> None:
    text = (
        "active=true^JOINincident.sys_id=task_sla.task!stage=paused^active=true^JOINincident.company=x.y!^ORDERBYnumber"
    )
    query = parse(text)
    first, second = query.related
    assert (first.own_table, first.own_field, first.table, first.field) == ("incident", "sys_id", "task_sla", "task")
    assert len(first.where.groups[0]) == 2
    assert (second.own_field, second.table, second.where.groups) == ("company", "x", ((),))
    assert [key.field for key in query.order] == ["number"]


@pytest.mark.parametrize(
    "text", ["RLQUERYtask_sla,>=1^a=1^ENDRLQUERY", "RLQUERYtask_sla.task^ENDRLQUERY", "JOINa.b!c=1"]
)
def test_one_that_cannot_be_read_is_kept_aside(text: str) -> None:
    query = parse(text)
    assert (query.related, len(query.ignored)) == ((), 1)
