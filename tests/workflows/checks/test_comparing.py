"""Funnels are drawn from published values: summed over connections, whole windows that do not overlap, live rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from improvement import charts, weeks
from improvement.rules import Rule, load_pack
from workflows.checks import comparing
from workflows.checks.drawing import Studio
from workflows.models import Finding, Point, ScopeChart
from workflows.rules import live
from workflows.rules.live import Standing

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LAST = weeks.week_of(NOW.date()) - 1
RULE = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Breached too often}
spec:
  metric: sla_breach_rate
  by: [customer, country]
  window: 4w
  target: {max: 15%}
  overrides:
    - {when: {country: JP}, target: {max: 17%}, from: 2026-01-01}
"""


@pytest.fixture
def rule(tmp_path: Path) -> Rule:
    (tmp_path / "sla.yaml").write_text(RULE, encoding="utf-8")
    return load_pack([tmp_path]).rules[0]


def publish(
    customer: str, country: str, events: int, records: int, *, connection: str = "snow", week: int = LAST
) -> None:
    scope = {"customer": customer, "country": country}
    finding, _ = Finding.objects.get_or_create(
        rule_id="sla", connection=connection, scope_key=f"country={country},customer={customer}",
        defaults={"rule_sha256": "a" * 64, "scope": scope, "state": "ok", "memory": {}},
    )  # fmt: skip
    Point.objects.create(
        finding=finding, week=week, value=events / records if records else None, numerator=events, denominator=records,
        n=records, target_value=0.15, is_breaching=False,
    )  # fmt: skip


def test_events_and_records_are_added_up_over_customers_connections_and_windows(rule: Rule) -> None:
    publish("Acme", "CH", 10, 100)
    publish("Acme", "CH", 20, 100, connection="jira")
    publish("Globex", "CH", 3, 50, week=LAST - 4)
    publish("Globex", "CH", 40, 50, week=LAST - 3)  # overlaps the newest window: its weeks would count twice
    publish("Globex", "CH", 40, 50, week=LAST - 12)  # before the twelve weeks
    publish("Acme", "DE", 5, 100)
    publish("Acme", "DE", 0, 0, week=LAST - 4)
    data = comparing.funnel_of(rule, "country")
    assert data is not None
    assert [(unit.name, round(unit.value, 2), unit.n) for unit in data.units] == [("CH", 13.2, 250), ("DE", 5.0, 100)]
    assert (data.first, data.as_of) == (weeks.monday(LAST - 11), weeks.sunday(LAST))


def test_what_names_no_country_is_compared_with_nobody(rule: Rule) -> None:
    publish("Acme", "CH", 10, 100)
    publish("Acme", "(none)", 90, 100)
    assert comparing.funnel_of(rule, "country") is None  # one is no comparison
    publish("Acme", "DE", 10, 100)
    data = comparing.funnel_of(rule, "country")
    assert data is not None
    assert [unit.name for unit in data.units] == ["CH", "DE"]


def test_values_of_a_version_that_counted_something_else_are_not_added(rule: Rule, tmp_path: Path) -> None:
    """Another metric under the same id, then the first one once more; a stricter target counts the same."""
    (tmp_path / "sla.yaml").write_text(RULE.replace("sla_breach_rate", "reopen_rate"), encoding="utf-8")
    other = load_pack([tmp_path]).rules[0]
    (tmp_path / "sla.yaml").write_text(RULE.replace("15%", "14%"), encoding="utf-8")
    stricter = load_pack([tmp_path]).rules[0]
    for week, country in ((LAST, "CH"), (LAST, "DE"), (LAST - 4, "CH"), (LAST - 8, "CH")):
        publish("Acme", country, 10, 100, week=week)
    days = (NOW - timedelta(weeks=20), NOW - timedelta(weeks=9), NOW - timedelta(weeks=6), NOW - timedelta(weeks=2))
    for version, at in zip((rule, other, rule, stricter), days, strict=True):
        live.record(version, actor="engine", at=at)
    data = comparing.funnel_of(stricter, "country")
    assert data is not None
    assert [(unit.name, unit.n) for unit in data.units] == [("CH", 200), ("DE", 100)]
    assert data.first == weeks.monday(LAST - 7)


@pytest.mark.parametrize(
    ("window", "every", "ends"),
    [
        (4, 1, [0, 4, 8]),
        (4, 2, [0, 4, 8]),
        (4, 4, [0, 4, 8]),
        (1, 1, list(range(12))),
        (4, 3, []),  # there are values 0, 3, 6 … weeks ago: the windows of any two of them overlap or leave weeks out
        (8, 3, [0]),  # one window is long enough
    ],
)
def test_only_windows_that_lie_side_by_side_are_added_up(
    tmp_path: Path, window: int, every: int, ends: list[int]
) -> None:
    spans = f"window: {window}w\n  every: {every}w\n  trigger: {{for: {every}w}}\n  clear: {{for: {every}w}}"
    text = RULE.replace("window: 4w", spans)
    (tmp_path / "sla.yaml").write_text(text, encoding="utf-8")
    rule = load_pack([tmp_path]).rules[0]
    for ago in range(0, 12, every):
        for country in ("CH", "DE"):
            publish("Acme", country, 10, 100, week=LAST - ago)
    data = comparing.funnel_of(rule, "country")
    if not ends:
        assert data is None
        return
    assert data is not None
    assert [unit.n for unit in data.units] == [100 * len(ends)] * 2
    weeks_in = [week for ago in ends for week in range(LAST - ago - window + 1, LAST - ago + 1)]
    assert sorted(weeks_in) == list(range(weeks.week_of(data.first), LAST + 1))  # each once, none left out


def drawn_now() -> int:
    """How many funnels the cycle draws, or leaves as they are."""
    with Studio(expected=1) as studio:
        return comparing.render_all(studio, as_of=NOW)


def test_a_cycle_keeps_the_funnel_with_the_targets_in_force(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    for country, events in (("CH", 10), ("DE", 12), ("JP", 9)):
        publish("Acme", country, events, 100)
    monkeypatch.setattr(comparing, "standing_rules", lambda: Standing([rule], rule.limits, []))
    assert drawn_now() == 1
    drawn = {(chart.dimension, chart.theme, chart.language) for chart in ScopeChart.objects.all()}
    assert drawn == {("country", theme, language) for theme in ("light", "dark") for language in ("en", "de")}
    told = ScopeChart.objects.filter(theme="light", language="en").get().spec["usermeta"]
    assert told["targets"]["JP"] == [{"text": "max 17%", "level": "country", "since": "2026-01-01", "scopes": 1}]
    assert told["targets"]["CH"] == [{"text": "max 15%", "level": "global", "since": "", "scopes": 1}]
    assert told["as_of"] == "2026-03-01"
    assert told["has_limits"]


def test_an_unchanged_funnel_is_not_drawn_again_and_one_of_a_dead_rule_goes(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def svg(spec: dict[str, object], *, language: str = "en") -> str:
        rendered.append(language)
        return "<svg/>"

    monkeypatch.setattr(charts, "svg", svg)
    standing = [rule]
    monkeypatch.setattr(comparing, "standing_rules", lambda: Standing(standing, rule.limits, []))
    for country, events in (("CH", 10), ("DE", 12), ("JP", 9)):
        publish("Acme", country, events, 100)
    drawn_now()
    drawn_now()
    assert rendered == ["en", "de"]
    publish("Globex", "CH", 50, 100)
    drawn_now()
    assert rendered == ["en", "de"] * 2
    standing.clear()
    assert drawn_now() == 0
    assert not ScopeChart.objects.exists()


def test_a_name_from_a_platform_cannot_be_more_than_text(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing is shown without escaping, and names of countries and suppliers are in it."""
    evil = '<script>alert("x")</script>" onload="y'
    for country, events in ((evil, 40), ("DE", 12), ("JP", 9)):
        publish("Acme", country, events, 100)
    monkeypatch.setattr(comparing, "standing_rules", lambda: Standing([rule], rule.limits, []))
    drawn_now()
    for chart in ScopeChart.objects.all():
        elements = list(ET.fromstring(chart.svg).iter())
        assert any(evil in (element.text or "") for element in elements)
        assert any(evil in element.get("aria-label", "") for element in elements)
        assert not [element.tag for element in elements if element.tag.endswith("script")]
        assert not [name for element in elements for name in element.attrib if name.startswith("on")]
