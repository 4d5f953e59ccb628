"""What evaluates rules ticket by ticket, on twenty of the same conditions: rule-engine, zen-engine and JSON Logic.

Each is used in its quickest way: expressions compiled once, tickets as the dictionaries it takes; zen-engine gets all
twenty as one decision, so that a ticket is handed over once. They only say *yes* or *no* for each ticket; ours groups,
sums and compares with targets in the time that is counted. (``json-logic`` 0.6.3 does not run on Python 3;
``panzi-json-logic`` is the implementation that is kept up.)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.rules_asked import EVALUATED, FINE, WINDOW, Asked, hundred
from bench.rules_evaluating import counted, judged, queries_of, rules
from bench.rules_world import LAST_WEEK

SAMPLE = 2_000  # tickets
Condition = tuple[tuple[str, str, Any], ...]  # fields, operators and values that all must hold
FIELDS = ("kind", "state", "priority", "is_major", "reopen_count", "reassignment_count")
MET: dict[str, Condition] = {  # what makes a ticket count in the numerator
    "incident_count": (),
    "major_incident_count": (("is_major", "==", True),),
    "reopen_rate": (("reopen_count", ">", 0),),
    "reassignment_rate": (("reassignment_count", ">", 0),),
    "first_contact_resolution_rate": (("reassignment_count", "==", 0), ("reopen_count", "==", 0)),
}


@dataclass(frozen=True, slots=True)
class Engine:
    """A library, and a function that says how often each condition holds among tickets."""

    name: str
    matches: Callable[[Sequence[Condition], Sequence[dict[str, Any]]], list[int]]


def twenty() -> list[Asked]:
    """The rules whose conditions are evaluated."""
    return [one for one in hundred() if one.metric in MET and one.by == FINE]


def condition_of(asked: Asked) -> Condition:
    """What a ticket must meet to count in the rule's numerator."""
    where = tuple(
        (name, "in", value) if isinstance(value, list) else (name, "==", value) for name, value in asked.where.items()
    )
    return (("state", "!=", "cancelled"), *where, *MET[asked.metric])


def _text(condition: Condition) -> str:
    return " and ".join(f"{field} {operator} {json.dumps(value)}" for field, operator, value in condition)


def _rule_engine(conditions: Sequence[Condition], tickets: Sequence[dict[str, Any]]) -> list[int]:
    import rule_engine

    compiled = [rule_engine.Rule(_text(condition)) for condition in conditions]
    return [sum(rule.matches(ticket) for ticket in tickets) for rule in compiled]


def _zen(conditions: Sequence[Condition], tickets: Sequence[dict[str, Any]]) -> list[int]:
    import zen

    expressions = [
        {"id": f"c{number}", "key": f"c{number}", "value": _text(condition)}
        for number, condition in enumerate(conditions)
    ]
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "all", "name": "all", "type": "expressionNode", "content": {"expressions": expressions}},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": f"{one}-{other}", "sourceId": one, "targetId": other, "type": "edge"}
        for one, other in (("in", "all"), ("all", "out"))
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    found = [0] * len(conditions)
    for ticket in tickets:
        result = decision.evaluate(ticket)["result"]
        for number in range(len(conditions)):
            found[number] += result[f"c{number}"]
    return found


def _json_logic(conditions: Sequence[Condition], tickets: Sequence[dict[str, Any]]) -> list[int]:
    from json_logic import jsonLogic

    written = [
        {"and": [{operator: [{"var": field}, value]} for field, operator, value in condition]}
        for condition in conditions
    ]
    return [sum(bool(jsonLogic(one, ticket)) for ticket in tickets) for one in written]


ENGINES = (Engine("rule-engine", _rule_engine), Engine("zen-engine", _zen), Engine("JSON Logic", _json_logic))


def measure(warehouse: Any) -> dict[str, Any]:
    """Conditions evaluated a second (tickets × conditions) by each engine, and by ours on all tickets of the weeks."""
    asked = twenty()
    conditions = [condition_of(one) for one in asked]
    sample = warehouse.arrow(f"SELECT {', '.join(FIELDS)} FROM tickets USING SAMPLE {SAMPLE} ROWS (reservoir, 7)")
    tickets = sample.to_pylist()
    wanted = [sum(_holds(condition, ticket) for ticket in tickets) for condition in conditions]
    engines = {}
    for engine in ENGINES:
        engine.matches(conditions, tickets[:50])
        begin = time.perf_counter()
        found = engine.matches(conditions, tickets)
        seconds = time.perf_counter() - begin
        rate = len(tickets) * len(conditions) / seconds
        engines[engine.name] = {"per_s": round(rate), "is_equal": found == wanted}
    ours = _ours(warehouse, asked)
    return {
        "conditions": len(conditions),
        "sample": len(tickets),
        "engines": engines,
        "ours_per_s": ours,
        "times_quickest": round(ours / max(one["per_s"] for one in engines.values()), 1),
    }


def _ours(warehouse: Any, asked: Sequence[Asked]) -> int:
    some = rules(asked)
    found = queries_of(some)
    weeks = range(LAST_WEEK - EVALUATED + 1, LAST_WEEK + 1)
    best = float("inf")
    for _ in range(4):
        begin = time.perf_counter()
        judged(found, counted(warehouse, [one for _, one in found]), weeks)
        best = min(best, time.perf_counter() - begin)
    first_day = (LAST_WEEK - EVALUATED - WINDOW + 2) * 7 - 3
    tickets = warehouse.arrow(f"SELECT count(*) AS n FROM tickets WHERE opened_day >= {first_day}")["n"][0].as_py()
    return round(tickets * len(asked) / best)


def _holds(condition: Condition, ticket: dict[str, Any]) -> bool:
    met = {
        "==": lambda one, other: one == other,
        "!=": lambda one, other: one != other,
        ">": lambda one, other: one > other,
        "in": lambda one, other: one in other,
    }
    return all(met[operator](ticket[field], value) for field, operator, value in condition)
