"""What people do on an action's page: each deed is one of the commands, with the same guards as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from improvement import pdca
from improvement.pdca import OPEN_STATES, Event, State
from workflows import access
from workflows.actions import commands, loop, marking, rights
from workflows.actions.judging import judged_look
from workflows.models import Action, LookKind, Person, ReviewEntry, Role
from workflows.web.rooms.forms import (
    ApprovalForm,
    CorrectionForm,
    DecisionForm,
    Deed,
    FollowUpForm,
    GoLiveForm,
    MarkForm,
    OwnerForm,
    PlanForm,
    ReasonForm,
    TakeBackForm,
    TaskForm,
)

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One deed: which command it is, what it asks for, who may do it and when it is offered."""

    name: str
    label: str | Promise
    command: Command
    form: type[Deed]
    is_possible: Callable[[Action, set[Event]], bool]
    role: Role | None = Role.SERVICE_OWNER  # None: whoever has a say on the scope
    tone: str = ""  # primary | danger
    help: str | Promise = ""


@dataclass(slots=True)
class Offer:
    """A deed as it stands on the page, with its form and what was wrong with it."""

    kind: Kind
    form: Deed
    refusals: list[str]
    is_open: bool = False  # shown unfolded: the next step, or one that was just refused


def _on(*events: Event) -> Callable[[Action, set[Event]], bool]:
    return lambda action, possible: any(event in possible for event in events)


def _can_plan(action: Action, possible: set[Event]) -> bool:
    plan = loop.current_plan(action)
    is_draft = plan is not None and not plan.sha256
    return action.state == State.PROPOSED.value or (action.state == State.PLANNED.value and is_draft)


def _can_approve(action: Action, possible: set[Event]) -> bool:
    plan = loop.current_plan(action)
    return Event.APPROVE in possible and plan is not None and not plan.sha256


def _has_sustaining_look(action: Action, possible: set[Event]) -> bool:
    seen = action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=False, held_at__isnull=True)
    return seen.exists()


def _is_open(action: Action, possible: set[Event]) -> bool:
    return action.state in OPEN_STATES


def _can_overrule(action: Action, possible: set[Event]) -> bool:
    return action.state == State.ACTING.value and not action.is_overridden and not _is_overrule_proposed(action)


def _can_second(action: Action, possible: set[Event]) -> bool:
    return action.state == State.ACTING.value and not action.is_overridden and _is_overrule_proposed(action)


def _is_overrule_proposed(action: Action) -> bool:
    look = judged_look(action)
    entries = ReviewEntry.objects.filter(review__look=look, kind="override_proposed")
    return look is not None and entries.exists()


def _assign(person: Person, code: str, *, at: datetime, owner: str) -> Action:
    return commands.assign(person, code, access.person_named(owner), at=at)


KINDS: tuple[Kind, ...] = (
    Kind(
        "accept",
        gettext_lazy("Accept the proposal"),
        commands.accept,
        Deed,
        lambda action, possible: not action.is_accepted and _is_open(action, possible),
        tone="primary",
        help=gettext_lazy("Only then is anything written to the platform."),
    ),
    Kind("decide", gettext_lazy("Decide"), commands.decide, DecisionForm, _on(Event.STANDARDISE), tone="primary"),
    Kind(
        "approve",
        gettext_lazy("Approve the plan"),
        commands.approve,
        ApprovalForm,
        _can_approve,
        role=Role.APPROVER,
        tone="primary",
        help=gettext_lazy("The plan is frozen and hashed: from then on nobody moves the yardstick."),
    ),
    Kind("reject", gettext_lazy("Send the plan back"), commands.reject, ReasonForm, _can_approve, role=Role.APPROVER),
    Kind(
        "second_override",
        gettext_lazy("Agree to overrule the verdict"),
        commands.second_override,
        Deed,
        _can_second,
        role=Role.APPROVER,
        help=gettext_lazy("You are the second person. The verdict stays on record beside the override."),
    ),
    Kind("plan", gettext_lazy("Plan"), commands.plan, PlanForm, _can_plan, tone="primary"),
    Kind(
        "submit",
        gettext_lazy("Hand in for approval"),
        commands.submit,
        Deed,
        _on(Event.SUBMIT),
        tone="primary",
        help=gettext_lazy("Somebody else approves it."),
    ),
    Kind(
        "start",
        gettext_lazy("Start the work"),
        commands.start,
        Deed,
        lambda action, possible: Event.START in possible and loop.facts_of(action).is_approved,
        tone="primary",
    ),
    Kind(
        "golive",
        gettext_lazy("Report the go-live"),
        commands.golive,
        GoLiveForm,
        lambda action, possible: Event.GO_LIVE in possible and action.implemented_on is None,
        tone="primary",
    ),
    Kind(
        "correct_golive",
        gettext_lazy("Correct the go-live"),
        commands.correct_golive,
        CorrectionForm,
        lambda action, possible: Event.CORRECT_GOLIVE in possible and action.implemented_on is not None,
        help=gettext_lazy("Both days stay on record. Once a look was computed, a corrected action counts as late."),
    ),
    Kind(
        "acknowledge",
        gettext_lazy("I have seen the sustaining looks"),
        commands.acknowledge,
        Deed,
        _has_sustaining_look,
        tone="primary",
    ),
    Kind(
        "override",
        gettext_lazy("Overrule the verdict"),
        commands.override,
        ReasonForm,
        _can_overrule,
        help=gettext_lazy("It takes two people, and the verdict stays on record beside it."),
    ),
    Kind(
        "follow_up",
        gettext_lazy("Note a follow-up"),
        commands.follow_up,
        FollowUpForm,
        lambda action, possible: action.reviews.exists(),
    ),
    Kind("assign", gettext_lazy("Change the owner"), _assign, OwnerForm, _is_open),
    Kind("task", gettext_lazy("Add a task"), commands.add_task, TaskForm, _is_open),
    Kind(
        "mark_change",
        gettext_lazy("Mark another change"),
        commands.mark_change,
        MarkForm,
        lambda action, possible: action.implemented_on is not None and _is_open(action, possible),
        role=None,
        help=gettext_lazy("Something else may have moved the figures too: the check then does not credit the action."),
    ),
    Kind(
        "take_back_change",
        gettext_lazy("Take a mark back"),
        commands.take_back_change,
        TakeBackForm,
        lambda action, possible: action.marked_changes.filter(taken_back_at__isnull=True).exists(),
        role=None,
        help=gettext_lazy("Only who marked a change can take it back; it stays on record."),
    ),
    Kind("reapprove", gettext_lazy("Change the approved plan"), commands.reapprove, ReasonForm, _on(Event.REAPPROVE)),
    Kind("resume", gettext_lazy("Resume"), commands.resume, ReasonForm, _on(Event.RESUME), tone="primary"),
    Kind("hold", gettext_lazy("Put on hold"), commands.hold, ReasonForm, _on(Event.HOLD)),
    Kind(
        "cancel",
        gettext_lazy("Cancel the action"),
        commands.cancel,
        ReasonForm,
        lambda action, possible: (
            Event.CANCEL in possible and State(action.held_from or action.state) not in (State.ACTING, State.SUSTAINING)
        ),
        tone="danger",
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def offers(person: Person, action: Action, tried: Offer | None = None) -> list[Offer]:
    """What this person may do here now; ``tried`` is what they just tried, with what they typed."""
    possible = set(pdca.allowed(loop.facts_of(action)))
    found = [
        tried if tried is not None and tried.kind is kind else Offer(kind, blank(kind, action), [])
        for kind in KINDS
        if kind.is_possible(action, possible) and holds(person, kind.role, action)
    ]
    if tried is not None and tried not in found:
        found.insert(0, tried)
    following = next((offer for offer in found if offer.kind.tone == "primary"), None)
    for offer in found:
        offer.is_open = (
            offer is tried or (offer is following and tried is None) or offer.kind.form in (Deed, ApprovalForm)
        )
    return found


def holds(person: Person, role: Role | None, action: Action) -> bool:
    """Whether the deed is offered; the command asks again."""
    if role is None:
        return marking.has_a_say(person, action)
    if role is Role.APPROVER:
        return action.owner_id != person.pk and not person.is_local_admin and access.may(person, role, action)
    return rights.owns(person, action) or person.has_role(Role.ADMIN)


def blank(kind: Kind, action: Action) -> Deed:
    """The form of a deed before anything is entered."""
    initial: dict[str, Any] = {}
    if kind.name == "plan":
        initial = {
            "hypothesis": action.hypothesis,
            "goal": action.goal,
            "min_effect": action.min_effect,
            "golive": action.golive_planned,
            "due": action.due,
            "accept_detectable": action.detectable_accepted_reason,
        }
    elif kind.form is OwnerForm:
        initial = {"owner": action.owner.username if action.owner else ""}
    form = kind.form(initial=initial, prefix=kind.name)
    form.fit(action)
    return form
