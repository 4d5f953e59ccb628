"""What a plan says: goal and effect sizes, windows as dates, the measurement plan, and the fields sent outside.

Pure reading of an action and its frozen measurement (`workflows.checks.measuring` fills that when an action opens);
needs no warehouse.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from improvement import weeks
from improvement.check import Goal, Windows, windows_for
from improvement.closure import gain_of, proposed
from improvement.errors import InputError
from improvement.evidence.canonical import digest
from improvement.metrics import Metric, metric_named
from improvement.pdca import Event
from improvement.records import ADOPTED_FIELDS
from improvement.schedule import LOOKS
from improvement.vocabulary import NOTHING_DETECTABLE, Closure
from workflows import access
from workflows.deliveries import notes, outbox
from workflows.models import Action, Origin, Plan
from workflows.restating import read_by

UNTELLABLE = (" 0.00", " 0.01")  # ratios of plans that were measured before these were told as none
READING = {"platform", "mapping", "default_country"}  # what decides how records are read


def zone_of(action: Action) -> str:
    """The time zone in which the scope's days are counted: its country's, else the default."""
    zones: dict[str, str] = settings.REGELKREIS.zones
    return zones.get(action.scope.get("country", ""), settings.REGELKREIS.default_zone)


def local_day(action: Action, moment: datetime) -> date:
    """The scope's local date at a moment."""
    return moment.astimezone(ZoneInfo(zone_of(action))).date()


def metric_of(action: Action) -> Metric:
    """What the action measures."""
    return metric_named(action.metric)


def is_measured(action: Action) -> bool:
    """Whether it has a metric: an adopted record may have none, and is never shown to have improved anything."""
    return bool(action.metric)


# --- goal and effect ------------------------------------------------------------------------------------------


def goal_of(action: Action) -> float | None:
    """The goal's size on the link scale (positive: the good side); None while it or the baseline is unknown, and where
    it cannot be expressed on the baseline.
    """
    return None if why_inexpressible(action) else _size(action, action.goal)


def min_effect_of(action: Action) -> float | None:
    """The minimum effect's size on the link scale; half the goal where none is given; None as of the goal."""
    return None if why_inexpressible(action) else _size(action, action.min_effect or half(action.goal))


def detectable_of(action: Action) -> float | None:
    """The smallest effect the check could show, on the link scale; 0 for metrics that get no verdict."""
    if not is_measured(action):
        return None
    if metric_of(action).family is None:
        return 0.0
    effect = action.measurement.get("detectable", {}).get("link")
    return float(effect) if effect is not None else None


def detectable_text(action: Action) -> str:
    """The smallest effect the check could show, in the metric's own terms; '' while nothing was measured."""
    text = str(action.measurement.get("detectable", {}).get("text") or "")
    return NOTHING_DETECTABLE if text.endswith(UNTELLABLE) else text


def why_inexpressible(action: Action) -> str:
    """Why the goal, or the minimum effect, has no size on the action's reference; '' where it has one, or none is due.

    No change of a share that was nothing, or all, can be told in percent, and none leads beyond 0 % or 100 %.
    """
    try:
        _size(action, action.goal)
        _size(action, action.min_effect)
    except InputError as error:
        return error.what.rstrip(".")
    return ""


def check_goal(action: Action) -> None:
    """Refuse a goal against the metric's direction, one beyond 0 % or 100 %, or a minimum effect beyond the goal.

    Where the reference lets no goal be expressed, none is refused for that: the guard of *submit* asks for a reason.
    """
    baseline = action.measurement.get("baseline")
    if is_measured(action) and metric_of(action).family == "proportion" and baseline in (0, 1):
        return
    goal, least = _size(action, action.goal), _size(action, action.min_effect or half(action.goal))
    if goal is not None and goal <= 0:
        metric = metric_of(action)
        raise InputError(
            f"A goal of {action.goal} would make {metric.title} worse: {metric.direction} is better.",
            mend="Turn its sign.",
        )
    if goal is not None and least is not None and least > goal + 1e-9:
        raise InputError("The minimum effect is larger than the goal.", mend="Choose a smaller one, or leave it out.")


def target_text(action: Action) -> str | None:
    """The value the goal would reach, as people read it; None while goal or baseline are unknown, or do not fit."""
    baseline = action.measurement.get("baseline")
    if baseline is None or not action.goal or why_inexpressible(action):
        return None
    goal = Goal.parse(action.goal)
    reached = float(baseline) * (1 + goal.value) if goal.is_percent else float(baseline) + goal.value
    return metric_of(action).shown(reached)


def half(goal: str) -> str:
    """Half a goal, in its own unit: −30 % → −15 %."""
    if not goal:
        return ""
    number = float(goal.rstrip("%")) / 2
    return f"{number:+g}%" if goal.endswith("%") else f"{number:+g}"


def _size(action: Action, text: str) -> float | None:
    if not text or not is_measured(action):
        return None
    metric = metric_of(action)
    if metric.family is None:  # shown against its target, never tested: only the sign can be judged
        return float(text.rstrip("%")) * metric.sign
    baseline = action.measurement.get("baseline")
    if baseline is None:
        return None
    return Goal.parse(text).link_size(family=metric.family, sign=metric.sign, rate=float(baseline))


# --- why it was opened ----------------------------------------------------------------------------------------


def published_trigger(action: Action) -> dict[str, Any]:
    """What the action was opened on, as others read it: the window as dates, without what is not known."""
    inside = {"from_week", "to_week"}
    known = {key: value for key, value in action.trigger.items() if value is not None and key not in inside}
    first, last = action.trigger.get("from_week"), action.trigger.get("to_week")
    if first is None or last is None:
        return known
    return known | {"from": weeks.monday(int(first)).isoformat(), "to": weeks.sunday(int(last)).isoformat()}


# --- windows --------------------------------------------------------------------------------------------------


def trigger_last_day(action: Action) -> date | None:
    """The Sunday that ends the trigger window."""
    week = action.trigger.get("to_week")
    return weeks.sunday(int(week)) if week is not None else None


def check_windows(action: Action, live: date | None = None) -> Windows:
    """The windows of the check, for the real go-live or else the planned one."""
    day = live or action.implemented_on or action.golive_planned
    if day is None:
        raise InputError(f"{action.code} has neither a go-live nor a planned one.")
    first_live = action.first_implemented_on if action.cycle_no > 1 else None
    return windows_for(
        trigger_first=int(action.trigger["from_week"]),
        trigger_last=int(action.trigger["to_week"]),
        implemented_on=day,
        earliest_week=action.measurement.get("earliest_week"),
        first_implemented_on=first_live,
    )


def window_dates(found: Windows) -> dict[str, Any]:
    """Windows as dates: first Monday to last Sunday; an empty confirmation is None; *after* has only a start."""

    def dates(span: tuple[int, int] | None) -> dict[str, str] | None:
        if span is None or span[1] < span[0]:
            return None
        return {"from": weeks.monday(span[0]).isoformat(), "to": weeks.sunday(span[1]).isoformat()}

    return {
        "reference": dates(found.reference),
        "trigger": dates(found.trigger),
        "confirmation": dates(found.confirmation),
        "after": {"from": weeks.monday(found.after_from).isoformat()},
    }


def windows(action: Action) -> dict[str, Any]:
    """The windows as dates, for ledger and pages."""
    return window_dates(check_windows(action))


def due_at(action: Action, plan: Plan, week_no: int) -> datetime:
    """When a look falls due: its weeks are over, recorded (delay) and, for times, old enough (τ)."""
    last = check_windows(action).after_from + week_no
    return _settled(action, plan, weeks.monday(last))


def standardised_at(action: Action) -> datetime:
    """When the owner last decided to make it the standard."""
    decision = action.transitions.filter(event=Event.STANDARDISE.value).order_by("-id").first()
    if decision is None:
        raise InputError(f"{action.code} was never made the standard.")
    return decision.at


def sustain_from(action: Action, decided_at: datetime) -> int:
    """The week from which sustaining looks count: that of the first Monday on or after the decision."""
    return weeks.week_of(local_day(action, decided_at) + timedelta(days=6))


def sustain_due_at(action: Action, plan: Plan, decided_at: datetime, week_no: int) -> datetime:
    """When a sustaining look falls due, counted from the decision."""
    return _settled(action, plan, weeks.monday(sustain_from(action, decided_at) + week_no))


def _settled(action: Action, plan: Plan, monday: date) -> datetime:
    tau_weeks = int(plan.document.get("tau_weeks") or 0)
    day = monday + timedelta(weeks=tau_weeks, days=int(plan.document.get("recording_delay_days") or 0))
    return datetime.combine(day, time(), ZoneInfo(zone_of(action))).astimezone(UTC)


# --- the measurement plan -------------------------------------------------------------------------------------


def document(action: Action) -> dict[str, Any]:
    """The measurement plan as one JSON object; frozen and hashed at approval."""
    metric = metric_of(action)
    measured = action.measurement
    planned = action.golive_planned or action.implemented_on
    return {
        "schema": "regelkreis.measurement-plan/v1",
        "action": action.code,
        "cycle_no": action.cycle_no,
        "metric": {
            "id": metric.id,
            "version": metric.version,
            "unit": metric.unit,
            "direction": metric.direction,
            "date_basis": metric.date_basis,
        },
        "data_source": {
            "connection": action.connection,
            "table": f"{metric.reads[-1].value}s",
            "filter": measured.get("where", []),
            "by": measured.get("by", []),
            "sql_sha256": measured.get("sql_sha256", ""),
            "mapping_sha256": mapping_sha256(action.connection),
            "read_by": read_by.of_kinds(action.connection, metric.reads),
        },
        "scope": action.scope,
        "agreement": _agreement(measured.get("where", [])),
        "windows": window_dates(check_windows(action, planned)),
        "golive_planned": planned.isoformat() if planned else "",
        "max_slip_weeks": action.max_slip_weeks,
        "goal": action.goal,
        "min_effect": action.min_effect or half(action.goal),
        "detectable": measured.get("detectable", {}),
        "detectable_accepted": bool(action.detectable_accepted_reason),
        "controls": measured.get("controls", []),
        "controls_excluded": measured.get("controls_excluded", []),
        "looks": measured.get("looks", list(LOOKS)),
        "bounds": measured.get("bounds", {}),
        "sustain": measured.get("sustain", list(LOOKS)),
        "method": measured.get("method", ""),
        "tau_weeks": measured.get("tau_weeks", 0),
        "recording_delay_days": measured.get("recording_delay_days", 0),
        **({"exposure": measured["exposure"]} if measured.get("exposure") else {}),
    }


def not_as_frozen(action: Action, plan: Plan) -> list[str]:
    """What the action's row says otherwise than its frozen plan. Looks read the row; only the plan is proven."""
    fixed, source = plan.document, plan.document["data_source"]
    found = window_dates(check_windows(action, weeks.monday(int(action.trigger["to_week"]) + 1)))
    sides = {
        "scope": (action.scope, fixed.get("scope")),
        "metric": (action.metric, fixed["metric"]["id"]),
        "reference": (found["reference"], fixed["windows"]["reference"]),
        "trigger": (found["trigger"], fixed["windows"]["trigger"]),
        "filter": (action.measurement.get("where", []), source.get("filter")),
        "grouping": (action.measurement.get("by", []), source.get("by")),
        "τ": (action.measurement.get("tau_weeks", 0), fixed.get("tau_weeks")),
    }
    return [name for name, (now, then) in sides.items() if then is not None and now != then]


def read_otherwise(action: Action, plan: Plan) -> tuple[str, ...]:
    """The kinds of records that are read otherwise than when the plan was frozen, by any change of their mapping.

    Nothing of plans of earlier versions, which froze the settings as they were written and not what they mean.
    """
    return read_by.read_otherwise(action.connection, plan.document["data_source"].get("read_by", {}))


def mapping_sha256(connection: str) -> str:
    """Digest of how this connection's fields become canonical ones; '' where it is not configured here."""
    config = settings.REGELKREIS.connections.get(connection)
    if config is None:
        return ""
    return digest(config.model_dump(mode="json", include=READING))


def _agreement(where: list[Any]) -> list[str]:
    """Which agreements are counted: sla, ola, uc; none for metrics that know no agreement."""
    return [str(value) for key, values in where if key == "sla.agreement" for value in values]


# --- what platforms are told ----------------------------------------------------------------------------------


def outbound_fields(action: Action) -> dict[str, str | int | float | None]:
    """The fields we keep current on the platform's record; on an adopted one only :data:`ADOPTED_FIELDS`."""
    baseline = action.measurement.get("baseline")
    next_look = action.looks.filter(computed_at__isnull=True, is_dropped=False).order_by("due_at").first()
    measured = {
        "baseline": metric_of(action).shown(float(baseline)) if baseline is not None else None,
        "target": target_text(action),
        "next_review": next_look.due_at.date().isoformat() if next_look else None,
        "verdict": action.verdict or None,
        "url": outbox.page_url(action),
    }
    if action.origin == Origin.ADOPTED:
        return {name: measured[name] for name in ADOPTED_FIELDS}
    return {
        "title": action.title,
        "description": description(action),
        "hypothesis": action.hypothesis or None,
        "service": action.scope.get("service"),
        "owner": access.account_of(action.owner, action.connection),
        "due": action.due.isoformat() if action.due else None,
        "planned_start": action.opened_at.date().isoformat() if action.golive_planned else None,
        "planned_end": action.golive_planned.isoformat() if action.golive_planned else None,
        "state": action.state,
        **measured,
        **closing_fields(action),
    }


def closing_fields(action: Action) -> dict[str, str | int | float | None]:
    """How the record of an ended action may be closed; nothing where people have to say it, or before it ended."""
    closure = closure_of(action)
    if closure is None:
        return {}
    is_gain = closure is Closure.SUCCESSFUL and is_measured(action)
    verdict = notes.verdict(action.verdict) if action.verdict else notes.note("no verdict")
    return {
        "closure": closure.value,
        "gain": gain_of(action.metric).value if is_gain else None,
        "close_notes": notes.note("close notes", action=action.code, verdict=verdict, url=outbox.page_url(action)),
    }


def closure_of(action: Action) -> Closure | None:
    """What its verdict bears as the closure of its record."""
    return proposed(action.state, action.verdict, is_overridden=action.is_overridden)


def description(action: Action) -> str:
    """Why the action exists, in plain words and the installation's language."""
    trigger = action.trigger
    scope = ", ".join(f"{key} {value}" for key, value in action.scope.items())
    lines = [notes.note("what", metric=notes.metric(action.metric), scope=scope)]
    if trigger.get("value_text"):
        value, target = notes.figures(trigger["value_text"]), notes.figures(trigger["target_text"])
        span = {"begin": weeks.monday(trigger["from_week"]), "end": weeks.sunday(trigger["to_week"])}
        lines.append(notes.note("why", value=value, target=target, n=trigger["n"], rule=action.rule_id, **span))
    if trigger.get("endangers"):
        lines.append(notes.note("endangers", scopes="; ".join(trigger["endangers"])))
    lines.append(notes.note("where", url=outbox.page_url(action)))
    return "\n".join(lines)
