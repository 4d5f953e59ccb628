"""Editing a settings file changes what is meant, and nothing that a person wrote beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement.errors import InputError
from workflows.connecting.settings_file import Line, diff, edited, read, remark_of, write

HAND = """# mine, keep
language = "de"   # German

[connections.snow]
platform = "servicenow"
password = "hunter22"

[connections.snow.mapping.incident.fields]
customer = "u_client.name"  # since 2024

[zones]
BR = "America/Sao_Paulo"
"""
FIELDS = ("connections", "snow", "mapping", "incident", "fields")
OTHER = ("connections", "snow", "mapping", "change", "fields")


def after(text: str, *lines: Line) -> str:
    return edited(text, lines, remark="proposed", path=Path("x.toml"))


def test_everything_else_stays_letter_by_letter() -> None:
    found = after(HAND, Line(FIELDS, "country", "location.country", "93 %"), Line(OTHER, "service", ["a", "b.c"]))
    kept = found.splitlines()
    assert [line for line in HAND.splitlines() if line not in kept] == []
    assert 'country = "location.country" # 93 %' in kept
    data = tomllib.loads(found)
    assert data["connections"]["snow"]["mapping"]["change"]["fields"]["service"] == ["a", "b.c"]
    assert data["zones"] == {"BR": "America/Sao_Paulo"}


def test_a_key_is_replaced_where_it_stands() -> None:
    found = after(HAND, Line(FIELDS, "customer", {"field": "company.name", "values": {"A, Inc.": "A"}}))
    assert tomllib.loads(found)["connections"]["snow"]["mapping"]["incident"]["fields"] == {
        "customer": {"field": "company.name", "values": {"A, Inc.": "A"}}
    }
    assert found.index("customer") < found.index("[zones]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[connections]\nsnow = { platform = 'servicenow' }\n",
        "connections.snow.platform = 'servicenow'\n",
        "[connections.snow]\nplatform='x'\n[zones]\nBR='b'\n[connections.jira]\nplatform='y'\n",
        "[connections.snow.mapping]\nincident = { fields = { customer = 'c' } }\n",
        "[connections.snow.mapping.incident]\nfilter = 'a=b'\n",
    ],
)
def test_any_layout_is_edited_in_its_sense(text: str) -> None:
    found = after(text, Line(FIELDS, "country", "location.country", "x"))
    data = tomllib.loads(found)
    assert data["connections"]["snow"]["mapping"]["incident"]["fields"]["country"] == "location.country"
    before = tomllib.loads(text)
    assert data.get("zones") == before.get("zones")
    assert data["connections"].get("jira") == before.get("connections", {}).get("jira")


def test_where_it_cannot_be_done_the_lines_to_paste_are_shown() -> None:
    with pytest.raises(InputError) as caught:
        after("connections = 7\n", Line(FIELDS, "country", "location.country"))
    assert '[connections.snow.mapping.incident.fields]\ncountry = "location.country"' in caught.value.mend


def test_the_diff_shows_no_line_that_stays() -> None:
    shown = diff(HAND, after(HAND, Line(FIELDS, "country", "c")), Path("x.toml"))
    assert '+country = "c"' in shown
    assert "hunter22" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "[connections]\nsnow = { platform = 'x', password = \"hunt\\u0065r22\", hook_secret = 'hunter23' }\n",
        "[connections]\nsnow = { oauth = { client_secret = 'hunter24' }, proxy = 'http://u:hunter25@proxy' }\n",
        "[connections]\nsnow = { platform = 'x', password = 'hunter26' } # was hunter22\n",
        "[connections.snow]\npassword = 'hunter26'\nmapping = { }\n",
        "connections = { snow = { token = 'hunter27' }, jira = { token = 'hunter28' } }\n",
    ],
)
def test_a_secret_in_the_line_that_changes_is_not_shown(text: str) -> None:
    shown = diff(text, after(text, Line(FIELDS, "country", "location.country")), Path("x.toml"))
    assert "location.country" in shown
    assert "hunt" not in shown


def test_a_remark_cannot_end_its_line_or_turn_its_direction() -> None:
    evil = 'Acme\n[connections.snow]\npassword = "x"\u202e\u2028\x1b[31m'
    found = after(HAND, Line(FIELDS, "country", "c", evil))
    assert tomllib.loads(found)["connections"]["snow"]["password"] == "hunter22"
    assert not any(mark in found for mark in ("\u202e", "\u2028", "\x1b"))


@given(st.text(), st.text(max_size=200))
def test_any_value_and_remark_come_back_as_they_were(value: str, remark: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    found = after(HAND, Line(OTHER, "service", {"field": "f", "values": {value: "x"}}, remark))
    fields = tomllib.loads(found)["connections"]["snow"]["mapping"]["change"]["fields"]
    assert fields == {"service": {"field": "f", "values": {value: "x"}}}
    assert "\n" not in remark_of(remark)


def test_the_file_keeps_its_mode_and_is_not_overwritten_when_somebody_else_was_faster(tmp_path: Path) -> None:
    file = tmp_path / "regelkreis.toml"
    file.write_text(HAND, encoding="utf-8")
    file.chmod(0o640)
    write(file, HAND, HAND + "# more\n")
    assert (file.stat().st_mode & 0o777, read(file)) == (0o640, HAND + "# more\n")
    with pytest.raises(InputError, match="changed by somebody else"):
        write(file, HAND, "gone")
    assert list(tmp_path.iterdir()) == [file]
