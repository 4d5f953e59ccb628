"""What a supplier's action tells of those it works for: the target its own is made from, and how they fare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from improvement.rules.canonical import target_part
from improvement.rules.in_force import TargetInForce
from workflows.actions import customer_facing
from workflows.models import Action, Person
from workflows.web import rule_words, words
from workflows.web.rooms.kept import Sees, sight_of


@dataclass(frozen=True, slots=True)
class ServedRow:
    """A customer-facing scope in the reader's language; ``target`` is '' where none is known."""

    scope: dict[str, str]
    state: str
    target: str
    source: str
    value: str
    on: date | None
    action: Action | None


def made_from(action: Action) -> str:
    """How a supplier's target comes from the customer-facing one; '' of every other action."""
    found = customer_facing.flown_down(action)
    if found is None:
        return ""
    if found.rule is None or found.made_from is None:
        return _("passed on from what customers are promised")
    promised = rule_words.target(target_part(found.made_from), found.rule.metric)
    if found.factor is None:
        return _("written for suppliers; customers are promised “%(target)s”") % {"target": promised}
    factor = words.number(found.factor, 4).rstrip("0").rstrip(",.")
    return _("made from “%(target)s” for customers, with the factor %(factor)s") % {
        "target": promised,
        "factor": factor,
    }


def rows(person: Person, action: Action) -> tuple[list[ServedRow], bool]:
    """Whom a supplier's action works for, as far as the person may see them, and whether those are all."""
    sees = sight_of(person)
    served = customer_facing.served(action)
    seen = [one for one in served if sees(action.connection, one.scope.as_dict())]
    return [_row(one, sees) for one in seen], len(seen) == len(served)


def _row(one: customer_facing.Served, sees: Sees) -> ServedRow:
    scope, held, action = one.scope.as_dict(), one.target, one.action
    if action is not None and not sees(action.connection, action.scope):  # of a group, on a wider scope
        action = None
    if held is None:
        return ServedRow(scope, one.state, "", "", "", None, action)
    value = words.measured(held.rule.metric, one.value)
    return ServedRow(scope, one.state, _text(held), _source(held), value, held.on, action)


def _source(held: TargetInForce) -> str:
    """Whose target it is and between which dates."""
    dates = f", {held.since or '…'} – {held.until or '…'}" if held.since or held.until else ""
    return words.said(words.LEVELS, held.level) + dates


def _text(held: TargetInForce) -> str:
    return rule_words.target(target_part(held.target), held.rule.metric)
