"""The pages *Suppliers* and *Countries* show what the cycle drew, the targets beside, and rank nobody."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from improvement import charts
from improvement.charts import Funnel, Unit
from tests.improvement.rules.build import a_pack
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import NOW, Stage
from workflows.models import RuleVersion, ScopeChart

pytestmark = pytest.mark.django_db
DATA = Funnel(
    title="Resolution SLA breached too often",
    unit="%",
    units=[Unit("JP", 6.5, 1226), Unit("CH", 5.7, 4058), Unit("US", 30.0, 3330), Unit("GB", 6.1, 3601)],
    is_lower_better=True,
    first=date(2025, 9, 8),
    as_of=date(2025, 11, 30),
)
TARGETS = {
    "CH": [{"text": "max 15%", "level": "global", "since": "", "scopes": 6}],
    "JP": [{"text": "max 17%", "level": "country", "since": "2025-01-01", "scopes": 1}],
}


def drawn(dimension: str, **more: Any) -> None:
    """A funnel as a cycle keeps it."""
    for language in ("en", "de"):
        spec = charts.funnel(DATA, language=language)
        spec["usermeta"] = {
            "first": "2025-09-08",
            "as_of": "2025-11-30",
            "units": [{"name": unit.name, "share": unit.value / 100, "n": unit.n} for unit in DATA.units],
            "targets": TARGETS,
            "has_limits": charts.limits_of(DATA) is not None,
            **charts.funnel_table(DATA, language=language).as_dict(),
            **more,
        }
        for theme in charts.THEMES:
            ScopeChart.objects.create(
                rule_id="sla", dimension=dimension, theme=theme, language=language, spec=spec,
                svg=f"<svg data-drawn='{theme}-{language}'/>", as_of=NOW,
                alternative=charts.funnel_alternative(DATA, language=language),
            )  # fmt: skip


@pytest.mark.parametrize(("dimension", "address"), [("supplier", "/suppliers/"), ("country", "/countries/")])
def test_each_page_shows_its_own_funnels_in_both_themes(dimension: str, address: str, as_person: Visit) -> None:
    drawn(dimension)
    page = as_person("audrey").get(address).content.decode()
    assert "data-drawn='light-en'" in page
    assert "data-drawn='dark-en'" in page
    assert "JP: 6.5 %, n = 1226, within what chance explains." in page  # the words of the chart
    assert "Resolution SLA breached too often" in page
    other = "/countries/" if dimension == "supplier" else "/suppliers/"
    assert "data-drawn" not in as_person("audrey").get(other).content.decode()


def test_a_chart_without_limits_has_none_in_its_legend(as_person: Visit) -> None:
    drawn("country")
    assert "mean and outer limits" in as_person("audrey").get("/countries/").content.decode()
    for chart in ScopeChart.objects.all():
        chart.spec["usermeta"] |= {"has_limits": False}
        chart.save()
    page = as_person("audrey").get("/countries/").content.decode()
    assert "mean and outer limits" not in page
    assert "inner limits" not in page


def test_targets_stand_beside_with_where_they_come_from(as_person: Visit) -> None:
    drawn("country")
    english = as_person("audrey").get("/countries/").content.decode()
    assert "at most 15\u00a0%" in english
    assert "for all · 6 scopes" in " ".join(english.split())
    assert "for the country · since 1 January 2025 · 1 scope" in " ".join(english.split())
    german = as_person("audrey", language="de").get("/countries/").content.decode()
    assert "data-drawn='light-de'" in german
    assert "höchstens 17\u00a0%" in german
    assert "für das Land · seit 1. Januar 2025 · 1 Bereich" in " ".join(german.split())


def test_what_is_going_on_is_linked(stage: Stage, as_person: Visit) -> None:
    drawn("country")
    page = as_person("audrey").get("/countries/").content.decode()
    assert f'href="/actions/{stage.code("improved")}/"' in page
    assert f'href="/actions/{stage.code("closed")}/"' not in page


def test_a_supplier_is_told_whose_promise_was_passed_on(as_person: Visit) -> None:
    drawn("supplier", derived_from="sla-of-customers")
    assert (
        "Passed on from what customers were promised: rule sla-of-customers."
        in as_person("audrey").get("/suppliers/").content.decode()
    )


def test_who_sees_some_customers_only_sees_no_sums_over_all(as_person: Visit) -> None:
    drawn("country")
    page = as_person("olga").get("/countries/").content.decode()
    assert "data-drawn" not in page
    assert "your rights cover some of them only" in page
    assert as_person("paul").get("/countries/").content.decode().count("data-drawn") == 2


def test_before_anything_was_drawn_the_page_says_what_is_missing(as_person: Visit) -> None:
    assert "Nothing to compare yet" in as_person("audrey").get("/suppliers/").content.decode()
    assert "Noch nichts zu vergleichen" in as_person("audrey", language="de").get("/countries/").content.decode()


def test_the_pages_are_for_signed_in_people(as_person: Visit) -> None:
    client = as_person("audrey")
    client.logout()
    assert client.get("/suppliers/").status_code == 302


def test_a_rule_whose_windows_do_not_lie_side_by_side_says_why_it_has_no_funnel(
    stage: Stage, as_person: Visit, tmp_path: Path
) -> None:
    row = RuleVersion.objects.get(rule_id="sla")
    row.document = a_pack(tmp_path, RULE).rules[0].canonical()
    row.save()
    page = " ".join(as_person("audrey").get("/countries/").content.decode().split())
    assert "No funnel: its values are over 4 weeks and come every 3 weeks" in page
    assert "Nothing to compare yet" not in page
    german = " ".join(as_person("audrey", language="de").get("/countries/").content.decode().split())
    assert "Kein Trichter: Ihre Werte gelten für 4 Wochen und kommen alle 3 Wochen" in german
    assert "No funnel" not in as_person("audrey").get("/suppliers/").content.decode()  # it does not look at them
    assert "No funnel" not in as_person("olga").get("/countries/").content.decode()


RULE = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Resolution SLA breached too often}
spec:
  metric: sla_breach_rate
  by: [customer, country]
  window: 4w
  every: 3w
  target: {max: 15%}
  trigger: {for: 3w}
  clear: {for: 3w}
"""
