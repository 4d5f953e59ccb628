"""The rule language: documents, loading with line numbers, evaluation as pure functions, tests, explanations.

In a cycle: :func:`load_pack` → :func:`plan_queries` → (the warehouse gives cells) → :func:`points` → :func:`advance` →
:func:`choose`.
"""

from __future__ import annotations

from improvement.rules.cells import Cells
from improvement.rules.checking import CheckReport, check_paths
from improvement.rules.evaluation import points
from improvement.rules.explaining import Explanation, explain
from improvement.rules.findings import FindingMemory, FindingState, advance, fold
from improvement.rules.judging import Point, Reason
from improvement.rules.loading import RulePack, load_pack, rule_from_document
from improvement.rules.opening import Candidate, Choice, Proposal, Waiting, choose, priority, size_of
from improvement.rules.queries import Query, plan_queries
from improvement.rules.rule import Limits, Mode, Rule, SeriesKey
from improvement.rules.schema import json_schema
from improvement.rules.scope import Scope
from improvement.rules.targets import ResolvedTarget
from improvement.rules.testing import Outcome, RuleTest, run_tests

__all__ = [
    "Candidate",
    "Cells",
    "CheckReport",
    "Choice",
    "Explanation",
    "FindingMemory",
    "FindingState",
    "Limits",
    "Mode",
    "Outcome",
    "Point",
    "Proposal",
    "Query",
    "Reason",
    "ResolvedTarget",
    "Rule",
    "RulePack",
    "RuleTest",
    "Scope",
    "SeriesKey",
    "Waiting",
    "advance",
    "check_paths",
    "choose",
    "explain",
    "fold",
    "json_schema",
    "load_pack",
    "plan_queries",
    "points",
    "priority",
    "rule_from_document",
    "run_tests",
    "size_of",
]
