"""The field's words in the reader's language: states, events, verdicts, looks, guards, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from django.utils import formats
from django.utils.functional import Promise, lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from improvement.errors import InputError
from improvement.german import in_german
from improvement.metrics import metric_named
from improvement.pdca import State
from improvement.vocabulary import DECISION_WORDS, STATE_WORDS, VERDICT_WORDS, Said, Verdict

Words = dict[str, str | Promise]


def language() -> str:
    """The reader's language: ``de`` or ``en``."""
    return "de" if (get_language() or "en").startswith("de") else "en"


def in_both(table: Mapping[str, Said]) -> Words:
    """Words of the vocabulary, told in the language of whoever reads them."""
    told: Callable[[Said], str] = lazy(_told, str)
    return {key: told(said) for key, said in table.items()}


def _told(said: Said) -> str:
    return said.in_(language())


PHASES: dict[str, str] = {
    State.PROPOSED.value: "P",
    State.PLANNED.value: "P",
    State.DOING.value: "D",
    State.CHECKING.value: "C",
    State.ACTING.value: "A",
    State.SUSTAINING.value: "A",
}
PHASE_WORDS: Words = {"P": _("Plan"), "D": _("Do"), "C": _("Check"), "A": _("Act")}

STATES: Words = {"": _("nothing yet"), **in_both(STATE_WORDS)}

EVENTS: Words = {
    "open": _("opened"),
    "submit": _("plan handed in"),
    "approve": _("plan approved"),
    "reject": _("plan sent back"),
    "lapse": _("approval lapsed"),
    "start": _("work started"),
    "go_live": _("went live"),
    "correct_golive": _("go-live corrected"),
    "final_look": _("final look computed"),
    "standardise": _("decided: make it the standard"),
    "stop": _("decided: stop"),
    "adjust": _("decided: adjust"),
    "last_sustaining_look": _("last sustaining look seen"),
    "bad_sustaining_look": _("the effect did not last"),
    "reapprove": _("plan reopened"),
    "slip": _("go-live slipped"),
    "hold": _("put on hold"),
    "resume": _("resumed"),
    "cancel": _("cancelled"),
    "change_marked": _("another change marked"),
    "change_taken_back": _("mark taken back"),
    "evidence": _("new evidence"),
}

VERDICT_SHAPES: dict[str, tuple[str, str]] = {  # tone, shape
    Verdict.IMPROVED: ("good", "▲"),
    Verdict.NOT_ATTRIBUTABLE: ("soft", "△"),
    Verdict.RECOVERED: ("soft", "↺"),
    Verdict.NO_CHANGE: ("flat", "="),
    Verdict.FADED: ("bad", "▽"),
    Verdict.WORSE: ("bad", "▼"),
    Verdict.NOT_ENOUGH_DATA: ("none", "?"),
    Verdict.NOT_COMPUTED: ("none", "–"),
}
VERDICTS: dict[str, tuple[str | Promise, str, str]] = {  # word, tone, shape
    verdict: (word, *VERDICT_SHAPES[verdict]) for verdict, word in in_both(VERDICT_WORDS).items()
}

LOOKS: Words = {"look": _("interim look"), "final": _("final look"), "sustain": _("sustaining look")}
REVIEWS: Words = {**LOOKS, "missed": _("missed review"), "addendum": _("addendum")}
WINDOWS: Words = {
    "reference": _("Reference"),
    "trigger": _("Trigger"),
    "confirmation": _("Confirmation"),
    "after": _("After"),
}
LEVELS: Words = {
    "global": _("for all"),
    "country": _("for the country"),
    "customer": _("for a customer"),
    "service": _("for a service"),
    "supplier": _("for the supplier"),
    "category": _("for a category"),
    "assignment_group": _("for an assignment group"),
    "priority": _("for a priority"),
}
TARGET_WORDS: Words = {"max": _("at most"), "min": _("at least")}
GUARDS: Words = {
    "reference before trigger": _("reference before trigger"),
    "sustain": _("lasts to the end"),
    "pre-trend": _("no trend before"),
    "two witnesses": _("two witnesses"),
    "controls agree": _("controls agree"),
    "mix": _("same mix of tickets"),
    "few controls": _("enough controls"),
    "alone": _("nothing else changed"),
}
GUARD_STATES: dict[str, tuple[str | Promise, str]] = {
    "passed": (_("passed"), "✓"),
    "failed": (_("failed"), "✗"),
    "not computed": (_("not computed"), "–"),
    "not_computed": (_("not computed"), "–"),
}
ENTRIES: Words = {
    "decision": _("decision"),
    "override": _("override"),
    "override_proposed": _("override proposed"),
    "follow_up": _("follow-up"),
    "acknowledgement": _("acknowledged"),
    "receipt": _("receipt"),
}
DECISIONS: Words = in_both(DECISION_WORDS)
THERE: Words = {
    "priority": _("Priority"),
    "approver_group": _("Approver group"),
    "strategies": _("Strategies"),
    "percent_complete": _("Percent complete"),
    "service": _("Service"),
    "title": _("Title"),
    "hypothesis": _("Hypothesis"),
}
DELIVERY_STATES: Words = {
    "waiting": _("waiting"),
    "sent": _("sent"),
    "dead": _("undeliverable"),
    "discarded": _("discarded"),
    "withdrawn": _("withdrawn"),
}
VERBS: Words = {
    "create": _("record created"),
    "update": _("fields updated"),
    "note": _("note"),
    "task": _("task"),
    "attach": _("attachment"),
    "link": _("tickets linked"),
    "transition": _("state changed"),
    "comment": _("comment"),
}
METRICS: Words = {
    "": _("not measured"),  # an adopted record without a metric
    "incident_count": _("Incidents opened"),
    "major_incident_count": _("Major incidents"),
    "sla_breach_rate": _("SLA breach rate"),
    "time_to_respond": _("Time to respond"),
    "time_to_resolve": _("Time to resolve"),
    "reopen_rate": _("Reopen rate"),
    "backlog_open": _("Open backlog"),
    "csat_mean": _("Customer satisfaction"),
    "contact_gap": _("Contact gap"),
    "change_failure_rate": _("Change failure rate"),
    "reassignment_rate": _("Reassignment rate"),
    "first_contact_resolution_rate": _("First contact resolution"),
    "repeat_incident_rate": _("Repeat incidents"),
    "backlog_age_p90": _("Age of the backlog"),
    "problem_age_p90": _("Age of open problems"),
    "availability": _("Availability"),
    "csat_low_share": _("Unhappy answers"),
    "nps": _("Recommendation (NPS)"),
    "survey_response_rate": _("Survey response rate"),
    "complaint_count": _("Complaints"),
    "escalation_rate": _("Escalation rate"),
    "mood_index": _("Mood index"),
}
UNITS: Words = {
    "h": _("h"),
    "points": _("points"),
    "points of 100": _("of 100"),
    "days": _("days"),
    "tickets": "",
    "open tickets": "",
    "complaints": "",
    "share": "",
}
SCOPE_ORDER = ("customer", "country", "service", "supplier", "category", "assignment_group", "priority")
FINDINGS: Words = {
    "firing": _("firing"),
    "pending": _("pending"),
    "resolved": _("resolved"),
    "ok": _("ok"),
    "no_data": _("no data"),
}
PRIORITIES: Words = {
    "1": _("critical"),
    "2": _("high"),
    "3": _("moderate"),
    "4": _("low"),
    "5": _("planning"),
}


def said(words: Words, key: str) -> str:
    """The word for a key; the key itself where there is none."""
    return str(words.get(key, key))


def scope(values: Mapping[str, str]) -> str:
    """A scope as people say it: customer · country · service."""
    return " · ".join(str(values[key]) for key in SCOPE_ORDER if key in values)


def number(value: float, digits: int = 1) -> str:
    """A number with the language's decimal sign and a real minus."""
    return str(formats.number_format(round(value, digits), digits)).replace("-", "−")


def measured(metric_id: str, value: float | None) -> str:
    """A metric's value with its unit, as people read it."""
    if value is None:
        return "–"
    try:
        metric = metric_named(metric_id)
    except InputError:  # a metric of an older catalogue
        return number(value, 2)
    if metric.is_share:
        return f"{number(value * 100)} %"
    unit = said(UNITS, metric.unit)
    return f"{number(value, 2 if metric.family == 'score' else 1)} {unit}".strip()


def day(value: date | datetime | str | None) -> str:
    """A date in words: 1 December 2025, 1. Dezember 2025; also of ISO text, as documents hold it.

    A template that finds none gives ``""``.
    """
    if not value:
        return "–"
    if isinstance(value, str):
        value = date.fromisoformat(value[:10])
    return str(formats.date_format(value, "j. F Y" if language() == "de" else "j F Y"))


def goal(text: str | None) -> str:
    """A goal as people write it: −50 %, +0.25 points."""
    if not text:
        return "–"
    written = text.replace("-", "−").replace("%", "\N{NO-BREAK SPACE}%")
    return in_german(written) if language() == "de" else written
