"""The engine's sentences in the reader's language.

Guards, commands and the check speak English where they are logged and written to a platform. A page shows them in
the reader's language: the sentences are known, only names, dates and numbers in them are not. One that is not known
is shown as it is, which is better than not at all; a test keeps the table complete.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from improvement.errors import InputError
from improvement.german import in_german
from improvement.metrics import CATALOGUE
from improvement.rules import Scope
from workflows.web.rule_words import DIMENSIONS, dimension
from workflows.web.words import DECISIONS, METRICS, STATES, VERDICTS, language, said, scope

# A sentence with %(…)s where something is filled in; the same msgid is matched, and translated.
SENTENCES: tuple[str | Promise, ...] = (
    _("no metric was named for it"),
    _("its record names no service, and no scope was given"),
    _("nothing is counted for its service on this connection"),
    _("an owner is missing"),
    _("the hypothesis is missing"),
    _("the metric is missing"),
    _("the goal is missing"),
    _("the goal cannot be judged: the scope has no data in the reference window"),
    _("the minimum effect is missing"),
    _("the planned go-live is missing"),
    _("the windows are not fixed"),
    _("the controls are not chosen"),
    _("the detectable effect is not computed"),
    _("the goal goes against the metric's direction"),
    _("the minimum effect goes against the metric's direction"),
    _("the minimum effect is larger than the goal"),
    _(
        "the goal (%(goal)s) is smaller than the smallest detectable effect (%(effect)s): give a reason to go on "
        "nevertheless"
    ),
    _("%(why)s: set another goal, or give a reason to go on nevertheless"),
    _("A goal of %(goal)s would take a rate of %(rate)s to %(reached)s"),
    _("A goal of %(goal)s would take a rate of %(rate)s to %(reached)s."),
    _("no effect of this kind is detectable with these numbers"),
    _(
        "no effect of this kind is detectable with these numbers, so neither is the goal (%(goal)s): give a reason to "
        "go on nevertheless"
    ),
    _("%(size)s on the link scale"),
    _("this plan version is approved already"),
    _("the plan was changed after it was shown: read it again"),
    _("a person has to approve"),
    _("the owner cannot approve their own plan"),
    _("the planned go-live was over on %(day)s: plan a new date first"),
    _("the plan is not approved"),
    _("the day it went live is missing"),
    _("%(day)s lies in or before the trigger window, which ends on %(end)s"),
    _("%(day)s is not after the go-live of the cycle before, %(first)s"),
    _("%(day)s is in the future"),
    _("it is live since %(day)s"),
    _("no go-live was reported yet: there is nothing to correct"),
    _("the verdict of the look is missing"),
    _("a late action cannot be improved, only improved, not attributable"),
    _("the verdict is %(verdict)s: only improved or recovered can be standardised"),
    _("the effect is still there"),
    _("the owner has not acknowledged the last sustaining look"),
    _("a reason is missing"),
    _("no go-live is planned"),
    _("it may still go live until %(day)s"),
    _("it has a verdict: decide instead of cancelling"),
    _("it is %(state)s; this is possible from: %(states)s"),
    _("only the %(who)s can do this"),
    _("a person has to do this"),
    _("a person or the engine has to do this"),
    _("it is %(state)s and its plan is frozen"),
    _("no sustaining look waits"),
    _("there is no submitted plan"),
    _("%(change)s is the change the action itself went live with"),
    _("%(change)s is marked already"),
    _("A change has a number, or a short name."),
    _("Write it as the platform does, like CHG0042."),
    _("A mark takes a reason."),
    _("Say what the change did to these figures."),
    _("%(name)s has no role on the scope of %(code)s."),
    _("%(name)s did not mark %(change)s."),
    _("%(code)s has no marked change “%(change)s”."),
    _("it is %(state)s; a verdict is overruled between it and the decision"),
    _("there is no verdict yet"),
    _("its verdict is overruled already"),
    _("an override takes two different people"),
    _("nobody proposed it: the owner gives the reason first"),
    _("“%(goal)s” is no goal."),
    _("Write a change with its sign, like -30% or +0.25."),
    _("A goal of zero changes nothing."),
    _("Write a change, like -30% or +0.25."),
    _("A goal of %(goal)s has no meaning for a score."),
    _("Write points, like +0.25."),
    _("A goal of %(goal)s has no meaning here."),
    _("Write a percentage, like -30%."),
    _("A goal of %(goal)s leaves nothing."),
    _("Choose one smaller than -100%."),
    _("It has to stay between 0 % and 100 %."),
    _("A goal of %(goal)s would make %(metric)s worse: %(direction)s is better."),
    _("Turn its sign."),
    _("The minimum effect is larger than the goal."),
    _("Choose a smaller one, or leave it out."),
    _("%(name)s does not own %(code)s (its owner is %(owner)s)."),
    _("%(name)s is no %(role)s for %(code)s."),
    _("%(name)s is no %(role)s for %(code)s"),
    _("whoever approved the plan cannot own the action"),
    _("The local administrator cannot approve."),
    _("a submitted and approved plan, a go-live and a verdict"),
    _("approval, a go-live and a verdict"),
    _("the day the change went live, and a verdict on its effect"),
    _("the last look at its effect, which is still to come"),
    _("the owner's decision: standardise, adjust or stop"),
    _("the looks that show whether the effect lasts"),
    _("the action to be resumed, and a verdict"),
    _("a new action: what is closed here stays closed"),
    _("a verdict that bears the closure “%(closure)s”: the verdict is %(verdict)s"),
    _("a plan that is submitted and approved, before work begins"),
    _("the owner's decision: what has a verdict is decided, not cancelled"),
    _("its record is no longer on the platform, or hidden from us"),
    _("the meaning of its state there: an administrator says it in the connection's statuses"),
    _("set to %(state)s on %(platform)s"),
    _("people edited it on %(platform)s, so it is changed there"),
    _("The verdict is %(verdict)s: we keep it."),
    _("The verdict is %(verdict)s: this measure does not show what we hoped for."),
    _("first evaluation over back-filled history: what still fires at the next one opens then"),
    _("cooling down until %(week)s after the last action"),
    _(
        "no one person's rights fit all of %(scope)s, so it has no owner; actions without an owner: %(count)s open "
        "actions; the budget is %(budget)s"
    ),
    _(
        "no one person's rights fit all of %(scope)s, so it has no owner; actions without an owner: 1 open action; the "
        "budget is %(budget)s"
    ),
    _("no one person's rights fit all of %(scope)s, so it has no owner"),
    _("actions without an owner: %(count)s open actions; the budget is %(budget)s"),
    _("actions without an owner: 1 open action; the budget is %(budget)s"),
    _("%(name)s has %(count)s open actions; the budget is %(budget)s"),
    _("%(name)s has 1 open action; the budget is %(budget)s"),
    _("%(count)s new actions in this cycle are enough"),
    _("1 new action in this cycle is enough"),
    _("fired again: %(value)s on %(count)s records [%(scope)s]"),
    _("fired again: %(value)s on 1 record [%(scope)s]"),
    _("this rule and scope has an open action already"),
    _("has an action of its own"),
    _("got an action of its own"),
    _("differs in %(keys)s"),
    _("too few weeks with volume in the reference"),
    _("more than %(count)s controls"),
    _("more than 1 control"),
    _("the reference has only 1 week with volume"),
    _("the reference has only %(weeks)s weeks with volume"),
    _("this metric is shown against its target and gets no statistical verdict"),
    _("cannot be told: %(why)s"),
    _("there is no finite estimate"),
    _("there is no finite error"),
    _("the weeks do not vary"),
    _("the calculation broke off"),
    _("too few weeks"),
    _("target"),
    _("override %(what)s"),
    _("not held within %(days)s days after it was due"),
    _("This review was not held in time."),
)
ROLE_WORDS = {
    "owner": _("owner"),
    "approver": _("approver"),
    "engine": _("engine"),
    "platform": _("platform"),
    "lower": _("lower"),
    "higher": _("higher"),
    "missing": _("missing"),
    "nobody yet": _("nobody yet"),
    "service owner": _("service owner"),
    "administrator": _("administrator"),
}
_SLOT = re.compile(r"%\((\w+)\)s")
_LABEL = re.compile(r"\{(.+)\}(?: from (\S+))?(?: to (\S+))?", re.DOTALL)  # of an override
_CONDITION = re.compile(rf"(^|, )({'|'.join(DIMENSIONS)}): ")


def translated(text: str) -> str:
    """One of the engine's sentences; several, joined by ``; ``, are translated one by one."""
    whole = _known(text)
    if whole is not None:
        return whole
    parts = [part for part in text.split("; ") if part]
    return "; ".join(_known(part) or part for part in parts)


def _known(text: str) -> str | None:
    for pattern, sentence in _patterns(language()):
        found = pattern.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            return _SLOT.sub(lambda slot, parts=parts: _filled(slot[1], parts[slot[1]]), sentence)  # type: ignore[misc]
    return None


def _filled(name: str, value: str) -> str:
    """What was filled in: a state, a role, a verdict, a size, or something that has no translation."""
    if name in ("size", "rate", "reached"):
        return effect(value)
    if name == "count":
        return value.replace(",", ".") if language() == "de" else value
    if name == "value":
        return _value(value)
    if name == "scope":
        return _scope(value)
    if name == "what":
        return _conditions(value)
    parts = [part.strip() for part in value.split(", ")]
    if all(part in STATES for part in parts):
        return ", ".join(said(STATES, part) for part in parts)
    if value in VERDICTS:
        return str(VERDICTS[value][0])
    return str(ROLE_WORDS.get(value) or DECISIONS.get(value) or _known(value) or value)


def _value(text: str) -> str:
    """A value of a metric, with the metric's name before it where it is that of another one."""
    named = next((metric for metric in CATALOGUE.values() if text.startswith(f"{metric.title} ")), None)
    if named is not None:
        return f"{said(METRICS, named.id)} {_value(text.removeprefix(f'{named.title} '))}"
    return effect(f"{text} ").strip()  # units end with a blank


def _scope(key: str) -> str:
    """A scope as pages write it; what a person wrote where one stands usually is left as it is."""
    try:
        return scope(Scope.parse(key).as_dict())
    except InputError:
        return key


def _conditions(label: str) -> str:
    """What an override is for, and between which dates it holds."""
    found = _LABEL.fullmatch(label)
    if found is None:
        return label
    when, since, until = found.groups()
    named = _CONDITION.sub(lambda one: f"{one[1]}{dimension(one[2])} ", when)
    return f"{named}, {since or '…'} – {until or '…'}" if since or until else named


@cache
def _patterns(_language: str) -> list[tuple[re.Pattern[str], str]]:
    """Each sentence as a pattern of its English form, with its translation; by language."""
    from django.utils.translation import override

    with override("en"):
        english = [str(sentence) for sentence in SENTENCES]
    pairs = []
    for source, sentence in zip(english, SENTENCES, strict=True):
        parts = _SLOT.split(source)  # text, name, text, name, … text
        pattern = "".join(re.escape(part) if index % 2 == 0 else _slot(part) for index, part in enumerate(parts))
        pairs.append((re.compile(pattern, re.DOTALL), str(sentence)))
    return pairs


def _slot(name: str) -> str:
    """What a slot matches: any text; the scope of a rule that groups by nothing is empty."""
    return f"(?P<{name}>.{'*' if name == 'scope' else '+'}?)"


def effect(text: str) -> str:
    """An effect, interval or naive number, as the reader's language writes it."""
    return in_german(text) if language() == "de" else text


def detail(guard: dict[str, object]) -> str:
    """What a guard found, in the reader's language."""
    if language() == "de" and guard.get("detail_de"):
        return in_german(str(guard["detail_de"]))
    return str(guard.get("detail", ""))
