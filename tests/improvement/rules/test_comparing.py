"""Two versions of a rule: the keys that differ, and the findings that come, go or move."""

from __future__ import annotations

from pathlib import Path

from improvement.rules import Cells, Limits, Rule, Scope
from improvement.rules.comparing import changes, diff, pairs
from improvement.rules.replaying import Replay, replay
from tests.improvement.rules.build import ACME, a_rule, some_cells

OTHER = Scope.of({**ACME.as_dict(), "service": "ERP"})
COURSES = {ACME: [*[(1, 40)] * 8, *[(4, 40)] * 3, *[(12, 40)] * 9], OTHER: [*[(1, 40)] * 8, *[(3, 40)] * 12]}


def replayed(rule: Rule) -> Replay:
    cells = Cells.of(some_cells(COURSES), rule.by)
    return replay(
        [rule],
        {"snow": {rule.key: cells}},
        span=range(2904, 2920),
        limits=Limits(),
        owner_of=lambda *_: None,
        lasting=lambda rule: None,
    )


def test_a_stricter_target_fires_earlier_and_elsewhere(tmp_path: Path) -> None:
    before = a_rule(tmp_path)
    after = a_rule(tmp_path, "target: {max: 6%}")
    found = diff(before, after, replayed(before), replayed(after))
    assert [(change.key, change.before, change.after) for change in found.changes] == [("spec.target.max", 0.1, 0.06)]
    assert [(shift.sign, shift.scope.get("service")) for shift in found.shifts] == [("+", "ERP"), ("~", "Mail")]
    assert (found.fired, found.opened) == ((1, 2), (1, 2))
    assert not found.starts_over
    (mail,) = [shift for shift in found.shifts if shift.scope == ACME]
    assert mail.after < mail.before


def test_what_counts_otherwise_begins_anew(tmp_path: Path) -> None:
    before, after = a_rule(tmp_path), a_rule(tmp_path, "window: 8w")
    assert diff(before, after, replayed(before), replayed(after)).starts_over


def test_a_removed_rule_loses_its_findings(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    found = diff(rule, None, replayed(rule), replayed(rule))
    assert (found.rule_id, found.fired, [shift.sign for shift in found.shifts]) == ("sla", (1, 0), ["-"])


def test_comments_and_spelling_are_no_change(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    assert changes(rule, a_rule(tmp_path, "target: {max: 0.10}  # a tenth")) == ()


def test_two_single_rules_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    one, other = a_rule(tmp_path), a_rule(tmp_path, rule_id="draft")
    assert pairs([one], [other]) == [(one, other)]
    assert pairs([one, other], [other]) == [(one, None), (other, other)]
