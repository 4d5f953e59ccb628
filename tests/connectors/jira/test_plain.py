"""What people write in Jira comes home as plain text: wiki markup and Atlassian documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.fields import Fields, texts
from connectors.jira.plain import document, wiki
from connectors.jira.wire import FieldInfo, FieldSchema


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("h2. Why\nIt is *slow* and _late_.", "Why\nIt is slow and late."),
        ("* one\n** two\n# three", "- one\n- two\n- three"),
        (
            "See [the page|https://a.example/x] or [https://b.example].",
            "See the page (https://a.example/x) or https://b.example.",
        ),
        ("[~anna.frei] saw !screen.png|thumbnail! and [^log.txt]", "@anna.frei saw screen.png and log.txt"),
        ("[~accountid:5b10a:7] agrees", "@5b10a:7 agrees"),
        ("{quote}said{quote} {color:red}red{color} {{id}} ??book??", "said red id book"),
        ("||Week||Share||\n|30|24 %|", "Week | Share\n30 | 24 %"),
        ("{code:python}\nx = *a* + _b_\n{code}\nthen *b*", "x = *a* + _b_\nthen b"),
        ("above\n----\nbelow", "above\nbelow"),
        ("one\\\\ two", "one\n two"),
        (r"a \*star\*", "a *star*"),
    ],
)
def test_wiki_markup_becomes_text(markup: str, text: str) -> None:
    assert wiki(markup) == text


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4",
        "snake_case_name",
        "a - b - c",
        "-5 % to -3 %",
        "C:\\temp",
        "[draft]",
        "Really!? Yes!",
        "x|y",
        "{id}",
    ],
)
def test_what_is_no_markup_stays_as_it_is(text: str) -> None:
    assert wiki(text) == text


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(wiki(text), str)


def paragraph(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(parts)}


def words(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def test_a_document_becomes_text() -> None:
    item = {"type": "listItem", "content": [paragraph(words("hire"))]}
    cells = [{"type": "tableCell", "content": [paragraph(words(text))]} for text in ("30", "24 %")]
    written = {
        "type": "doc",
        "version": 1,
        "content": [
            {"type": "heading", "attrs": {"level": 2}, "content": [words("Why")]},
            paragraph(
                words("It is "), words("slow", marks=[{"type": "strong"}]), {"type": "hardBreak"}, words("and late. ")
            ),
            paragraph({"type": "mention", "attrs": {"id": "5b", "text": "@Anna"}}, words(" agrees")),
            {"type": "bulletList", "content": [item, item]},
            {"type": "table", "content": [{"type": "tableRow", "content": cells}]},
            {"type": "codeBlock", "content": [words("x = 1")]},
        ],
    }
    assert document(written) == "Why\nIt is slow\nand late. \n@Anna agrees\n- hire\n- hire\n30 | 24 %\nx = 1"


@pytest.mark.parametrize("value", [None, "text", 3, [], {}])
def test_what_is_no_document_has_no_text(value: Any) -> None:
    assert document(value) == ""


def test_fields_of_several_lines_are_read_as_text_whatever_they_are_written_in() -> None:
    area = FieldSchema(type="string", custom="com.atlassian.jira.plugin.system.customfieldtypes:textarea")
    line = FieldSchema(type="string", custom="com.atlassian.jira.plugin.system.customfieldtypes:textfield")
    infos = [FieldInfo(id="area", name="Cause", schema=area), FieldInfo(id="line", name="Line", schema=line)]
    fields = Fields(infos, connection="acme")

    class Row:
        area: Any = "*slow*"
        line: Any = "*slow*"

    written = Row()
    written.area = {"type": "doc", "content": [paragraph(words("late"))]}
    cause, plain_line = (fields.value_field(name, source="incident", used_for="category") for name in ("Cause", "Line"))
    assert texts([cause])([Row(), written]) == ["slow", "late"]
    assert texts([plain_line])([Row()]) == ["*slow*"]
