"""Every row once, in order, whatever is hidden, repeated, cut or refused on the way."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.answers import TooHeavy
from connectors.config import ConnectionConfig
from connectors.servicenow.paging import BEGINNING, Pager, query_after
from connectors.servicenow.rows import Position, Shape
from connectors.servicenow.tables import Instance
from improvement.errors import ConnectionFailed, MappingError

SHAPE = Shape.of(["number"])
UNTIL = "2025-01-01 00:00:09"
Key = tuple[str, str]


def second(number: int) -> str:
    return f"2025-01-01 00:00:0{number}"


@dataclass
class FakeInstance:
    """A table as the platform pages it: order and cut first, hidden rows taken out afterwards."""

    keys: list[Key]
    page_size: int
    hidden: frozenset[Key] = frozenset()
    faults: list[str] = field(default_factory=list)
    has_links: bool = True
    most: int = 10_000  # rows it gives at once
    shifts: int = 0  # so often the first rows are updated, after an answer
    requests: int = 0
    retries: int = 0
    limits: list[int] = field(default_factory=list)
    most_rows: int = 1
    end_of_page = Instance.end_of_page

    @property
    def config(self) -> ConnectionConfig:
        return ConnectionConfig.model_validate(
            {"name": "sn", "platform": "servicenow", "url": "http://x", "token": "t", "page_size": self.page_size}
        )

    @property
    def reader(self) -> FakeInstance:
        return self

    def check_web_page(self, response: requests.Response) -> None:
        """Nothing is a web page here."""

    def read_page(self, url: str, *, what: str, params: dict[str, str], check: Any) -> requests.Response:
        self.requests += 1
        self.limits.append(int(params["sysparm_limit"]))
        fault = self.faults.pop() if self.faults else ""
        if fault == "slow":
            raise TooHeavy("cancelled")
        begin, limit = int(params.get("sysparm_offset", 0)), min(int(params["sysparm_limit"]), self.most)
        matching = [key for key in sorted(self.keys) if self._fits(key, params["sysparm_query"])]
        rows = [key for key in matching[begin : begin + limit] if key not in self.hidden]
        body = json.dumps({"result": [{"sys_id": key[1], "sys_updated_on": key[0], "number": "N"} for key in rows]})
        if fault == "cut":
            body = body[: len(body) // 2]
        if fault == "error":
            body = json.dumps({"result": [], "error": {"message": "Transaction cancelled"}})
        response = requests.Response()
        response.status_code = 200
        response._content = body.encode()
        if "sysparm_no_count" not in params:
            if self.has_links:
                follows = begin + limit < len(matching)
                response.headers["Link"] = '<http://x>;rel="next"' if follows else '<http://x>;rel="first"'
            response.headers["X-Total-Count"] = str(len(matching))
        if self.shifts:
            self.shifts -= 1
            self._change_first()
        return response

    def _change_first(self) -> None:
        """Somebody changes the first rows, which go behind all that is read."""
        first = set(sorted(self.keys)[:3])
        self.hidden -= first
        self.keys = [("2025-02-01 00:00:00", key[1]) if key in first else key for key in self.keys]

    def _fits(self, key: Key, query: str) -> bool:
        conditions = query.split("^ORDERBY", maxsplit=1)[0]
        return any(
            all(self._holds(key, condition) for condition in group.split("^")) for group in conditions.split("^NQ")
        )

    @staticmethod
    def _holds(key: Key, condition: str) -> bool:
        name, operator, value = re.match(r"(\w+?)(>=|<=|=|>|<)(.*)", condition).groups()  # type: ignore[union-attr]
        actual = key[0] if name == "sys_updated_on" else key[1]
        return {
            ">": actual > value,
            ">=": actual >= value,
            "=": actual == value,
            "<": actual < value,
            "<=": actual <= value,
        }[operator]


def a_pager(instance: FakeInstance, after: Position = BEGINNING) -> Pager:
    return Pager(instance, "incident", SHAPE, after=after, until=UNTIL)  # type: ignore[arg-type]


def read(instance: FakeInstance, after: Position = BEGINNING) -> list[Key]:
    return [key for page in a_pager(instance, after) for key in page.positions()]


keys = st.sets(
    st.tuples(st.integers(0, 9).map(second), st.text("0123456789abcdef", min_size=3, max_size=3)), max_size=40
)


@settings(max_examples=150, deadline=None)
@given(
    keys=keys,
    hide=st.integers(0, 2**40),
    page_size=st.integers(1, 12),
    bursts=st.lists(st.lists(st.sampled_from(["slow", "cut", "error"]), max_size=2), max_size=4),
    has_links=st.booleans(),
    most=st.integers(1, 12),
)
def test_every_visible_row_comes_once_and_in_order(
    keys: set[Key], hide: int, page_size: int, bursts: list[list[str]], has_links: bool, most: int
) -> None:
    hidden = frozenset(key for index, key in enumerate(sorted(keys)) if hide >> index & 1)
    faults = [word for burst in bursts for word in (*burst, "")]
    instance = FakeInstance(list(keys), page_size, hidden, faults, has_links, most)
    assert read(instance) == sorted(set(keys) - hidden)


@settings(max_examples=150, deadline=None)
@given(keys=keys, hide=st.integers(0, 2**40), page_size=st.integers(1, 12), shifts=st.integers(0, 9))
def test_no_visible_row_is_skipped_while_hidden_ones_change(
    keys: set[Key], hide: int, page_size: int, shifts: int
) -> None:
    hidden = frozenset(key for index, key in enumerate(sorted(keys)) if hide >> index & 1)
    instance = FakeInstance(list(keys), page_size, hidden, shifts=shifts)
    found = read(instance)
    still = {key for key in instance.keys if key <= (UNTIL, "z")}
    assert found == sorted(set(found))
    assert set(found) >= still - hidden


def test_many_hidden_rows_of_one_second_are_passed_by() -> None:
    keys = [(second(1), f"{number:032x}") for number in range(500)] + [(second(2), "a")]
    assert read(FakeInstance(keys, page_size=7, hidden=frozenset(keys[3:-1]))) == [*keys[:3], keys[-1]]


def test_hidden_rows_cost_few_requests() -> None:
    hidden = [
        (f"2024-12-31 {hour:02}:00:{tick:02}", f"{hour:030x}{tick:02x}") for hour in range(24) for tick in range(50)
    ]
    instance = FakeInstance([*hidden, (second(2), "a")], page_size=100, hidden=frozenset(hidden))
    assert read(instance) == [(second(2), "a")]
    assert instance.requests < 80


@given(keys=keys, page_size=st.integers(1, 12), start=st.integers(0, 9))
def test_a_pull_starts_where_it_is_told(keys: set[Key], page_size: int, start: int) -> None:
    expected = [key for key in sorted(keys) if key[0] >= second(start)]
    assert read(FakeInstance(list(keys), page_size), Position(second(start))) == expected


def test_a_thousand_rows_of_one_second_are_no_trouble() -> None:
    keys = [(second(1), f"{number:032x}") for number in range(1000)]
    assert read(FakeInstance(keys, page_size=7)) == keys


def test_nothing_new_costs_one_request() -> None:
    instance = FakeInstance([(second(1), "a")], page_size=100)
    assert len(read(instance)) == 1
    assert instance.requests == 1


def test_a_page_that_cannot_be_read_is_asked_for_half_as_large() -> None:
    instance = FakeInstance([(second(1), f"{n:03x}") for n in range(300)], page_size=200, faults=["cut", "slow"])
    assert len(read(instance)) == 300
    assert instance.retries == 2
    assert instance.limits[:4] == [200, 100, 50, 50]


def test_a_small_page_grows_again() -> None:
    instance = FakeInstance([(second(1), f"{n:04x}") for n in range(3000)], page_size=100, faults=["slow"])
    assert len(read(instance)) == 3000
    assert instance.limits[:7] == [100, 50, 50, 50, 50, 100, 100]


def test_a_table_that_never_answers_ends_in_a_clear_error() -> None:
    instance = FakeInstance([(second(1), "a")], page_size=100, faults=["slow"] * 50)
    with pytest.raises(ConnectionFailed, match="Table incident cannot be read, not even 10 rows at a time"):
        read(instance)


class Repeating(FakeInstance):
    """Answers the first page again and again."""

    def _fits(self, key: Key, query: str) -> bool:
        return True


def test_a_platform_that_repeats_a_page_is_not_followed_for_ever() -> None:
    with pytest.raises(ConnectionFailed, match="the same page again and again"):
        read(Repeating([(second(1), "a"), (second(1), "b"), (second(2), "c")], page_size=2))


def test_groups_of_a_filter_are_kept_on_both_sides_of_the_key() -> None:
    query = query_after(Position("T", "ID"), Position("U"), "active=true^NQpriority=1")
    assert query == (
        "sys_updated_on>T^sys_updated_on<=U^active=true"
        "^NQsys_updated_on>T^sys_updated_on<=U^priority=1"
        "^NQsys_updated_on=T^sys_id>ID^active=true"
        "^NQsys_updated_on=T^sys_id>ID^priority=1"
        "^ORDERBYsys_updated_on^ORDERBYsys_id"
    )


def test_a_filter_may_not_bring_its_own_order() -> None:
    with pytest.raises(MappingError, match="orders its rows"):
        Pager(FakeInstance([], 1), "incident", SHAPE, after=BEGINNING, until=UNTIL, narrowing="a=1^ORDERBYb")  # type: ignore[arg-type]


def test_links_numbers_and_nulls_are_read_as_texts() -> None:
    body = {"result": [{"sys_id": {"link": "l", "value": "a"}, "sys_updated_on": None, "number": 7}]}
    rows = SHAPE.decode(json.dumps(body).encode())
    assert [column.to_pylist() for column in rows.columns] == [["a"], [""], ["7"]]


def test_rows_whose_key_is_hidden_are_not_read_for_ever() -> None:
    with pytest.raises(ConnectionFailed, match="without sys_id or sys_updated_on"):
        read(FakeInstance([("", "a")], page_size=1), Position(""))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"result":null}',
        b'{"status":"failure"}',
        b'{"result":[{"sys_id":"a"}],"error":"Transaction cancelled"}',
        b'{"result":[{"sys_id":"a"}],"error":{"message":"Transaction cancelled"}}',
        b'{"result":[{"sys_id":"a"}]}{"error":{"message":"Transaction cancelled"}}',
        b'{"result":[{"sys_id":"a"},{"sys_',
    ],
)
def test_a_body_counts_only_when_it_is_whole_and_without_error(body: bytes) -> None:
    with pytest.raises(TooHeavy):
        SHAPE.decode(body)


texts = st.text(st.characters(exclude_categories=()), max_size=8)  # half surrogate pairs too
values = st.one_of(texts, st.none(), st.integers(), st.booleans(), st.builds(lambda text: {"value": text}, texts))
pages = st.lists(st.dictionaries(st.sampled_from(["sys_id", "sys_updated_on", "number", "more"]), values), max_size=6)


@given(rows=pages, indent=st.sampled_from([None, 1]))
def test_a_page_reads_the_same_at_once_and_patiently(rows: list[dict[str, Any]], indent: int | None) -> None:
    body = json.dumps({"result": rows}, indent=indent).encode()
    assert SHAPE.decode(body).columns == SHAPE._patiently(body).columns


@given(rows=st.lists(st.fixed_dictionaries({"sys_id": texts, "number": texts}), max_size=6), cut=st.integers(1, 200))
def test_a_page_cut_anywhere_is_refused(rows: list[dict[str, str]], cut: int) -> None:
    body = json.dumps({"result": rows}).encode()
    with pytest.raises(TooHeavy):
        SHAPE.decode(body[: max(0, len(body) - cut)])
