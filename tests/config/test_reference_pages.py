"""The reference pages say what the code knows: every command, every setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from config.calendar_settings import CalendarSettings
from config.command_reference import page
from config.metric_settings import MetricSettings
from config.settings import Settings
from connectors.config import ConnectionConfig, OAuthConfig

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_the_command_line_is_that_of_the_commands() -> None:
    there = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    assert there == page(), "run `make reference`"


TABLES = [
    ("## The installation\n", Settings),
    ("## Metrics\n", MetricSettings),
    ("## A calendar\n", CalendarSettings),
    ("## A connection\n", ConnectionConfig),
    ("`[connections.NAME.oauth]`:\n", OAuthConfig),
]


def rows(title: str) -> dict[str, str]:
    """Key → the last cell of its row, of the table below a title of the settings page."""
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    table = re.search(r"\n(\|.*?\|)\n(?!\|)", text.partition(title)[2], re.DOTALL)
    assert table is not None
    found = {}
    for row in table[1].splitlines()[2:]:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[-1])
    return found


@pytest.mark.parametrize(("title", "model"), TABLES)
def test_the_page_of_the_settings_has_a_row_for_every_key(title: str, model: type[BaseModel]) -> None:
    assert set(rows(title)) == set(model.model_fields) - {"name"}


@pytest.mark.parametrize(("title", "model"), TABLES)
def test_the_defaults_on_that_page_are_those_of_the_code(title: str, model: type[BaseModel]) -> None:
    there = rows(title)
    defaults = {name: field.default for name, field in model.model_fields.items()}
    written = {name: _written(value) for name, value in defaults.items() if isinstance(value, str | int | float)}
    assert written
    missing = {name: text for name, text in written.items() if text not in there[name]}
    assert not missing


def _written(value: object) -> str:
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
