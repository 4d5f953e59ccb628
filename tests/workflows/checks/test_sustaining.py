"""What became the standard is looked at again, round after round, and every half year once it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from improvement.errors import GuardRefused
from improvement.vocabulary import Verdict
from tests.workflows.build import OPENED, RESULT, an_action, an_approver, an_owner, live, looked
from workflows.actions import commands
from workflows.checks import reviewing
from workflows.models import Action, Finding, LedgerEntry, Look, LookKind, Person
from workflows.steps import check
from workflows.steps.looking import Reading
from workflows.warehouse import our_warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def action(olga: Person) -> Action:
    """Improved, and made the standard on the Monday after its final look."""
    action = live(an_action(olga), an_approver())
    for _ in range(2):
        looked(action, kind=LookKind.LOOK)
    looked(action)
    return commands.decide(olga, action.code, "standardise", at=OPENED + timedelta(weeks=18))


def waiting(action: Action) -> list[tuple[int, int]]:
    looks = action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=True, is_dropped=False)
    return [(look.round_no, look.week_no) for look in looks.order_by("due_at")]


def closed(action: Action, olga: Person) -> Action:
    for _ in range(3):
        looked(action, kind=LookKind.SUSTAIN)
    last = action.looks.order_by("-due_at").first()
    assert last is not None
    return commands.acknowledge(olga, action.code, at=last.due_at + timedelta(days=1))


def test_three_looks_are_planned_counted_from_the_decision(action: Action) -> None:
    assert waiting(action) == [(1, 4), (1, 8), (1, 13)]
    first = action.looks.filter(kind=LookKind.SUSTAIN).order_by("due_at").first()
    assert first is not None
    assert first.due_at.date() == date(2026, 1, 20) - timedelta(days=1)  # Tuesday 00:00 in Zurich, after four weeks


def test_the_last_look_closes_the_action_only_when_its_owner_has_seen_it(action: Action, olga: Person) -> None:
    looked(action, kind=LookKind.SUSTAIN)
    commands.acknowledge(olga, action.code, at=OPENED + timedelta(weeks=23))
    action.refresh_from_db()
    assert action.state == "sustaining"
    for _ in range(2):
        looked(action, kind=LookKind.SUSTAIN)
    action.refresh_from_db()
    assert action.state == "sustaining"
    commands.acknowledge(olga, action.code, at=OPENED + timedelta(weeks=33))
    action.refresh_from_db()
    assert action.state == "closed"


def test_a_bad_look_brings_it_back_and_the_decision_answers_that_look(action: Action, olga: Person) -> None:
    _, review = looked(action, verdict="faded", kind=LookKind.SUSTAIN)
    action.refresh_from_db()
    assert (action.state, action.verdict, waiting(action)) == ("acting", "faded", [])
    with pytest.raises(GuardRefused, match="only improved or recovered"):
        commands.decide(olga, action.code, "standardise", at=OPENED + timedelta(weeks=24))
    commands.decide(olga, action.code, "stop", at=OPENED + timedelta(weeks=24), reason="It did not last.")
    document = reviewing.published(review)
    assert (document["kind"], document["decision"]["decision"]) == ("sustain", "stop")
    assert document["held_at"] != ""


def test_a_second_decision_to_standardise_begins_a_round_of_its_own(action: Action, olga: Person) -> None:
    paul = Person.objects.get(username="paul")
    looked(action, verdict="no change", kind=LookKind.SUSTAIN)
    at = OPENED + timedelta(weeks=24)
    commands.override(olga, action.code, at=at, reason="Two weeks of strike.")
    commands.second_override(paul, action.code, at=at)
    commands.decide(olga, action.code, "standardise", at=at)
    assert waiting(action) == [(2, 4), (2, 8), (2, 13)]
    with pytest.raises(GuardRefused, match="nothing to acknowledge"):
        commands.acknowledge(olga, action.code, at=at)


def test_a_closed_action_is_looked_at_every_half_year(action: Action, olga: Person) -> None:
    action = closed(action, olga)
    assert waiting(action) == [(1, 39)]
    looked(action, kind=LookKind.SUSTAIN)
    assert waiting(action) == [(1, 65)]
    commands.acknowledge(olga, action.code, at=OPENED + timedelta(weeks=70))
    action.refresh_from_db()
    assert action.state == "closed"


def test_a_bad_half_yearly_look_tells_the_owner_and_opens_nothing(action: Action, olga: Person) -> None:
    action = closed(action, olga)
    looked(action, verdict="no change", kind=LookKind.SUSTAIN)
    action.refresh_from_db()
    assert action.state == "closed"
    assert Action.objects.count() == 1
    assert Finding.objects.count() == 0
    assert LedgerEntry.objects.filter(type="owner.told").count() == 1
    note = action.deliveries.get(key__contains="/note/gone-")
    assert b"not there any more" in bytes(note.outbound)


def test_a_stopped_action_is_not_looked_at_again(action: Action, olga: Person) -> None:
    looked(action, verdict="faded", kind=LookKind.SUSTAIN)
    commands.decide(olga, action.code, "stop", at=OPENED + timedelta(weeks=24), reason="It did not last.")
    assert waiting(action) == []


def test_every_review_says_when_the_next_look_falls_due(action: Action, olga: Person) -> None:
    for _ in range(3):
        looked(action, kind=LookKind.SUSTAIN)
    action = commands.acknowledge(olga, action.code, at=OPENED + timedelta(weeks=33))
    looked(action, kind=LookKind.SUSTAIN)
    due = [look.due_at.isoformat() for look in action.looks.order_by("due_at")]
    told = [review.document["next_look_at"] for review in action.reviews.order_by("id")]
    final, last_sustaining = 2, 5
    for place, (said, following) in enumerate(zip(told, due[1:], strict=True)):
        is_open = place in (final, last_sustaining)  # the owner decides, or acknowledges, before another one is planned
        assert said == ("" if is_open else following)
    assert f"Next look: {due[1][:10]}." in reviewing.note_text(action.reviews.order_by("id")[0])


def test_a_bad_sustaining_look_names_no_next_one(action: Action) -> None:
    _, review = looked(action, verdict="faded", kind=LookKind.SUSTAIN)
    assert review.document["next_look_at"] == ""


def test_a_look_that_was_acknowledged_says_by_whom_and_asks_for_nothing_more(action: Action, olga: Person) -> None:
    action, review = looked(action, kind=LookKind.SUSTAIN)
    seen_at = OPENED + timedelta(weeks=23)
    assert "the owner acknowledges this look" in reviewing.shown_text(review)
    commands.acknowledge(olga, action.code, at=seen_at)
    assert "Next:" not in reviewing.shown_text(review)
    assert reviewing.appended_text(review) == [f"Acknowledged by olga, {seen_at:%Y-%m-%d}."]
    before = seen_at - timedelta(days=1)
    assert "the owner acknowledges this look" in reviewing.shown_text(review, before)
    assert reviewing.appended_text(review, before) == []


# --- what a cycle computes while looks, or their action, are moved ----------------------------------------------


@contextmanager
def checking(
    monkeypatch: pytest.MonkeyPatch, as_of: datetime, found: Callable[[Look], str]
) -> Iterator[check.Checking]:
    """The looks of a cycle, whose readings find these verdicts."""

    def read(warehouse: object, look: Look, **moment: Any) -> Reading:
        verdict = found(look)
        outcome: Any = SimpleNamespace(as_dict=lambda: {**RESULT, "verdict": verdict}, verdict=Verdict(verdict))
        return Reading(outcome, "a" * 64, 2900)

    monkeypatch.setattr(check, "read_look", read)
    monkeypatch.setattr(check, "_picture", lambda *look: None)
    with our_warehouse() as warehouse, closing(check.Checking(warehouse, "snow", as_of=as_of)) as one:
        monkeypatch.setattr(one._restating, "finish", lambda but: ([], []))
        yield one


def test_a_late_cycle_computes_no_look_that_a_bad_one_before_it_drops(
    action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cycle that came in time: the look after four weeks is bad, and what to do about it is to be decided."""
    late = OPENED + timedelta(weeks=32)  # two looks are due
    with checking(monkeypatch, late, lambda look: "faded" if look.week_no == 4 else "improved") as cycle:
        assert cycle.finish().computed == [f"{action.code} sustain 4: faded"]
    action.refresh_from_db()
    assert (action.state, action.verdict) == ("acting", "faded")
    looks = action.looks.filter(kind=LookKind.SUSTAIN)
    assert list(looks.values_list("week_no", "is_dropped", "verdict")) == [
        (4, False, "faded"),
        (8, True, ""),
        (13, True, ""),
    ]


@pytest.mark.parametrize("deed", ["cancel", "correct"])
def test_a_look_whose_action_is_moved_while_it_is_read_is_not_published(
    olga: Person, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    action = live(an_action(olga), an_approver())
    first = action.looks.order_by("due_at").first()
    assert first is not None
    at = first.due_at + timedelta(days=1)

    def found(look: Look) -> str:
        if deed == "cancel":
            commands.cancel(olga, action.code, at=at, reason="Enough.")
        else:
            commands.correct_golive(olga, action.code, at=at, on=date(2025, 9, 29), reason="Two weeks later.")
        return "improved"

    with checking(monkeypatch, at, found) as cycle:
        result = cycle.finish()
    assert (result.computed, result.errors) == ([], [])
    due = first.due_at + timedelta(weeks=2 * (deed == "correct"))
    first.refresh_from_db()
    assert (first.computed_at, first.is_dropped, first.due_at.date()) == (None, deed == "cancel", due.date())
