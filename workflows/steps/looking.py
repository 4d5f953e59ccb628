"""Read one look: its window, its controls, what else changed; then the check. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from connectors.ahead import Ahead
from improvement import weeks
from improvement.check import CheckPlan, CheckResult, Series, Windows, compute_look
from improvement.check.windows import LONG_WEEKS, SUSTAIN_WEEKS
from improvement.errors import Place, RegelkreisError
from improvement.evidence.canonical import digest, sha256_hex
from improvement.metrics import CellQuery, query_beside, scope_rows
from workflows.actions import marking, planning
from workflows.checks import measuring, past_firings
from workflows.models import Action, Look, LookKind
from workflows.warehouse import Warehouse

DEPTH = 8  # looks whose cells are read in advance: most cycles compute one or two
SAID = ("reason", "goal_met", "effect_text", "interval_text")  # what a reading states in words and rounded figures


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look found, the digest of what it was found in, and its last week."""

    outcome: CheckResult
    inputs_sha256: str
    last_week: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The cells that a look reads: those of all scopes, up to its last week, as they were known at a moment."""

    query: CellQuery
    known_at: datetime
    first_week: int
    last_week: int

    def read(self, warehouse: Warehouse) -> pa.Table:
        """The cells."""
        return warehouse.cells(self.query, as_of=self.known_at, first_week=self.first_week, last_week=self.last_week)


class CellsAhead:
    """The cells of looks, read in another thread from now on, in the order the looks will be computed. Close it."""

    def __init__(self, warehouse: Warehouse, looks: Iterable[Look]) -> None:
        self._asked = [one for look in looks if (one := _asked_if_it_can_be(look)) is not None]
        for one in self._asked:
            warehouse.sql(one.query)  # compiled here: Ibis asks the connection of this thread
        self._cells = Ahead(self._read(warehouse), depth=DEPTH)

    def take(self, asked: Asked) -> pa.Table | None:
        """The cells asked for, and those before them let go; None where nobody knew that they would be asked for."""
        if asked not in self._asked:
            return None
        return next((cells for one, cells in self._cells if one == asked), None)

    def close(self) -> None:
        """Let go of what was not taken."""
        self._cells.close()

    def _read(self, warehouse: Warehouse) -> Iterator[tuple[Asked, pa.Table]]:
        if not self._asked:
            return
        with warehouse.sibling() as other:
            for one in self._asked:
                yield one, one.read(other)


def read_look(warehouse: Warehouse, look: Look, *, known_at: datetime, ahead: CellsAhead | None = None) -> Reading:
    """Compute a look from what was known at a moment (aware); refuses a plan that is not the one approved."""
    action, plan = look.action, look.plan
    if digest(plan.document) != plan.sha256:
        raise RegelkreisError(
            f"Plan version {plan.version} is not the one that was approved: its digest differs.",
            where=Place(record=action.code),
            mend="Somebody edited the database. `regelkreis evidence verify` says what else was touched.",
        )
    if differing := planning.not_as_frozen(action, plan):
        raise RegelkreisError(
            f"The {', '.join(differing)} of the action are not those of its frozen plan, version {plan.version}.",
            where=Place(record=action.code),
            mend="Somebody edited the database: put back what the plan says.",
        )
    check_plan = _plan_of(look)
    windows = check_plan.windows
    first_after, last = _weeks_of(look, check_plan)
    asked = _asked(look, check_plan, known_at)
    cells = ahead.take(asked) if ahead is not None else None
    found = measuring.measured(asked.query, cells if cells is not None else asked.read(warehouse))
    series = measuring.with_exposure(check_plan, action, found, plan.document.get("exposure", {}))
    planned = {name: found.scopes[name] for name in check_plan.controls if name in found.scopes}
    busy = measuring.acting_controls(action, planned, first_week=windows.reference[0], at=look.due_at)
    controls = {name: series[name] for name in planned if name not in busy}
    concurrent = measuring.concurrent_changes(warehouse, action, first_after, last)
    marked = marking.numbers_in(action, first_week=first_after, last_week=last, known_at=known_at)
    outcome = compute_look(
        check_plan,
        series.get(action.scope_key),
        controls,
        look=look.week_no,
        kind=look.kind,
        last_week=last,
        dropped_controls=tuple((name, "got an action of its own") for name in sorted(busy)),
        final=_final_result(look) if look.kind == LookKind.SUSTAIN else None,
        concurrent_changes=tuple(sorted({*concurrent["numbers"], *marked})),
        high_risk_changes=tuple(concurrent["high_risk"]),
        are_changes_known=measuring.SERVICE in action.scope or bool(marked),
        marked_changes=marked,
        read_otherwise=_read_otherwise(look),
        other_actions=measuring.other_actions(action, windows, last_week=last),
        past_firings=past_firings.standing(action, at=known_at),
        beside=_beside(warehouse, asked.query, action, known_at=known_at, first=windows.reference[0], last=last),
    )
    inputs = sha256_hex(found.sha256.encode() + digest(plan.sha256).encode())
    return Reading(outcome, inputs, last)


def _read_otherwise(look: Look) -> tuple[str, ...]:
    """What is read otherwise than by the plan; of a published look what it said, for a restatement names its causes."""
    if look.result is None:
        return planning.read_otherwise(look.action, look.plan)
    return tuple(look.result.get("read_otherwise", ()))


def _asked(look: Look, plan: CheckPlan, known_at: datetime) -> Asked:
    query = measuring.query_of(look.action, stratum=measuring.stratum_of(look.action))
    return Asked(query, known_at, plan.windows.trigger[0] - LONG_WEEKS, _weeks_of(look, plan)[1])


def _asked_if_it_can_be(look: Look) -> Asked | None:
    """What a look that is due will read; None where computing it will say what is wrong."""
    try:
        return _asked(look, _plan_of(look), look.due_at)
    except RegelkreisError:
        return None


def _plan_of(look: Look) -> CheckPlan:
    if look.result is None:
        return measuring.check_plan(look.action, look.plan)
    # Read once more: in the weeks it was read in, whatever became of the action since (adjusted, it has no go-live).
    windows = _windows_of(look.result)
    plan = measuring.check_plan(look.action, look.plan, live=weeks.monday(windows.after_from))
    return replace(plan, windows=windows)


def _weeks_of(look: Look, plan: CheckPlan) -> tuple[int, int]:
    """The first and the last week of *after* that a look reads; sustaining ones read the latest thirteen."""
    if look.result is not None:
        return _span(look.result["windows"]["after"])
    if look.kind == LookKind.SUSTAIN:
        last = planning.sustain_from(look.action, planning.standardised_at(look.action)) + look.week_no - 1
        return last - SUSTAIN_WEEKS + 1, last
    return plan.windows.after_from, plan.windows.after_from + look.week_no - 1


def _windows_of(result: Mapping[str, Any]) -> Windows:
    """The windows that a look was read in, as its result states them."""
    told = result["windows"]
    confirmation = _span(told["confirmation"]) if told["confirmation"] is not None else None
    return Windows(_span(told["reference"]), _span(told["trigger"]), confirmation, _span(told["after"])[0])


def _span(window: Mapping[str, Any]) -> tuple[int, int]:
    return weeks.parse_label(window["first_week"]), weeks.parse_label(window["last_week"])


def _beside(
    warehouse: Warehouse, query: CellQuery, action: Action, *, known_at: datetime, first: int, last: int
) -> Series | None:
    """The share told beside the action's metric, over the weeks of its windows; None where there is none."""
    told = query_beside(query)
    if told is None:
        return None
    cells = warehouse.cells(told, as_of=known_at, first_week=first, last_week=last)
    own = scope_rows(cells, {key: action.scope[key] for key in told.by})
    return Series(own["week"].to_numpy(), own["numerator"].to_numpy(), own["denominator"].to_numpy())


def changes(document: Mapping[str, Any], outcome: CheckResult) -> bool:
    """Whether a later reading says something else than a review record: another verdict, or other words for it."""
    before, now = document.get("results") or {}, outcome.as_dict()
    return document.get("verdict") != outcome.verdict.value or any(before.get(name) != now[name] for name in SAID)


def _final_result(look: Look) -> dict[str, object] | None:
    """What the final look of the same cycle found."""
    final = final_look(look.action, cycle_no=look.cycle_no)
    return final.result if final is not None else None


def final_look(action: Action, *, cycle_no: int) -> Look | None:
    """The final look of a cycle, once it is computed."""
    found = action.looks.filter(kind=LookKind.FINAL, cycle_no=cycle_no, result__isnull=False)
    return found.order_by("-computed_at").first()
