"""The register: filters in the address, the table, and the CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage
from workflows.csv_writing import inert

pytestmark = pytest.mark.django_db


def codes(client: Client, query: str) -> set[str]:
    """The actions in the CSV of this address: the same filter as the page's."""
    content = client.get(f"/register.csv?{query}").content.decode("utf-8-sig")
    return {row["id"] for row in csv.DictReader(io.StringIO(content))}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("phase=P", {"proposed", "planned", "foreign"}),
        ("phase=C", {"checking"}),
        ("state=acting", {"improved"}),
        ("verdict=improved", {"improved"}),
        ("customer=Globex", {"foreign"}),
        ("owner=gustav", {"foreign"}),
        ("q=breaches+for+mail", {"improved"}),
        ("q=CIM-Checking", {"checking"}),
        ("show=decide", {"improved"}),
        ("show=unowned", set()),
        ("metric=csat_mean", set()),
        ("owner=olga&phase=P", {"proposed", "planned"}),
        ("state=%27%22%3E&verdict=x", set()),
    ],
)
def test_filters_are_in_the_address(stage: Stage, as_person: Visit, query: str, names: set[str]) -> None:
    client = as_person("audrey")
    assert codes(client, query) == {stage.code(name) for name in names}
    page = client.get(f"/register/?{query}&view=table").content.decode()
    body = page.split('id="register-body"')[1]
    assert all((f"/actions/{action.code}/" in body) == (name in names) for name, action in stage.actions.items())


def test_mine_are_those_i_own(stage: Stage, as_person: Visit) -> None:
    assert codes(as_person("gustav"), "show=mine") == {stage.code("foreign")}
    assert codes(as_person("audrey"), "show=mine") == set()


def test_an_action_is_found_by_its_number(stage: Stage, as_person: Visit) -> None:
    assert stage.code("improved") in codes(as_person("audrey"), f"q={stage.code('improved').lower()}")


def test_htmx_gets_the_body_alone(as_person: Visit) -> None:
    answer = as_person("olga").get("/register/?phase=C", headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "<html" not in page
    assert "1 of 5 actions" in page
    assert "HX-Request" in answer["Vary"]


def test_the_board_has_a_column_for_each_phase(stage: Stage, as_person: Visit) -> None:
    page = as_person("olga").get("/register/").content.decode()
    columns = page.split('class="column"')[1:]
    held = [{name for name, action in stage.actions.items() if f"/actions/{action.code}/" in part} for part in columns]
    assert held == [{"proposed", "planned"}, set(), {"checking"}, {"improved"}, {"closed"}]


def test_the_csv_is_made_for_spreadsheets(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    action.title = '=cmd|"/c calc"!A1'
    action.save()
    answer = as_person("olga").get("/register.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    content = answer.content.decode()
    assert content.startswith("\ufeff")
    row = next(row for row in csv.DictReader(io.StringIO(content[1:])) if row["id"] == action.code)
    assert row["title"] == '\'=cmd|"/c calc"!A1'
    assert row["goal"] == "-50%"


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1", "＝1", "-", "+a"]
)
def test_a_formula_becomes_text(formula: str) -> None:
    assert inert(formula) == f"'{formula}"


@pytest.mark.parametrize("plain", ["", "-50%", "+0.25", "-3", "Fewer = better", "x", "3-4", "2025-08-06"])
def test_plain_text_and_numbers_stay(plain: str) -> None:
    assert inert(plain) == plain


@given(st.text(max_size=30))
def test_no_text_begins_like_a_formula(text: str) -> None:
    shown = inert(text)
    assert shown in (text, f"'{text}")
    bare = shown.lstrip(" \t\r\n\u00a0")
    if bare[:1] in ("=", "@"):
        pytest.fail(f"{shown!r} would run")
    if bare[:1] in ("+", "-"):
        assert float(bare[1:].rstrip("%") or "x") >= 0
