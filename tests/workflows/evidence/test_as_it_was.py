"""What was known at a moment: an action's whole life, looked at again from its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from improvement.errors import InputError
from tests.workflows.build import GOLIVE, OPENED, a_connection, a_person, an_action, an_approver, an_owner, looked
from workflows.actions import commands, loop
from workflows.checks import reviewing
from workflows.evidence import as_it_was, ledger, verifying
from workflows.models import Action, Look, LookKind, Person, ReviewRecord, Role, RuleVersion

pytestmark = pytest.mark.django_db
VERSION = "a" * 64
LIVE = datetime(GOLIVE.year, GOLIVE.month, GOLIVE.day, 12, tzinfo=UTC)
#: Of an action today, what the log does not tell of then.
UNTOLD = frozenset(
    [
        "unmeasured",
        "trigger_restated",
        "measurement",
        "diverged",
        "set_there",
        "edited_there",
        "unknown_owner",
        "record_url",
        "may",
        "record",
        "rolls_up_to",
        "serves",
    ]
)


@pytest.fixture
def action() -> Action:
    """Proposed by a version of a rule that asks for half."""
    a_connection()
    document = {"check": {"goal": "-50%"}, "action": {"hypothesis": "ask"}}
    RuleVersion.objects.create(
        rule_id="sla", sha256=VERSION, document=document, mode="propose", applied_at=OPENED, applied_by="engine"
    )
    return an_action(an_owner(), rule_sha256=VERSION, is_accepted=False)


def day(number: int) -> datetime:
    return OPENED + timedelta(days=number)


def today(action: Action) -> dict[str, Any]:
    return {name: value for name, value in loop.detail(action).items() if name not in UNTOLD}


def looks_of(action: Action) -> list[tuple[Any, ...]]:
    rows = Look.objects.filter(action=action).order_by("due_at", "id")
    return [
        (row.kind, row.round_no, row.week_no, row.due_at, row.verdict, row.is_missed, row.is_dropped) for row in rows
    ]


def looks_then(action: Action, at: datetime) -> list[tuple[Any, ...]]:
    return [
        (one.look.kind, one.look.round_no, one.look.week_no, one.due_at, one.verdict, one.is_missed, one.is_dropped)
        for one in as_it_was.looks_at(action, at)
    ]


def gone_live(action: Action) -> Person:
    """Planned, approved and live; returns the owner."""
    olga, paul = action.owner, an_approver()
    assert olga is not None
    commands.plan(olga, action.code, at=OPENED, hypothesis="A second shift.", golive=GOLIVE)
    commands.submit(olga, action.code, at=OPENED)
    commands.approve(paul, action.code, at=day(1))
    commands.start(olga, action.code, at=day(2))
    commands.golive(olga, action.code, at=LIVE, on=GOLIVE)
    return olga


def test_every_moment_of_an_actions_life_is_told_as_it_was(action: Action) -> None:
    olga, paul = action.owner, an_approver()
    assert olga is not None
    code = action.code
    last = {"at": OPENED}

    def look(kind: str, verdict: str) -> None:
        last["at"] = looked(Action.objects.get(pk=action.pk), kind=kind, verdict=verdict)[0].last_moved_at

    def mark(at: datetime) -> None:
        commands.mark_change(olga, code, at=at, number="CHG9", on=at.date(), reason="a server", is_for_scope=False)

    steps: list[tuple[datetime | None, Callable[[datetime], Any]]] = [
        (OPENED, lambda at: None),
        (day(1), lambda at: commands.plan(olga, code, at=at, hypothesis="A second shift.")),
        (day(2), lambda at: commands.plan(olga, code, at=at, goal="-40%", min_effect="-10%", golive=GOLIVE)),
        (day(3), lambda at: commands.submit(olga, code, at=at)),
        (day(4), lambda at: commands.reject(paul, code, at=at, reason="which shift?")),
        (day(5), lambda at: commands.plan(olga, code, at=at, hypothesis="A second shift at night.")),
        (day(6), lambda at: commands.submit(olga, code, at=at)),
        (day(7), lambda at: commands.approve(paul, code, at=at)),
        (day(8), lambda at: commands.start(olga, code, at=at)),
        (day(9), lambda at: commands.hold(olga, code, at=at, reason="freeze")),
        (day(10), lambda at: commands.resume(olga, code, at=at, reason="freeze is over")),
        (day(11), mark),
        (LIVE, lambda at: commands.golive(olga, code, at=at, on=GOLIVE, ref="CHG1")),
        (LIVE + timedelta(days=1), lambda at: commands.take_back_change(olga, code, at=at, number="CHG9")),
        (None, lambda at: look(LookKind.LOOK, "improved")),
        (None, lambda at: look(LookKind.LOOK, "improved")),
        (None, lambda at: look(LookKind.FINAL, "improved")),
    ]  # fmt: skip
    known: list[tuple[datetime, dict[str, Any], list[tuple[Any, ...]], int]] = []
    for moment, step in steps:
        step(moment or last["at"])
        action.refresh_from_db()
        at = moment or max(one.computed_at for one in Look.objects.filter(action=action, computed_at__isnull=False))
        known.append((at, today(action), looks_of(action), ReviewRecord.objects.count()))
    after = known[-1][0]
    for days, step in (
        (1, lambda at: commands.decide(olga, code, "standardise", at=at)),
        (2, lambda at: commands.follow_up(olga, code, at=at, what="Train the shift", who="olga")),
    ):
        at = after + timedelta(days=days)
        step(at)
        action.refresh_from_db()
        known.append((at, today(action), looks_of(action), ReviewRecord.objects.count()))
    look(LookKind.SUSTAIN, "faded")
    action.refresh_from_db()
    end = Look.objects.filter(kind=LookKind.SUSTAIN, computed_at__isnull=False).get().computed_at
    assert end is not None
    known.append((end, today(action), looks_of(action), ReviewRecord.objects.count()))

    for at, was, looks, reviews in known:
        then = as_it_was.action_at(action, at).as_dict()
        assert {name: then[name] for name in was} == was, at
        assert looks_then(action, at) == looks, at
        assert as_it_was.reviews_at(at).count() == reviews
    states = [then.state for at, *_ in known for then in as_it_was.actions_at(at)]
    assert states[0] == "proposed"
    assert {"planned", "doing", "on hold", "checking", "acting", "sustaining"} <= set(states)


def test_before_it_was_opened_there_was_nothing(action: Action) -> None:
    before = OPENED - timedelta(days=1)
    assert as_it_was.actions_at(before) == []
    with pytest.raises(InputError, match="was opened on"):
        as_it_was.action_at(action, before)


def test_an_action_that_was_dated_back_says_since_when_the_log_knows_it() -> None:
    """Commands of today and commands for the past mixed: what was opened for July is known since it was written."""
    today, past = OPENED + timedelta(days=200), OPENED - timedelta(days=30)
    a_person("nora", Role.VIEWER, at=today)
    action = an_action(None, opened_at=past)
    assert as_it_was.action_at(action, today).state == "proposed"
    with pytest.raises(InputError) as refused:
        as_it_was.action_at(action, OPENED)
    assert f"knows {action.code} since {today:%Y-%m-%d %H:%M} UTC, dated back to {past:%Y-%m-%d %H:%M}" in str(
        refused.value
    )


def test_a_look_whose_day_was_moved_since_says_no_day(action: Action) -> None:
    olga = gone_live(action)
    later = LIVE + timedelta(days=8)
    commands.correct_golive(olga, action.code, at=later, on=GOLIVE + timedelta(days=7), reason="a typing error")
    assert {one.due_at for one in as_it_was.looks_at(action, LIVE)} == {None}
    assert [one.due_at for one in as_it_was.looks_at(action, later)] == [look[3] for look in looks_of(action)]
    assert as_it_was.action_at(action, LIVE).as_dict()["implemented_on"] == GOLIVE.isoformat()


def test_a_row_that_was_edited_does_not_change_what_was_known(action: Action) -> None:
    Action.objects.filter(pk=action.pk).update(state="closed", verdict="improved", goal="-90%")
    then = as_it_was.action_at(action, day(1))
    assert (then.state, then.as_dict()["verdict"]) == ("proposed", None)


def test_what_was_dated_back_is_known_only_since_it_was_written(action: Action) -> None:
    """Whoever writes today that a mark, an owner or an acceptance is of last week changes nothing of last week."""
    olga, dora = action.owner, a_person("dora", Role.SERVICE_OWNER)
    assert olga is not None
    code, dated, written = action.code, day(2), day(9)
    commands.plan(olga, code, at=written, hypothesis="A second shift.")
    known_before = as_it_was.action_at(action, day(8))
    commands.accept(olga, code, at=dated)
    commands.plan(olga, code, at=dated, goal="-45%")
    commands.mark_change(olga, code, at=dated, number="CHG9", on=dated.date(), reason="a server", is_for_scope=False)
    commands.assign(olga, code, dora, at=dated)

    then = as_it_was.action_at(action, day(8))
    assert then.as_dict() == known_before.as_dict()
    assert [line.event for line in then.history] == ["open"]

    now = as_it_was.action_at(action, written)
    assert (now.owner, now.as_dict()["is_accepted"], now.as_dict()["goal"]) == ("dora", True, "-45%")
    assert [mark.marked_at for mark in now.marks] == [dated]  # it is shown with the moment it names itself
    assert [(line.event, line.at) for line in now.history] == [("open", OPENED), ("change_marked", dated)]

    commands.take_back_change(olga, code, at=day(3), number="CHG9")
    ledger.append("owner.told", subject=code, actor="engine", at=day(20), payload={})
    assert as_it_was.action_at(action, written).marks == []
    commands.mark_change(olga, code, at=day(4), number="CHG10", on=dated.date(), reason="again", is_for_scope=False)
    assert as_it_was.action_at(action, day(19)).marks == []
    assert [mark.number for mark in as_it_was.action_at(action, day(20)).marks] == ["CHG10"]


def test_verdicts_and_what_was_appended_to_reviews_are_known_since_they_were_written(action: Action) -> None:
    olga = gone_live(action)
    action.refresh_from_db()
    action, review = looked(action, kind=LookKind.LOOK)
    asked = review.recorded_at + timedelta(days=1)
    ledger.append("owner.told", subject=action.code, actor="engine", at=asked + timedelta(days=100), payload={})
    commands.follow_up(olga, action.code, at=review.recorded_at, what="Train the shift", who="olga")
    action, later = looked(action, kind=LookKind.LOOK)  # a cycle that was run for the past
    assert later.recorded_at < asked + timedelta(days=100)

    at = asked + timedelta(days=99)
    assert [one.pk for one in as_it_was.reviews_at(at)] == [review.pk]
    assert [one.verdict for one in as_it_was.looks_at(action, at)] == ["improved", "", ""]
    assert reviewing.published(review, at)["follow_ups"] == []
    at = asked + timedelta(days=100)
    assert [one.pk for one in as_it_was.reviews_at(at)] == [review.pk, later.pk]
    assert [one.verdict for one in as_it_was.looks_at(action, at)] == ["improved", "improved", ""]
    assert [one["at"] for one in reviewing.published(review, at)["follow_ups"]] == [review.recorded_at.isoformat()]


def test_a_sustaining_look_without_one_before_it_is_only_not_shown(action: Action) -> None:
    """Its round begins elsewhere than its plan says, as after an edit: nothing tells when it was planned."""
    gone_live(action)
    plan = action.plans.get()
    odd = Look.objects.create(
        action=action, plan=plan, cycle_no=1, kind=LookKind.SUSTAIN, week_no=999, round_no=1, due_at=day(400)
    )
    shown = [one.look.pk for one in as_it_was.looks_at(action, day(500))]
    assert odd.pk not in shown
    assert len(shown) == len(plan.document["looks"])


def test_a_review_shows_only_what_was_appended_by_then(action: Action) -> None:
    olga = gone_live(action)
    action.refresh_from_db()
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        action, review = looked(action, kind=kind)
    decided = review.recorded_at + timedelta(days=3)
    commands.decide(olga, action.code, "standardise", at=decided)
    before = decided - timedelta(days=1)
    assert reviewing.published(review, before)["decision"] is None
    assert reviewing.published(review, decided)["decision"]["decision"] == "standardise"
    assert reviewing.published(review) == reviewing.published(review, decided)


def test_what_a_checkpoint_proved_is_still_proven_whatever_came_later(home: Path, action: Action) -> None:
    ledger.sign_checkpoint(OPENED)
    commands.plan(action.owner, action.code, at=day(1), hypothesis="A second shift.")  # type: ignore[arg-type]
    ledger.sign_checkpoint(day(2))
    found = verifying.verify_at(day(1))
    assert found.is_ok
    assert found.facts[0].startswith(f"At {OPENED:%Y-%m-%d %H:%M} UTC the log held ")
    assert len(verifying.verify_at(day(3)).facts[0]) >= len(found.facts[0])
    with pytest.raises(InputError, match="no checkpoint was signed"):
        verifying.verify_at(OPENED - timedelta(days=1))


def test_a_checkpoint_that_was_dated_back_proves_nothing_of_then(home: Path, action: Action) -> None:
    """A cycle for an earlier moment signs what the log holds when it runs, which is more than it held then."""
    sizes = []
    for written, dated in ((1, 1), (10, 10), (11, 2)):
        commands.plan(action.owner, action.code, at=day(written), hypothesis=f"Shift {written}.")  # type: ignore[arg-type]
        checkpoint = ledger.sign_checkpoint(day(dated))
        assert checkpoint is not None
        sizes.append(checkpoint.size)
    for asked, known in ((3, 0), (12, 1)):
        assert f"the log held {sizes[known]} entries" in verifying.verify_at(day(asked)).facts[0]
