"""The rule language: documents, loading, targets, evaluation, rule tests."""

from __future__ import annotations

from improvement.rules.documents import Rule, RuleTest
from improvement.rules.evaluate import (
    FindingMemory,
    FindingState,
    Point,
    Series,
    advance,
    points,
    queries,
    size,
    trigger_window,
)
from improvement.rules.load import LoadedRule, RulePack, examine, json_schema, load_pack
from improvement.rules.ruletest import CaseResult, run_test
from improvement.rules.scope import Scope

__all__ = [
    "CaseResult",
    "FindingMemory",
    "FindingState",
    "LoadedRule",
    "Point",
    "Rule",
    "RulePack",
    "RuleTest",
    "Scope",
    "Series",
    "advance",
    "examine",
    "json_schema",
    "load_pack",
    "points",
    "queries",
    "run_test",
    "size",
    "trigger_window",
]
