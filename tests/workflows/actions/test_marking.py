"""People mark what else was changed; nobody clears the way for the verdict they like."""

from __future__ import annotations

from datetime import timedelta

import pytest

from improvement import weeks
from improvement.errors import GuardRefused, InputError, PermissionMissing
from tests.workflows.build import GOLIVE, OPENED, a_person, an_action, an_approver, an_owner, live
from workflows.actions import commands, loop, marking
from workflows.cli.story import story_of
from workflows.models import Action, LedgerEntry, Person, Role

pytestmark = pytest.mark.django_db
AT = OPENED + timedelta(weeks=8)
LIVE_ON = GOLIVE + timedelta(weeks=2)
WEEK = weeks.week_of(LIVE_ON)


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def action(olga: Person) -> Action:
    return live(an_action(olga), an_approver())


def mark(person: Person, action: Action, number: str = "CHG77", **given: object) -> Action:
    known: dict[str, object] = {"at": AT, "on": LIVE_ON, "reason": "A new mail server.", **given}
    return commands.mark_change(person, action.code, number=number, **known)  # type: ignore[arg-type]


def seen(action: Action, *, first: int = WEEK, last: int = WEEK, days: int = 1) -> tuple[str, ...]:
    return marking.numbers_in(action, first_week=first, last_week=last, known_at=AT + timedelta(days=days))


def test_a_mark_counts_in_its_week_from_when_it_was_made(action: Action, olga: Person) -> None:
    mark(olga, action)
    assert seen(action) == ("CHG77",)
    assert seen(action, first=WEEK + 1, last=WEEK + 9) == ()
    assert seen(action, days=-1) == ()  # a look that fell due the day before did not know it


def test_a_mark_for_the_scope_holds_for_every_action_on_it_or_below(action: Action, olga: Person) -> None:
    below = an_action(olga, scope={**action.scope, "service": "Mail"}, scope_key="x")
    beside = an_action(olga, scope={**action.scope, "customer": "Bolt"}, scope_key="y")
    mark(olga, action, "CHG8")
    mark(olga, action, "CHG9", is_for_scope=True)
    assert [seen(one) for one in (action, below, beside)] == [("CHG8", "CHG9"), ("CHG9",), ()]
    Action.objects.filter(pk=below.pk).update(implemented_ref="CHG9")
    below.refresh_from_db()
    assert seen(below) == ()  # its own change is what is measured


def test_only_who_marked_a_change_takes_it_back_and_it_stays_on_record(action: Action, olga: Person) -> None:
    paul = Person.objects.get(username="paul")
    mark(paul, action)
    with pytest.raises(PermissionMissing, match="olga did not mark CHG77"):
        commands.take_back_change(olga, action.code, at=AT, number="CHG77")
    commands.take_back_change(paul, action.code, at=AT + timedelta(hours=1), number="CHG77")
    assert seen(action) == ()
    assert marking.marks_of(action) == []
    assert action.marked_changes.count() == 1
    with pytest.raises(InputError, match="no marked change"):
        commands.take_back_change(paul, action.code, at=AT, number="CHG77")
    assert list(LedgerEntry.objects.filter(type__startswith="change.").values_list("type", flat=True)) == [
        "change.marked",
        "change.taken_back",
    ]


def test_what_is_wrong_with_a_mark_is_said_at_once(action: Action, olga: Person) -> None:
    with pytest.raises(GuardRefused) as refused:
        mark(olga, action, "CHG1", on=AT.date() + timedelta(days=2))
    assert refused.value.reasons == [
        "CHG1 is the change the action itself went live with",
        f"{AT.date() + timedelta(days=2)} is in the future",
    ]
    mark(olga, action)
    with pytest.raises(GuardRefused, match="marked already"):
        mark(olga, action)
    for number, reason in (("", "x"), ("C" * 101, "x"), ("CHG9", " ")):
        with pytest.raises(InputError):
            mark(olga, action, number, reason=reason)


def test_who_has_no_role_on_the_scope_marks_nothing(action: Action) -> None:
    with pytest.raises(PermissionMissing, match="no role on the scope"):
        mark(a_person("vera", Role.VIEWER), action)


def test_a_mark_is_shown_with_the_action_and_in_its_history(action: Action, olga: Person) -> None:
    mark(olga, action, is_for_scope=True)
    told = str(story_of(action))
    assert f"CHG77, live {LIVE_ON}, marked by olga, for the whole scope: A new mail server." in told
    assert "change marked" in told
    assert loop.detail(action)["marked_changes"][0]["number"] == "CHG77"
