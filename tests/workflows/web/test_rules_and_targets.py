"""Rules in words, targets in force, and the account of a quarter: each as far as the reader may see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.improvement.rules.build import a_pack
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import NOW, OPENED, TRIGGER, Stage
from workflows.models import Action, Finding, KeptFigures, RuleVersion

pytestmark = pytest.mark.django_db
ACME = {"customer": "Acme", "country": "CH", "service": "Mail"}
GLOBEX = {"customer": "Globex", "country": "DE", "service": "Shop"}


@pytest.fixture
def rule(stage: Stage, tmp_path: Path) -> RuleVersion:
    """The rule of the stage's findings, whole, as Audrey applied its second version."""
    row = RuleVersion.objects.get(rule_id="sla")
    row.document = a_pack(tmp_path, RULE).rules[0].canonical()
    row.mode = "propose"
    row.applied_by = stage.people["audrey"].uid
    row.save()
    RuleVersion.objects.create(
        rule_id="sla", sha256="b" * 64, document=row.document, mode="propose", is_live=False, applied_at=OPENED,
        applied_by="engine",
    )  # fmt: skip
    return row


RULE = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Resolution SLA breached too often, objective: reliable-operations}
spec:
  mode: propose
  metric: sla_breach_rate
  where: {kind: incident, sla.target: resolution, sla.agreement: sla, priority: [1, 2]}
  by: [customer, country, service]
  window: 4w
  target: {max: 15%}
  overrides:
    - {when: {country: CH}, target: {max: 12%}, from: 2026-01-01}
  while: [{metric: csat_mean, max: 4}]
  trigger: {for: 2w, min_samples: 20}
  clear: {ratio: 0.8, for: 4w}
  cooldown: 8w
action: {playbook: [ask the night shift]}
check: {goal: -50%}
"""


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def test_all_rules_are_listed_with_what_fires_for_the_reader(rule: RuleVersion, as_person: Visit) -> None:
    page = text(as_person("olga"), "/rules/")
    assert 'href="/rules/sla/"' in page
    assert "at most 15.0 %" in page
    assert "1 target for some" in page
    assert page.count("proposes") == 1
    firing = Finding.objects.filter(rule_id="sla", state="firing", scope__customer="Acme").count()
    assert f"<b>{firing}</b>" in page
    assert Finding.objects.filter(rule_id="sla", state="firing").count() > firing  # Globex' is not hers to see
    assert "höchstens 15,0 %" in text(as_person("olga", language="de"), "/rules/")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            [
                "incidents · priority: 1, 2 · agreement: SLA (customer) · clock: resolution",
                "customer × country × service",
                "4 weeks, a value every week",
                "Customer satisfaction is at most 4.00 points",
                "2 weeks beyond its target, each value on at least 20 records",
                "4 weeks within its target, tightened by the factor 0.8",
                "due in 30 days; goal −50 %; looked at 4, 8, 13 weeks after go-live; then 8 weeks of rest",
                "it proposes actions; a person accepts them before anything is written",
                "country CH",
                "at most 12.0 %",
                "1 earlier version",
            ],
        ),
        (
            "de",
            [
                "Störungen · Priorität: 1, 2 · Vereinbarung: SLA (Kunde) · Uhr: Lösung",
                "4 Wochen, jede Woche ein Wert",
                "2 Wochen jenseits des Ziels, jeder Wert aus mindestens 20 Datensätzen",
                "Land CH",
                "höchstens 12,0 %",
                "1 frühere Fassung",
            ],
        ),
    ],
)
def test_a_rule_is_told_in_words(rule: RuleVersion, as_person: Visit, language: str, words: list[str]) -> None:
    page = text(as_person("audrey", language=language), "/rules/sla/").replace("\xa0", " ")
    assert [one for one in words if one not in page] == []
    assert "Audrey" in page  # who made it live
    assert "ask the night shift" in page


def test_what_fires_stands_with_its_value_its_age_and_its_action(
    rule: RuleVersion, stage: Stage, as_person: Visit
) -> None:
    page = text(as_person("olga"), "/rules/sla/")
    action = stage.actions["improved"]
    assert f'href="/actions/{action.code}/"' in page
    assert "24.0 %" in page  # it fired on
    assert "20.0 %" in page  # its newest value
    newest = Finding.objects.get(actions=action).points.order_by("-week").values_list("week", flat=True)[0]
    assert f"{newest - TRIGGER[1] + 1} weeks" in page
    assert "Globex" not in page
    assert "Globex" in text(as_person("audrey"), "/rules/sla/")


def test_where_nothing_fires_whoever_sees_everything_is_told_so(rule: RuleVersion, as_person: Visit) -> None:
    Finding.objects.filter(rule_id="sla").update(state="ok")
    assert "Nothing fires." in text(as_person("audrey"), "/rules/sla/")
    assert "Nichts ist ausgelöst." in text(as_person("audrey", language="de"), "/rules/sla/")
    assert "Nothing you may see." in text(as_person("olga"), "/rules/sla/")


def test_what_was_agreed_with_other_customers_is_not_shown(rule: RuleVersion, as_person: Visit) -> None:
    agreed = (("Acme", 0.11), ("A*", 0.13), ("Globex", 0.02), ("[A]cme", 0.03))
    rule.document["spec"]["overrides"] += [
        {"when": {"customer": name, "country": "DE"}, "target": {"max": value}} for name, value in agreed
    ]
    rule.save()
    mine = text(as_person("olga"), "/rules/sla/")
    for words in ("at most 12.0 %", "at most 11.0 %", "at most 13.0 %"):  # of Switzerland, of Acme, of both
        assert words in mine
    for words in ("at most 2.0 %", "at most 3.0 %", "Globex"):
        assert words not in mine
    assert "3 targets for some" in text(as_person("olga"), "/rules/")
    assert "at most 2.0 %" in text(as_person("audrey"), "/rules/sla/")
    assert "5 targets for some" in text(as_person("audrey"), "/rules/")


def test_a_rule_for_one_customer_only_is_shown_to_whom_it_counts_for(
    rule: RuleVersion, as_person: Visit, tmp_path: Path
) -> None:
    for customer in ("Acme", "Globex"):
        own = RULE.replace("id: sla, title: Resolution", f"id: {customer.lower()}, title: Resolution at {customer}")
        own = own.replace("where: {", f"where: {{customer: {customer}, ")
        folder = tmp_path / customer
        folder.mkdir()
        RuleVersion.objects.create(
            rule_id=customer.lower(), sha256="c" * 64, document=a_pack(folder, own).rules[0].canonical(),
            mode="propose", applied_at=OPENED, applied_by="engine",
        )  # fmt: skip
    for name, seen, hidden in (("olga", "acme", "globex"), ("gustav", "globex", "acme")):
        listed = text(as_person(name), "/rules/")
        assert f'href="/rules/{seen}/"' in listed
        assert 'href="/rules/sla/"' in listed  # for all customers
        assert hidden not in listed.lower()
        text(as_person(name), f"/rules/{seen}/")
        text(as_person(name), f"/rules/{hidden}/", 404)
        text(as_person(name), "/rules/sla/")
    for name in ("audrey", "admin"):
        for one in ("acme", "globex"):
            assert f'href="/rules/{one}/"' in text(as_person(name), "/rules/")
            text(as_person(name), f"/rules/{one}/")


def test_of_a_rule_for_some_customers_each_reads_only_who_is_theirs(rule: RuleVersion, as_person: Visit) -> None:
    rule.document["spec"]["where"]["customer"] = ["Acme", "Globex"]
    rule.save()
    assert "customer: Acme, others" in text(as_person("olga"), "/rules/sla/")
    assert "Kunde: Globex, andere" in text(as_person("gustav", language="de"), "/rules/sla/")
    assert "customer: Acme, Globex" in text(as_person("audrey"), "/rules/sla/")


def test_a_rule_that_found_something_of_mine_stays_in_sight_when_it_turns_to_others(
    rule: RuleVersion, as_person: Visit
) -> None:
    rule.document["spec"]["where"]["customer"] = ["Globex"]
    rule.save()
    assert 'href="/rules/sla/"' in text(as_person("olga"), "/rules/")
    Finding.objects.filter(scope__customer="Acme").update(rule_id="another")
    assert 'href="/rules/sla/"' in text(as_person("olga"), "/rules/")  # it opened her actions
    Action.objects.filter(scope__customer="Acme").update(rule_id="another")
    assert 'href="/rules/sla/"' not in text(as_person("olga"), "/rules/")
    text(as_person("olga"), "/rules/sla/", 404)


def test_an_action_leads_to_its_rule_and_an_unknown_rule_is_not_found(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    assert 'href="/rules/sla/"' in text(olga, f"/actions/{stage.code('improved')}/")
    text(olga, "/rules/nothing/", 404)


def test_a_rule_that_is_live_no_more_says_so(rule: RuleVersion, as_person: Visit) -> None:
    RuleVersion.objects.filter(rule_id="sla").update(is_live=False)
    assert "Not live any more." in text(as_person("olga"), "/rules/sla/")
    assert "/rules/sla/" not in text(as_person("olga"), "/rules/")


Keep = Callable[..., None]


@pytest.fixture
def keep(stage: Stage) -> Keep:
    """Figures as a cycle leaves them."""

    def kept(name: str, **document: Any) -> None:
        KeptFigures.objects.update_or_create(name=name, defaults={"as_of": NOW, "document": document})

    return kept


def a_target(scope: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "connection": "snow", "rule": "sla", "metric": "sla_breach_rate", "scope": scope, "on": "2025-12-01",
        "target": "max 15%", "part": {"max": 0.15}, "from": "target", "level": "global", "valid_from": None,
        "valid_to": None, "because": "", "restated": None, **changes,
    }  # fmt: skip


def a_gap(dimension: str, value: str, target: str, **changes: Any) -> dict[str, Any]:
    return {
        "connection": "snow", "dimension": dimension, "value": value, "records": 17, "target": target,
        "missing_metrics": [], **changes,
    }  # fmt: skip


@pytest.fixture
def targets(keep: Keep) -> None:
    of_switzerland = {"level": "country", "from": "country CH", "part": {"max": 0.12}, "valid_from": "2025-07-01"}
    keep(
        "targets",
        on="2025-12-01",
        targets=[a_target(GLOBEX), a_target(ACME, **of_switzerland)],
        gaps=[
            a_gap("customer", "Initech", "none"),
            a_gap("customer", "Acme", "general", missing_metrics=["csat_mean"]),
        ],
        unknown=[{"connection": "snow", "dimension": "country", "tickets": 3}],
        countries_in_the_default_zone=["XX"],
        countries_by_the_wall_clock=[],
        restatements=[],
    )


def test_targets_are_shown_by_rule_with_where_they_come_from_and_who_has_none(targets: None, as_person: Visit) -> None:
    page = text(as_person("audrey"), "/targets/")
    for words in ("at most 15.0 %", "at most 12.0 %", "for all", "for the country", "2025-07-01", "1 December 2025"):
        assert words in page
    assert page.index("Without any target") < page.index("Initech") < page.index("Only a target of a level above")
    assert "not held to Customer satisfaction" in page
    assert "snow: 3 tickets name no country" in page
    assert "Countries without a time zone: XX" in page


def test_who_may_see_one_customer_sees_its_targets_only(targets: None, as_person: Visit) -> None:
    page = text(as_person("olga"), "/targets/")
    assert "at most 12.0 %" in page
    assert "at most 15.0 %" not in page
    assert "Initech" not in page
    assert "tickets name no country" not in page


def test_names_that_look_alike_are_told_to_whom_they_concern(targets: None, as_person: Visit, stage: Stage) -> None:
    row = KeptFigures.objects.get(name="targets")
    pairs = [("customer", ("ACME", "Acme")), *(("service", (f"Bu\u0308ro {n}", f"Büro {n}")) for n in range(9))]
    row.document["alike"] = [{"connection": "snow", "dimension": name, "values": of} for name, of in pairs]
    row.save()
    page = text(as_person("audrey"), "/targets/")
    assert "<bdi>ACME</bdi>, <bdi>Acme</bdi>" in page
    assert "<bdi>Bu\u0308ro 0</bdi> <code>Bu\\u0308ro 0</code>, <bdi>Büro 0</bdi>" in page
    assert "2 more names look like another one:" in page
    assert page.count("look alike, but are different names to every rule") == 8
    assert "sehen gleich aus, sind für jede Regel aber verschiedene Namen" in text(
        as_person("audrey", language="de"), "/targets/"
    )
    mine = text(as_person("olga"), "/targets/")
    assert "<bdi>ACME</bdi>, <bdi>Acme</bdi>" in mine  # of one of them nothing reaches her
    assert "Büro" not in mine
    assert "look alike" not in text(as_person("gustav"), "/targets/")


def a_row(scope: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "scope": scope, "dispositions": {"covered": 3, "no_rule": 1}, "clocks": 4, "unknown": 0, "overrun_s": 36_000,
        "parties": {"own": 27_000, "supplier": 9_000}, "suppliers": {"Hoster": 9_000}, **changes,
    }  # fmt: skip


@pytest.fixture
def account(keep: Keep) -> Keep:
    """``account(platform=8)``: the fourth quarter, as the platform counts it."""

    def kept(**changes: Any) -> None:
        connection = {
            "connection": "snow", "population": 8, "counted_as": "rows", "here": 8, "platform": 8, "rejected": 0,
            "waiting_untold": None, "gaps": [], "rows": [a_row(ACME), a_row(GLOBEX, suppliers={"Telco": 9_000})],
        }  # fmt: skip
        order = ["customer_wait", "supplier", "own"]
        keep(
            "account/2025Q4", **{"from": "2025-10-01", "to": "2025-12-01"}, order=order, order_version=0,
            connections=[connection | changes],
        )  # fmt: skip

    return kept


def test_breaches_and_minutes_add_up_for_everybody(account: Keep, as_person: Visit) -> None:
    account()
    page = text(as_person("audrey"), "/breaches/")
    assert "The platform counts 8 clocks, as many as are here." in page
    assert '<td class="num">6</td><td class="num muted">75 %</td>' in page  # covered
    assert '<td class="num">8</td>' in page
    assert '<td class="num">20 h</td>' in page
    assert "15 h" in page  # our own
    assert "Hoster" in page
    assert "Telco" in page
    mine = text(as_person("olga"), "/breaches/")
    assert "Only what your rights cover." in mine
    assert '<td class="num">4</td>' in mine
    assert '<td class="num">10 h</td>' in mine
    assert "Telco" not in mine
    assert "The platform counts" not in mine  # a sum over all customers
    assert "Globex" not in mine


def test_clocks_that_belong_to_no_quarter_are_told_to_those_who_see_all(account: Keep, as_person: Visit) -> None:
    account(undated={"clocks": 7, "first": ["a", "b", "c", "d", "e"]})
    page = text(as_person("audrey"), "/breaches/")
    assert "7 breached clocks belong to no quarter: they have no start." in page
    assert "a, b, c, d, e …" in page
    assert "7 verletzte Uhren gehören zu keinem Quartal" in text(as_person("audrey", language="de"), "/breaches/")
    assert "no quarter" not in text(as_person("olga"), "/breaches/")
    account(undated={"clocks": 1, "first": ["a"]}, counted_as="tickets")
    assert "1 breached clock belongs to no quarter: its ticket was not read." in text(as_person("audrey"), "/breaches/")


def test_where_no_clock_at_all_has_a_start_that_is_told_too(account: Keep, as_person: Visit) -> None:
    account(rows=[], population=0, platform=0, here=0, undated={"clocks": 1, "first": ["a"]})
    page = text(as_person("audrey"), "/breaches/")
    assert "1 breached clock belongs to no quarter: it has no start." in page
    assert "No breached clock of this quarter." in page
    assert "No breached clock that you may see." in text(as_person("olga"), "/breaches/")


def test_where_the_platform_counts_otherwise_it_is_a_gap(account: Keep, as_person: Visit) -> None:
    account(platform=9, gaps=["the platform counts 9 breached clocks, 8 are here"])
    page = text(as_person("audrey"), "/breaches/")
    assert "The platform counts 9, 8 are here." in page
    assert "regelkreis pull snow --reconcile" in page
    assert "Die Plattform zählt 9, hier sind 8." in text(as_person("audrey", language="de"), "/breaches/")


def test_why_waiting_is_not_known_is_told(account: Keep, as_person: Visit) -> None:
    account(waiting_untold="the platform was not asked")
    assert "die Plattform wurde nicht gefragt" in text(as_person("audrey", language="de"), "/breaches/")


def test_before_anything_was_counted_the_pages_say_what_counts_it(stage: Stage, as_person: Visit) -> None:
    assert "regelkreis targets" in text(as_person("audrey"), "/targets/")
    assert "regelkreis dispositions --period 2025Q4" in text(as_person("audrey"), "/breaches/")
