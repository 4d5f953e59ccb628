"""Adopt: take an improvement record that people made on a platform into the loop, under the same guards.

Nothing that stands on the record is overwritten: from here on only what is measured is filled in where nobody else
wrote, and notes are added. Its trigger window is the eight weeks before the *record* was opened: whoever opened it saw
them, so they may not count as what is normal (docs/decisions/021). What cannot be measured is kept without a metric;
the guards then never let it be planned, so it never gets a verdict.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from connectors.existing import Existing, ReadsExisting
from improvement.check import Goal
from improvement.errors import GuardRefused, InputError, RegelkreisError
from improvement.metrics import DIMENSIONS, metric_named
from improvement.pdca import State
from improvement.records import Verb
from improvement.rules import Scope
from improvement.vocabulary import ENDED_STATES
from workflows import access, cycle
from workflows.actions import loop, opening, planning
from workflows.actions.rights import find, find_kept, must_hold, must_own, try_find
from workflows.checks import measuring
from workflows.deliveries import notes, outbox
from workflows.deliveries.dead_letters import GIVEN_UP
from workflows.evidence import ledger
from workflows.models import Action, DeliveryState, Origin, Person, Role, our_installation
from workflows.steps import follow
from workflows.warehouse import Warehouse, our_warehouse

NO_METRIC = "no metric was named for it"
NO_SERVICE = "its record names no service, and no scope was given"
NOT_COUNTED = "nothing is counted for its service on this connection"


def adopt(
    actor: Person,
    url: str,
    *,
    at: datetime,
    connection: str = "",
    metric: str = "",
    scope: str = "",
    where: str = "",
    goal: str = "",
) -> Action:
    """Take the record behind an address into the loop, as a service owner of its scope.

    ``connection`` is needed only where several reach the same site. Without ``scope`` the record's own service is
    meant; without ``metric`` nothing is measured until :func:`measure` says what.
    """
    found = _found(url, connection)
    values = _scope(scope) or ({"service": found.service} if found.service else {})
    action = _new_action(found, values, at=at)
    action.goal = Goal.parse(goal).text if goal else ""
    unmeasured = "" if metric and values else NO_SERVICE if metric else NO_METRIC
    action.metric = metric_named(metric).id if not unmeasured else ""
    action.measurement = _measured_by(action, where) if not unmeasured else {"unmeasured": unmeasured}
    must_hold(actor, Role.SERVICE_OWNER, action)
    action.owner = _owner(actor, found, action)
    with ExitStack() as stack:
        warehouse = None
        if not unmeasured:
            warehouse = stack.enter_context(our_warehouse())
        stack.enter_context(transaction.atomic())
        _refuse(action, found, [*_why_not(found), *opening.why_not_opened(action, actor.uid)])
        _save_new(action, found)
        if warehouse is not None:
            _measure(action, warehouse, is_certain=bool(scope), at=at)
        _tell(action, found, actor, at=at)
    action.refresh_from_db()
    return action


def measure(
    actor: Person, code: str, *, at: datetime, metric: str, scope: str = "", where: str = "", goal: str = ""
) -> Action:
    """Say by what an adopted record is measured that was taken in without a metric, before it is planned."""
    asked = (metric, scope, where, goal)
    _give_metric(actor, find(code), *asked)  # before it waits for a cycle that has the warehouse
    with our_warehouse() as warehouse, transaction.atomic():
        action = find_kept(code)  # as that cycle left it
        _give_metric(actor, action, *asked)
        if opening.has_open_twin(action):
            raise GuardRefused(f"{action.code} gets no metric", ["this metric and scope has an open action already"])
        _measure(action, warehouse, is_certain=True, at=at)
        ledger.append(
            "action.measured",
            subject=action.code,
            actor=actor.uid,
            at=at,
            payload={"metric": action.metric, "scope": action.scope, "trigger": planning.published_trigger(action)},
        )
        loop.queue_update(action, at)
    return action


def _give_metric(actor: Person, action: Action, metric: str, scope: str, where: str, goal: str) -> None:
    """Let it be measured by what a person asks for; refuses with every reason."""
    must_own(actor, action)
    reasons = []
    if planning.is_measured(action):
        reasons.append(f"it is measured by {action.metric} already")
    if action.state != State.PROPOSED:
        reasons.append(f"it is {action.state}; this is possible from: {State.PROPOSED.value}")
    if reasons:
        raise GuardRefused(f"{action.code} gets no metric", reasons)
    action.metric = metric_named(metric).id
    action.scope = _scope(scope) or action.scope
    action.scope_key = Scope.of(action.scope).key
    if not action.scope:
        raise InputError(f"{action.code} has no scope.", mend="Add --scope, like customer=Acme,service=Mail.")
    must_hold(actor, Role.SERVICE_OWNER, action)
    action.goal = Goal.parse(goal).text if goal else action.goal
    opened = datetime.fromisoformat(action.trigger["adopted_opened_at"])
    action.trigger = action.trigger | opening.window_before(action, opened)  # another country has other weeks
    action.measurement = _measured_by(action, where)


# --- which record ---------------------------------------------------------------------------------------------


def _found(url: str, connection: str) -> Existing:
    """The one record behind an address, on whichever connection its site is."""
    found: list[Existing] = []
    problems: list[RegelkreisError] = []
    with cycle.connectors([connection] if connection else None) as opened:
        for one in opened:
            try:
                record = one.existing(url) if isinstance(one, ReadsExisting) else None
            except RegelkreisError as problem:  # counts only where no other connection has the record
                problems.append(problem)
                continue
            found += [record] if record is not None else []
    if not found and problems:
        raise problems[0]
    if len(found) > 1:
        names = ", ".join(record.ref.connection for record in found)
        raise InputError(f"{url} is reached by several connections: {names}.", mend="Say which: --connection NAME.")
    if not found:
        configured = settings.REGELKREIS.connections
        sites = ", ".join(f"{name} ({configured[name].url})" for name in sorted(configured)) or "none"
        where = f"not of {connection}" if connection else "of no connection"
        raise InputError(
            f"{url} is {where}." if url.strip() else "No address was given.",
            mend=f"Connections: {sites}. Give the address as the browser shows it there.",
        )
    return found[0]


def _why_not(found: Existing) -> list[str]:
    """What forbids to adopt a record, besides what forbids to open any action."""
    reasons = []
    known = Action.objects.filter(connection=found.ref.connection, platform_id=found.ref.id).first()
    if known is not None:
        how = "was adopted as" if known.origin == Origin.ADOPTED else "is the record of"
        reasons.append(f"it {how} {known.code} already ({known.state})")
    elif found.mark and (whose := _whose(found)):
        reasons.append(whose)
    if found.state.is_missing:
        reasons.append("its record is no longer on the platform, or hidden from us")
    elif found.state.state in ENDED_STATES:
        reasons.append(f"it is {found.state.state} there; only what is open can be taken into the loop")
    return reasons


def _whose(found: Existing) -> str:
    """Why a record with a mark is not free: two who keep it would write against each other. "" where it is."""
    if found.installation == our_installation():
        return _made_for(found)
    if found.installation:
        return f"it carries the mark of {found.mark} of another installation ({found.installation}), which keeps it"
    return f"it carries the mark of {found.mark}: another installation keeps it, or a delivery that still waits made it"


def _made_for(found: Existing) -> str:
    """Why a record with our own mark is not free. "" where it is: a copy, for marks go along where people clone a
    record, or made for a proposal that was cancelled before anybody accepted it.
    """
    action, ours = try_find(found.mark), f"it carries our own mark of {found.mark}"
    if action is None:
        return f"{ours}, which is not in this state: it may be of a backup"
    if action.connection != found.ref.connection:
        return f"{ours}, which is on connection {action.connection}"
    if action.platform_id:
        return ""
    create = action.deliveries.filter(verb=Verb.CREATE.value).exclude(state=DeliveryState.WITHDRAWN).first()
    if create is None:
        return ""
    if create.state not in GIVEN_UP:
        return f"{ours}: a delivery that still waits made it"
    return f"{ours}: {create.key} made it and was given up; `regelkreis deliveries replay {create.key}` takes it"


def _refuse(action: Action, found: Existing, reasons: list[str]) -> None:
    if reasons:
        raise GuardRefused(f"{found.ref.number} on {action.connection} cannot be adopted", reasons)


def _save_new(action: Action, found: Existing) -> None:
    """Two people at once: the second meets the record taken."""
    try:
        with transaction.atomic():
            action.save()
    except IntegrityError:
        _refuse(action, found, _why_not(found) or ["somebody adopted it just now"])
        raise


# --- the action -----------------------------------------------------------------------------------------------


def _new_action(found: Existing, scope: dict[str, str], *, at: datetime) -> Action:
    ref = found.ref
    opened_there = min(found.opened_at or at, at)
    action = Action(
        origin=Origin.ADOPTED,
        connection=ref.connection,
        scope=scope,
        scope_key=Scope.of(scope).key,
        title=found.title,
        state=State.PROPOSED.value,
        max_slip_weeks=settings.REGELKREIS.max_slip_weeks,
        opened_at=at,
        last_moved_at=at,
        platform_mode=ref.mode,
        platform_id=ref.id,
        platform_number=ref.number,
        platform_url=ref.url,
        platform_state="new",  # what it really is comes home like any later change
    )
    action.trigger = {
        **opening.window_before(action, opened_there),
        "adopted_record": ref.number,
        "adopted_opened_at": opened_there.astimezone(UTC).isoformat(),
    }
    return action


def _owner(actor: Person, found: Existing, action: Action) -> Person | None:
    """Whoever the record names, if they may own it here; where it names nobody, whoever adopts it."""
    account, accounts = found.state.owner, access.Accounts.of(action.connection)
    if account and not accounts.is_ours(account):
        named = accounts.person(account)
        return named if named is not None and access.may(named, Role.SERVICE_OWNER, action) else None
    return None if actor.is_local_admin else actor


def _scope(text: str) -> dict[str, str]:
    return opening.pairs(text, "scope", DIMENSIONS) if text else {}


def _measured_by(action: Action, where: str) -> dict[str, Any]:
    conditions = opening.pairs(where, "where", metric_named(action.metric).where_keys) if where else {}
    return opening.measured_by(conditions, action.scope)


def _measure(action: Action, warehouse: Warehouse, *, is_certain: bool, at: datetime) -> None:
    """Fix the yardstick. A scope that a person named has to have data; the record's own service may have none."""
    scopes = measuring.measure(action, warehouse, None, as_of=at)
    if is_certain:
        opening.must_be_counted(action, scopes)
    elif action.scope_key not in scopes:
        action.metric, action.measurement = "", {"unmeasured": NOT_COUNTED}
    planning.check_goal(action)
    action.save()


def _tell(action: Action, found: Existing, actor: Person, *, at: datetime) -> None:
    """History, ledger, a note on the record, what people entered there so far, and the measured fields."""
    opening.log_opening(action, actor=actor.uid, at=at, note=f"adopted {found.ref.number}")
    unmeasured = str(action.measurement.get("unmeasured", ""))
    ledger.append(
        "action.adopted",
        subject=action.code,
        actor=actor.uid,
        at=at,
        payload={
            "record": found.ref.id,
            "number": found.ref.number,
            "mode": found.ref.mode,
            "opened_there_at": action.trigger["adopted_opened_at"],
            "state": found.state.state,
            "title_sha256": ledger.sealed(found.title),
            "standing_sha256": ledger.sealed(json.dumps(found.standing, sort_keys=True) if found.standing else ""),
            "unmeasured": unmeasured,
        },
    )
    outbox.note(action, "adopted", _words(action, unmeasured), at=at)
    follow.take(action, found.state, as_of=at)
    loop.queue_update(action, at)


def _words(action: Action, unmeasured: str) -> str:
    url = outbox.page_url(action)
    if unmeasured:
        return notes.note("adopted unmeasured", action=action.code, why=notes.reasons_of(unmeasured), url=url)
    scope = ", ".join(f"{key} {value}" for key, value in action.scope.items())
    return notes.note("adopted", action=action.code, metric=notes.metric(action.metric), scope=scope, url=url)
