"""Our fields in Jira's shape: options by value, people by account, texts cut to what Jira holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.jira.project import Project, ScreenField
from connectors.jira.site import Site
from connectors.mapping import near_matches
from improvement.records import Outbound

HYPOTHESIS = "Hypothesis: "  # begins the paragraph of a description
MAX_LINE = 255
MAX_TEXT = 32_000  # Jira's limit is 32 767; the rest is for what the platform itself adds
Value = str | int | float | None


@dataclass(slots=True)
class Shaped:
    """What to send: field id → value in Jira's shape; and our fields that have no place, with the reason."""

    fields: dict[str, Any] = field(default_factory=dict)
    unwritten: dict[str, str] = field(default_factory=dict)


def shaped(outbound: Outbound, project: Project, site: Site) -> Shaped:
    """The issue fields of one write. State and link are no fields: see :mod:`.moving` and :mod:`.writing`."""
    result = Shaped()
    values = dict(outbound.fields)
    text = _description(values.pop("description", None), values.pop("hypothesis", None))
    if text is not None:
        _place(result, project, site, "description", text)
    for ours, value in values.items():
        if ours not in ("state", "url"):
            _place(result, project, site, ours, value)
    return result


def _place(result: Shaped, project: Project, site: Site, ours: str, value: Value) -> None:
    field_id = project.columns.get(ours)
    if field_id is None:
        if value is not None:
            result.unwritten[ours] = project.unresolved.get(ours, "Jira has no place for it")
        return
    screen_field = project.screen.get(field_id)
    try:
        result.fields[field_id] = _in_shape(value, field_id, screen_field, site)
    except ValueError as error:
        result.unwritten[ours] = str(error)


def _in_shape(value: Value, field_id: str, screen_field: ScreenField | None, site: Site) -> Any:
    if value is None:
        return None
    if field_id == "summary":
        return one_line(str(value))
    if field_id == "assignee":
        return {"accountId": str(value)} if site.is_cloud else {"name": str(value)}
    schema = screen_field.schema if screen_field is not None else None
    kind = schema.type if schema is not None else "string"
    if kind == "option":
        return {"value": _option(str(value), screen_field)}
    if kind == "number":
        return float(value)  # ValueError tells why it stays unwritten
    if kind in ("date", "datetime"):
        day = date.fromisoformat(str(value)[:10]).isoformat()
        return day if kind == "date" else f"{day}T00:00:00.000+0000"
    if field_id == "description" or (schema is not None and (schema.custom or "").endswith(":textarea")):
        return cut(str(value), MAX_TEXT)
    return one_line(str(value))


def _option(value: str, screen_field: ScreenField | None) -> str:
    choices = [allowed.value for allowed in screen_field.allowed_values if allowed.value] if screen_field else []
    for choice in choices:
        if choice.casefold() == value.casefold():
            return choice
    raise ValueError(f"“{value}” is no choice of this field.{near_matches(value, choices)}")


def one_line(text: str) -> str:
    """A text as Jira's one-line fields take it: no line breaks, at most 255 characters."""
    line = " ".join(text.split())
    return line if _units(line) <= MAX_LINE else cut(line, MAX_LINE - 1) + "…"


def cut(text: str, units: int) -> str:
    """The beginning of a text that Jira counts as at most so many characters: it counts UTF-16, an emoji is two."""
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


def _description(description: Value, hypothesis: Value) -> str | None:
    parts = [str(description)] if description else []
    if hypothesis:
        parts.append(f"{HYPOTHESIS}{hypothesis}")
    return "\n\n".join(parts) if parts else None


def hypothesis_in(description: str) -> str | None:
    """The hypothesis at the end of a description, None where no paragraph begins as ours does."""
    _, begin, text = f"\n\n{description.replace(chr(13), '')}".partition(f"\n\n{HYPOTHESIS}")
    return text if begin else None


def as_text(value: Any) -> str:
    """A field's value as read from Jira, as text for receipts."""
    if isinstance(value, dict):
        for member in ("value", "accountId", "name", "displayName"):
            if value.get(member) is not None:
                return str(value[member])
        return str(value)
    if isinstance(value, list):
        return ", ".join(as_text(member) for member in value)
    return "" if value is None else str(value)


def same(sent: Any, found: Any) -> bool:
    """Whether a value read back is the one sent; Jira trims text and turns line ends."""
    if sent is None:
        return found is None
    if isinstance(sent, float):
        return isinstance(found, int | float) and float(found) == sent
    return _trimmed(as_text(sent)) == _trimmed(as_text(found))


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
