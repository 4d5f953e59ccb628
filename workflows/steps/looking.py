"""Read one look: its window, its controls, what else changed; then the check. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from improvement.check import CheckResult, compute_look
from improvement.errors import Place, RegelkreisError
from improvement.evidence.canonical import digest, sha256_hex
from workflows import measuring, planning
from workflows.models import Action, Look, LookKind
from workflows.warehouse import Warehouse

SUSTAIN_WINDOW_WEEKS = 13
SAME_EFFECT = 1e-9


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look found, the digest of what it was found in, and its last week."""

    outcome: CheckResult
    inputs_sha256: str
    last_week: int


def read_look(warehouse: Warehouse, look: Look, *, known_at: datetime) -> Reading:
    """Compute a look from what was known at a moment (aware); refuses a plan that is not the one approved."""
    action, plan = look.action, look.plan
    if digest(plan.document) != plan.sha256:
        raise RegelkreisError(
            f"Plan version {plan.version} is not the one that was approved: its digest differs.",
            where=Place(record=action.code),
            mend="Somebody edited the database. `regelkreis evidence verify` says what else was touched.",
        )
    check_plan = measuring.check_plan(action, plan)
    windows = check_plan.windows
    if look.kind == LookKind.SUSTAIN:
        last = planning.sustain_from(action, planning.standardised_at(action)) + look.week_no - 1
        first_after = last - SUSTAIN_WINDOW_WEEKS + 1
    else:
        last = windows.after_from + look.week_no - 1
        first_after = windows.after_from
    query = measuring.query_of(action, stratum=measuring.STRATUM)
    first = windows.trigger[0] - measuring.LONG_REFERENCE_WEEKS
    found = measuring.read(warehouse, query, as_of=known_at, first_week=first, last_week=last)
    planned = {name: found.scopes[name] for name in check_plan.controls if name in found.scopes}
    busy = measuring.acting_controls(action, planned, first_week=windows.reference[0], at=look.due_at)
    controls = {name: found.by_scope[name] for name in planned if name not in busy}
    concurrent = measuring.concurrent_changes(warehouse, action, first_after, last)
    outcome = compute_look(
        check_plan,
        found.by_scope.get(action.scope_key),
        controls,
        look=look.week_no,
        kind=look.kind,
        last_week=last,
        dropped_controls=tuple((name, "got an action of its own") for name in sorted(busy)),
        final=_final_result(action) if look.kind == LookKind.SUSTAIN else None,
        concurrent_changes=tuple(concurrent["numbers"]),
        high_risk_changes=tuple(concurrent["high_risk"]),
        has_other_action=measuring.other_action(action, first_week=windows.reference[0], last_week=last),
    )
    inputs = sha256_hex(found.sha256.encode() + digest(plan.sha256).encode())
    return Reading(outcome, inputs, last)


def final_look(action: Action) -> Look | None:
    """The last final look that was computed, of whatever cycle."""
    return action.looks.filter(kind=LookKind.FINAL, result__isnull=False).order_by("-computed_at").first()


def changes(document: Mapping[str, Any], outcome: CheckResult) -> bool:
    """Whether a later reading says something else than a review record: another verdict, or another effect."""
    before, now = (document.get("results") or {}).get("effect"), outcome.effect
    if document.get("verdict") != outcome.verdict.value or (before is None) != (now is None):
        return True
    return before is not None and now is not None and abs(before - now) > SAME_EFFECT


def _final_result(action: Action) -> dict[str, object] | None:
    final = final_look(action)
    return final.result if final is not None else None
