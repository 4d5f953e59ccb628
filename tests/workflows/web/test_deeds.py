"""What people do on the action page: the same guards as everywhere, every reason at once, in their language."""

from __future__ import annotations

import ast
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override

import improvement.guards
from improvement.action import ActionFacts, Call
from improvement.check import Goal
from improvement.errors import InputError
from improvement.pdca import Actor, Event, State
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import OPENED, Stage, bring_live
from workflows import access
from workflows.actions import commands
from workflows.models import Action, LedgerEntry, Role
from workflows.web import reasons

pytestmark = pytest.mark.django_db


def do(client: Client, stage: Stage, name: str, deed: str, **fields: str) -> tuple[int, str]:
    """Send a form of the action page; returns the status and the page (followed after success)."""
    data = {f"{deed}-{key}": value for key, value in fields.items()}
    answer = client.post(f"/actions/{stage.code(name)}/{deed}/", data)
    if answer.status_code == 302:
        assert answer["Location"] == f"/actions/{stage.code(name)}/"
        return 302, client.get(answer["Location"]).content.decode()
    return answer.status_code, answer.content.decode()


def state(stage: Stage, name: str) -> str:
    return Action.objects.get(pk=stage.actions[name].pk).state


def test_an_owner_plans_and_hands_in_and_another_approves(stage: Stage, as_person: Visit) -> None:
    olga, paul = as_person("olga"), as_person("paul")
    status, page = do(
        olga, stage, "proposed", "plan",
        hypothesis="A second shift.", goal="-40%", min_effect="-20%", golive="2027-01-11", due="2027-02-01",
    )  # fmt: skip
    assert status == 302
    assert "Done: Plan." in page
    assert "A second shift." in page
    assert do(olga, stage, "proposed", "submit")[0] == 302
    assert do(paul, stage, "proposed", "approve")[0] == 302
    action = Action.objects.get(pk=stage.actions["proposed"].pk)
    plan = action.plans.get()
    assert (action.state, action.goal, action.min_effect, len(plan.sha256)) == ("planned", "-40%", "-20%", 64)
    assert plan.approved_by == stage.people["paul"]
    assert do(olga, stage, "proposed", "start")[0] == 302
    assert state(stage, "proposed") == "doing"
    last = LedgerEntry.objects.filter(subject=action.code).order_by("-index").first()
    assert last is not None
    assert last.type == "action.transitioned"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["the hypothesis is missing", "the planned go-live is missing"]),
        ("de", ["die Hypothese fehlt", "der geplante Go-live fehlt"]),
    ],
)
def test_every_reason_of_a_refusal_is_shown_at_once(
    stage: Stage, as_person: Visit, language: str, told: list[str]
) -> None:
    status, page = do(as_person("olga", language), stage, "proposed", "submit")
    assert status == 422
    assert all(reason in page for reason in told)
    assert state(stage, "proposed") == "proposed"


class Fields(HTMLParser):
    """What a browser sends of the form of a deed, as the page fills it in."""

    def __init__(self, page: str, deed: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._deed, self._text = deed, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if not name.removeprefix("initial-").startswith(f"{self._deed}-"):
            return
        self.sent[name] = given.get("value") or ""
        self._text = name if tag == "textarea" else ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.sent[self._text] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        self._text = ""


def test_what_was_changed_elsewhere_since_a_page_was_shown_is_not_undone(stage: Stage, as_person: Visit) -> None:
    olga, code = as_person("olga"), stage.code("proposed")
    at = Action.objects.get(pk=stage.actions["proposed"].pk).last_moved_at
    commands.plan(stage.people["olga"], code, at=at, hypothesis="One\nline.", due=date(2027, 2, 1), goal="-40%")
    shown = Fields(olga.get(f"/actions/{code}/").content.decode(), "plan").sent
    commands.plan(stage.people["olga"], code, at=at, hypothesis="By somebody else.", due=date(2027, 3, 1))
    shown = {name: text.replace("\n", "\r\n") for name, text in shown.items()}  # as a browser sends it
    assert olga.post(f"/actions/{code}/plan/", {**shown, "plan-goal": "-30%"}).status_code == 302
    action = Action.objects.get(pk=stage.actions["proposed"].pk)
    assert (action.goal, action.hypothesis, action.due) == ("-30%", "By somebody else.", date(2027, 3, 1))
    assert olga.post(f"/actions/{code}/plan/", {**shown, "plan-hypothesis": ""}).status_code == 302
    assert Action.objects.get(pk=action.pk).hypothesis == ""


def test_what_is_emptied_is_taken_away_and_of_a_plan_that_is_handed_in_only_what_it_can_do_without(
    stage: Stage, as_person: Visit
) -> None:
    olga, german = as_person("olga"), as_person("olga", "de")
    filled = {"goal": "-40%", "min_effect": "-30%", "golive": date(2035, 1, 8), "due": date(2035, 2, 1)}
    for name in ("proposed", "planned"):
        at = Action.objects.get(pk=stage.actions[name].pk).last_moved_at
        commands.plan(stage.people["olga"], stage.code(name), at=at, hypothesis="One.", **filled)
    url = f"/actions/{stage.code('planned')}/"
    shown = Fields(german.get(url).content.decode(), "plan").sent
    assert shown["initial-plan-due"] == shown["plan-due"] == "2035-02-01"
    answer = german.post(f"{url}plan/", {**shown, "plan-goal": "", "plan-golive": "", "plan-hypothesis": ""})
    page = answer.content.decode()
    reasons_told = ("das Ziel fehlt", "der geplante Go-live fehlt", "die Hypothese fehlt")
    assert (answer.status_code, [one for one in reasons_told if one not in page]) == (422, [])
    again = {**Fields(page, "plan").sent, **{f"plan-{name}": shown[f"plan-{name}"] for name in ("goal", "golive")}}
    left_out = {"plan-hypothesis": "Two.", "plan-min_effect": "", "plan-due": ""}
    assert german.post(f"{url}plan/", {**again, **left_out}).status_code == 302
    action = Action.objects.get(pk=stage.actions["planned"].pk)
    assert (action.goal, action.min_effect, action.due, action.hypothesis) == ("-40%", "", None, "Two.")
    assert action.plans.get().document["min_effect"] == "-20%"  # half the goal
    url = f"/actions/{stage.code('proposed')}/"
    shown = Fields(olga.get(url).content.decode(), "plan").sent
    emptied = {name: "" if name.startswith("plan-") else text for name, text in shown.items()}
    assert olga.post(f"{url}plan/", emptied).status_code == 302
    action = Action.objects.get(pk=stage.actions["proposed"].pk)
    assert (action.goal, action.min_effect, action.golive_planned, action.due) == ("", "", None, None)


def test_a_page_that_does_not_say_what_it_showed_loses_nothing_that_was_typed(stage: Stage, as_person: Visit) -> None:
    """One that was open since before an update."""
    olga, code = as_person("olga"), stage.code("proposed")
    typed = {"plan-hypothesis": "A long one.", "plan-goal": "much", "plan-min_effect": "", "plan-due": ""}
    page = olga.post(f"/actions/{code}/plan/", typed).content.decode()
    assert olga.post(f"/actions/{code}/plan/", {**Fields(page, "plan").sent, "plan-goal": "-40%"}).status_code == 302
    action = Action.objects.get(pk=stage.actions["proposed"].pk)
    assert (action.hypothesis, action.goal) == ("A long one.", "-40%")


@pytest.mark.parametrize(
    ("language", "told"), [("en", "the plan was changed after it was shown"), ("de", "nachdem er gezeigt wurde")]
)
@pytest.mark.parametrize("change", [{"golive": date(2035, 1, 15)}, {"hypothesis": "No night shift."}], ids=str)
def test_nobody_approves_another_plan_than_they_were_shown(
    stage: Stage, as_person: Visit, change: dict[str, Any], language: str, told: str
) -> None:
    paul, code = as_person("paul", language), stage.code("planned")
    at = Action.objects.get(pk=stage.actions["planned"].pk).last_moved_at
    commands.plan(stage.people["olga"], code, at=at, golive=date(2035, 1, 8))
    shown = Fields(paul.get(f"/actions/{code}/").content.decode(), "approve").sent
    commands.plan(stage.people["olga"], code, at=at, **change)
    answer = paul.post(f"/actions/{code}/approve/", shown)
    page = answer.content.decode()
    assert (answer.status_code, told in page) == (422, True)
    assert not Action.objects.get(pk=stage.actions["planned"].pk).plans.get().sha256
    assert paul.post(f"/actions/{code}/approve/", Fields(page, "approve").sent).status_code == 302  # read again
    assert Action.objects.get(pk=stage.actions["planned"].pk).plans.get().approved_by == stage.people["paul"]


def test_what_was_typed_is_not_lost(stage: Stage, as_person: Visit) -> None:
    status, page = do(as_person("olga"), stage, "proposed", "plan", hypothesis="A <b>second</b> shift.", goal="much")
    assert status == 422
    assert "“much” is no goal." in page
    assert "A &lt;b&gt;second&lt;/b&gt; shift." in page
    assert Action.objects.get(pk=stage.actions["proposed"].pk).hypothesis == ""


def test_a_goal_below_the_detectable_effect_is_refused_with_numbers(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    do(olga, stage, "proposed", "plan", hypothesis="x", goal="-10%", golive="2027-01-11")
    status, page = do(olga, stage, "proposed", "submit")
    assert status == 422
    assert "smaller than the smallest detectable effect (" in page
    do(olga, stage, "proposed", "plan", hypothesis="x", accept_detectable="It is worth trying.")
    assert do(olga, stage, "proposed", "submit")[0] == 302


def test_the_owner_cannot_approve_and_is_not_asked_to(stage: Stage, as_person: Visit) -> None:
    page = as_person("olga").get(f"/actions/{stage.code('planned')}/").content.decode()
    assert "/approve/" not in page
    status, page = do(as_person("olga"), stage, "planned", "approve")
    assert status == 403
    assert "is no approver" in page
    assert "/approve/" in as_person("paul").get(f"/actions/{stage.code('planned')}/").content.decode()


@pytest.mark.parametrize("name", ["audrey", "vera", "paul"])
def test_who_only_reads_gets_no_forms_and_is_refused_by_the_server(stage: Stage, as_person: Visit, name: str) -> None:
    client = as_person(name)
    page = client.get(f"/actions/{stage.code('improved')}/").content.decode()
    assert "/decide/" not in page
    status, _ = do(client, stage, "improved", "decide", decision="stop", reason="I say so.")
    assert status == 403
    assert state(stage, "improved") == "acting"


def test_the_owner_decides_after_the_verdict(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    assert do(olga, stage, "improved", "decide", reason="?")[0] == 422  # nothing chosen
    status, page = do(olga, stage, "improved", "decide", decision="standardise", reason="It works.")
    assert status == 302
    assert state(stage, "improved") == "sustaining"
    assert "make it the standard" in page
    assert "It works." in page


def test_a_bad_verdict_is_no_standard(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    Action.objects.filter(pk=action.pk).update(verdict="no change")
    status, page = do(as_person("olga", "de"), stage, "improved", "decide", decision="standardise")
    assert status == 422
    assert "der Befund ist „keine Veränderung“: zum Standard wird nur" in page


def test_two_people_overrule_a_verdict_and_it_stays_beside(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    Action.objects.filter(pk=action.pk).update(verdict="no change")
    olga, paul = as_person("olga"), as_person("paul")
    assert do(paul, stage, "improved", "second_override")[0] == 422  # nobody proposed it
    assert do(olga, stage, "improved", "override", reason="The survey was broken.")[0] == 302
    assert do(olga, stage, "improved", "second_override")[0] == 403
    status, page = do(paul, stage, "improved", "second_override")
    assert status == 302
    assert "overruled by two people" in page
    assert "The survey was broken." in page
    assert "Paul Approver" in page
    assert do(olga, stage, "improved", "decide", decision="standardise", reason="As overruled.")[0] == 302


def test_the_owner_hands_an_action_over_to_somebody_with_rights(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    page = olga.get(f"/actions/{stage.code('proposed')}/").content.decode()
    assert "Gustav Globex" not in page  # no rights on this customer
    assert do(olga, stage, "proposed", "assign", owner="gustav")[0] == 422
    access.grant(stage.people["gustav"], Role.SERVICE_OWNER, at=OPENED, by=access.local_admin(), customer="Acme")
    assert do(olga, stage, "proposed", "assign", owner="gustav")[0] == 302
    assert Action.objects.get(pk=stage.actions["proposed"].pk).owner == stage.people["gustav"]


def test_a_follow_up_is_noted_on_the_review(stage: Stage, as_person: Visit) -> None:
    status, page = do(as_person("olga"), stage, "improved", "follow_up", what="Tell the others.", due="2026-03-01")
    assert status == 302
    assert "Tell the others." in page


def test_hold_resume_and_cancel_take_a_reason(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    assert do(olga, stage, "planned", "hold")[0] == 422
    assert do(olga, stage, "planned", "hold", reason="Freeze of changes.")[0] == 302
    assert state(stage, "planned") == "on hold"
    assert do(olga, stage, "planned", "resume", reason="Over.")[0] == 302
    assert do(olga, stage, "planned", "cancel", reason="Not worth it.")[0] == 302
    assert state(stage, "planned") == "cancelled"
    assert do(olga, stage, "improved", "cancel", reason="I do not like the verdict.")[0] == 422


def test_go_live_is_reported_with_its_day(stage: Stage, as_person: Visit) -> None:
    olga = as_person("olga")
    commands.approve(stage.people["paul"], stage.code("planned"), at=OPENED)
    commands.start(stage.people["olga"], stage.code("planned"), at=OPENED)
    assert do(olga, stage, "planned", "golive", on="tomorrow")[0] == 422
    status, page = do(olga, stage, "planned", "golive", on="2025-06-04")
    assert status == 422
    assert "lies in or before the trigger window, which ends on 2025-07-06" in page
    assert do(olga, stage, "planned", "golive", on="2025-08-25", ref="CHG7")[0] == 302
    assert state(stage, "planned") == "checking"


def test_a_wrong_go_live_is_corrected_with_a_reason(stage: Stage, as_person: Visit) -> None:
    olga, german = as_person("olga"), as_person("olga", "de")
    assert "Go-live berichtigen" in german.get(f"/actions/{stage.code('checking')}/").content.decode()
    assert do(olga, stage, "checking", "correct_golive", on="2025-09-01")[0] == 422  # without a reason
    status, page = do(german, stage, "proposed", "correct_golive", on="2025-09-01", reason="x")
    assert status == 422
    assert "noch kein Go-live gemeldet" in page
    status, page = do(olga, stage, "checking", "correct_golive", on="2025-09-01", ref="CHG8", reason="Mistyped.")
    assert status == 302
    assert "go-live corrected" in page
    assert "Mistyped." in page
    action = Action.objects.get(pk=stage.actions["checking"].pk)
    assert (str(action.implemented_on), action.implemented_ref) == ("2025-09-01", "CHG8")


def test_a_deed_is_a_post_with_a_token(stage: Stage, as_person: Visit) -> None:
    address = f"/actions/{stage.code('improved')}/decide/"
    assert as_person("olga").get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(stage.people["olga"])
    answer = strict.post(address, {"decide-decision": "stop", "decide-reason": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()
    assert state(stage, "improved") == "acting"
    assert as_person("olga").post(f"/actions/{stage.code('improved')}/explode/").status_code == 404
    assert Client().post(address).status_code == 302


def test_an_action_that_is_over_offers_nothing_but_a_follow_up(stage: Stage, as_person: Visit) -> None:
    address = f"/actions/{stage.code('closed')}/"
    page = as_person("olga").get(address).content.decode()
    assert [part.split("/")[0] for part in page.split(f'action="{address}')[1:]] == ["follow_up"]
    assert "Nothing more: the loop is closed." in as_person("vera").get(address).content.decode()
    assert do(as_person("olga"), stage, "closed", "hold", reason="x")[0] == 422


def test_offers_follow_the_state(stage: Stage, as_person: Visit) -> None:
    held = {
        "proposed": {"plan", "submit", "golive", "assign", "task", "hold", "cancel"},
        "planned": {"plan", "assign", "task", "hold", "cancel", "golive"},
        "checking": {"assign", "task", "reapprove", "hold", "cancel", "correct_golive", "mark_change"},
        "improved": {"decide", "override", "follow_up", "assign", "task", "hold", "mark_change"},
    }
    for name, deeds in held.items():
        page = as_person("olga").get(f"/actions/{stage.code(name)}/").content.decode()
        offered = {part.split("/")[0] for part in page.split(f'action="/actions/{stage.code(name)}/')[1:]}
        assert offered == deeds, name


def test_people_mark_what_else_was_changed_and_take_back_only_their_own_marks(stage: Stage, as_person: Visit) -> None:
    olga, paul = as_person("olga"), as_person("paul")
    given = {"number": "CHG77", "on": "2025-10-01", "reason": "A new mail server.", "is_for_scope": "on"}
    status, page = do(paul, stage, "checking", "mark_change", **given)
    assert status == 302
    assert "A new mail server." in page
    assert "for the whole scope" in page
    assert "another change marked" in page
    assert do(as_person("vera"), stage, "checking", "mark_change", **given)[0] in (403, 404)
    status, page = do(olga, stage, "checking", "take_back_change", number="CHG77")
    assert status == 422
    assert "olga did not mark CHG77." in page
    assert do(paul, stage, "checking", "take_back_change", number="CHG77")[0] == 302
    german = as_person("olga", language="de")
    status, page = do(german, stage, "checking", "mark_change", **given | {"on": "2099-01-01"})
    assert status == 422
    assert "liegt in der Zukunft" in page


def test_an_owner_whom_nobody_knows_is_shown_with_the_way_to_mend_it(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["checking"]
    Action.objects.filter(pk=action.pk).update(unknown_owner="maria.keller")
    page = as_person("olga").get(f"/actions/{action.code}/").content.decode()
    assert "Its owner there is nobody we know." in page
    assert f"regelkreis users link NAME {action.connection} maria.keller" in page


def test_every_sentence_of_the_guards_is_translated() -> None:
    """The guards speak English; the page must know each of their sentences."""
    with override("de"):
        for sentence in guard_sentences():
            assert reasons.translated(sentence) != sentence, sentence


def test_a_goal_that_leads_beyond_all_is_refused_in_german() -> None:
    with pytest.raises(InputError) as refused:
        Goal.parse("+30%").link_size(family="proportion", sign=1, rate=0.8)
    told = refused.value.what
    facts = ActionFacts(state=State.PROPOSED, goal_inexpressible=told.rstrip("."))
    (guarded,) = improvement.guards.goal_is_detectable(facts, Call(Event.SUBMIT, Actor("olga"), date(2026, 11, 2)))
    with override("de"):
        assert reasons.translated(told) == "Ein Ziel von +30% brächte einen Anteil von 80,0% auf 104,0%."
        assert reasons.translated(guarded) == (
            "Ein Ziel von +30% brächte einen Anteil von 80,0% auf 104,0%: setzen Sie ein anderes Ziel, oder geben Sie "
            "einen Grund an, trotzdem fortzufahren"
        )


def guard_sentences() -> list[str]:
    """Every text the guards return, found in their source, with something filled in where they fill in."""
    tree = ast.parse(Path(improvement.guards.__file__).read_text(encoding="utf-8"))
    docs = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.Module)
    }
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(p.value if isinstance(p, ast.Constant) else "0.40" for p in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            found.append(node.value)
    return [text for text in found if text not in docs and text.count(" ") > 1 and "improved, not" not in text[:14]]


def test_a_live_action_can_be_brought_there_by_its_people(stage: Stage) -> None:
    bring_live(stage, stage.actions["foreign"])
    assert state(stage, "foreign") == "checking"
