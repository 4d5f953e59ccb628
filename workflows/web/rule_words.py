"""A rule in the reader's language, from its canonical document: what it watches, what is bad, what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from workflows.web import words
from workflows.web.words import Words, said

Document = Mapping[str, Any]
MayRead = Callable[[Mapping[str, str]], bool]  # what a target is for

DIMENSIONS: Words = {
    "customer": gettext_lazy("customer"),
    "country": gettext_lazy("country"),
    "service": gettext_lazy("service"),
    "supplier": gettext_lazy("supplier"),
    "category": gettext_lazy("category"),
    "assignment_group": gettext_lazy("assignment group"),
    "priority": gettext_lazy("priority"),
}
KEYS: Words = {
    **DIMENSIONS,
    "kind": gettext_lazy("kind"),
    "sla.target": gettext_lazy("clock"),
    "sla.agreement": gettext_lazy("agreement"),
    "survey.kind": gettext_lazy("survey"),
}
VALUES: Words = {
    "incident": gettext_lazy("incidents"),
    "request": gettext_lazy("requests"),
    "problem": gettext_lazy("problems"),
    "change": gettext_lazy("changes"),
    "response": gettext_lazy("response"),
    "resolution": gettext_lazy("resolution"),
    "sla": gettext_lazy("SLA (customer)"),
    "ola": gettext_lazy("OLA (internal)"),
    "uc": gettext_lazy("underpinning contract"),
    "csat": gettext_lazy("satisfaction"),
    "nps": gettext_lazy("recommendation"),
}
MODES: dict[str, tuple[str | Promise, str, str | Promise]] = {  # word, tone, what it does
    "observe": (gettext_lazy("observes"), "flat", gettext_lazy("it shows findings and opens nothing")),
    "propose": (
        gettext_lazy("proposes"),
        "soft",
        gettext_lazy("it proposes actions; a person accepts them before anything is written"),
    ),
    "open": (gettext_lazy("opens"), "good", gettext_lazy("it opens actions by itself, within the budget")),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about a rule."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """A target for some scopes."""

    where: str
    target: str
    valid_from: str
    valid_to: str


def facts(document: Document, may_read: MayRead) -> list[Fact]:
    """What the rule says, a thought a line; empty ones are left out, and names that the reader may not know of."""
    return [Fact(str(label), text) for label, text in _facts(document, may_read) if text]


def overrides(document: Document, may_read: MayRead) -> list[OverrideRow]:
    """The targets for some scopes, as they stand in the rule; without those that the reader may not know of."""
    spec = document["spec"]
    return [
        OverrideRow(_pairs(one["when"]), target(one["target"], spec["metric"]), one.get("from", ""), one.get("to", ""))
        for one in spec.get("overrides", ())
        if may_read(one["when"])
    ]


def target(part: Mapping[str, Any], metric: str) -> str:
    """A target in words: *at most 5.0 %*."""
    if "max" in part:
        return _("at most %(value)s") % {"value": words.measured(metric, part["max"])}
    if "min" in part:
        return _("at least %(value)s") % {"value": words.measured(metric, part["min"])}
    own = part["worse_than_own"]
    by = own["by"] if isinstance(own["by"], str) else words.measured(metric, own["by"])
    return _("at most %(by)s worse than its own %(weeks)s before") % {
        "by": words.goal(by).lstrip("+"),
        "weeks": weeks(own["reference"]),
    }


def weeks(text: str) -> str:
    """A span of weeks as documents hold it: ``4w``."""
    number = int(text.rstrip("w"))
    return _("1 week") if number == 1 else _("%(n)d weeks") % {"n": number}


def dimension(name: str) -> str:
    """A dimension in the reader's language."""
    return said(DIMENSIONS, name)


def _facts(document: Document, may_read: MayRead) -> Iterator[tuple[str, str]]:
    spec, action, check = document["spec"], document.get("action", {}), document.get("check", {})
    metric = spec["metric"]
    yield _("It watches"), said(words.METRICS, metric)
    yield _("Of"), _where(spec.get("where", {}), may_read)
    yield _("For each"), " × ".join(map(dimension, spec.get("by", ()))) or _("all records in one series")
    if "window" in spec:
        every = _("a value every week") if spec["every"] == "1w" else _("a value every %(every)s")
        yield _("Over"), f"{weeks(spec['window'])}, {every % {'every': weeks(spec['every'])}}"
    if "target" in spec:
        yield _("Target"), target(spec["target"], metric)
    for one in spec.get("while", ()):
        yield _("Only while"), _while(one)
    if "trigger" in spec:
        yield _("It fires after"), _trigger(spec)
        yield _("Resolved after"), _clear(spec, metric)
    if spec.get("mode") in MODES:
        word, _tone, does = MODES[spec["mode"]]
        yield _("Mode"), f"{word}: {does}"
    if spec.get("mode") != "observe" and check:
        yield _("Then"), _then(spec, action, check)
    if spec.get("flow_down"):
        yield _("Passed on"), _passed_on(spec["flow_down"])


def _while(condition: Document) -> str:
    """Another metric's limit, and on how many records it can be told at all."""
    metric, samples = condition["metric"], condition.get("min_samples", 0)
    told = _("%(metric)s is %(target)s") % {"metric": said(words.METRICS, metric), "target": target(condition, metric)}
    if not samples:
        return told
    return told + ngettext(", on at least %(n)d record", ", on at least %(n)d records", samples) % {"n": samples}


def _passed_on(flow_down: Document) -> str:
    by = {"by": " × ".join(map(dimension, flow_down["by"]))}
    if "target" not in flow_down and flow_down["tighten"] == 1:
        return _("the same demand, to every %(by)s") % by
    return _("the same demand, made stricter, to every %(by)s") % by


def _trigger(spec: Document) -> str:
    hold, samples = weeks(spec["trigger"]["for"]), spec["trigger"]["min_samples"]
    if not samples:
        return _("%(hold)s beyond its target") % {"hold": hold}
    told = ngettext(
        "%(hold)s beyond its target, each value on at least %(n)d record",
        "%(hold)s beyond its target, each value on at least %(n)d records",
        samples,
    )
    return told % {"hold": hold, "n": samples}


def _clear(spec: Document, metric: str) -> str:
    clear = spec["clear"]
    hold = {"hold": weeks(clear["for"])}
    if "ratio" not in clear:
        return _("%(hold)s %(target)s") % {**hold, "target": target(clear, metric)}
    if clear["ratio"] == 1:
        return _("%(hold)s within its target") % hold
    ratio = words.number(clear["ratio"], 2).rstrip("0")
    return _("%(hold)s within its target, tightened by the factor %(ratio)s") % {**hold, "ratio": ratio}


def _then(spec: Document, action: Document, check: Document) -> str:
    looks = ", ".join(text.rstrip("w") for text in check["looks"])
    after = _("looked at 1 week after go-live") if looks == "1" else _("looked at %(looks)s weeks after go-live")
    told = [_due(int(action["due"].rstrip("d")))] if action.get("due") else []
    if check.get("goal"):
        told.append(_("goal %(goal)s") % {"goal": words.goal(check["goal"])})
    told.append(after % {"looks": looks})
    told.append(_("then %(weeks)s of rest") % {"weeks": weeks(spec["cooldown"])})
    return "; ".join(told)


def _due(days: int) -> str:
    return ngettext("due in %(n)s day", "due in %(n)s days", days) % {"n": days}


def _where(where: Mapping[str, Sequence[Any]], may_read: MayRead) -> str:
    parts = []
    for key, values in where.items():
        known = [said(VALUES, str(value)) for value in values if may_read({key: str(value)})]
        listed = ", ".join([*known, *([_("others")] if len(known) < len(values) else [])])
        parts.append(listed if key == "kind" else f"{said(KEYS, key)}: {listed}")
    return " · ".join(parts)


def _pairs(when: Mapping[str, str]) -> str:
    return ", ".join(f"{dimension(name)} {value}" for name, value in when.items())
