"""Why a rule says what it says."""

from __future__ import annotations

import json
from pathlib import Path

from improvement.rules import FindingState, Scope, explain
from tests.improvement.rules.build import ACME, a_rule, some_cells


def test_an_explanation_tells_the_chain(tmp_path: Path) -> None:
    rule = a_rule(
        tmp_path,
        """
        overrides:
          - {when: {country: DE}, target: {max: 9%}}
          - {when: {customer: Acme}, target: {max: 8%}, from: 2020-01-01}
          - {when: {service: Mail}, target: {max: 1%}, from: 2090-01-01}
        """,
    )
    cells = some_cells({ACME: [(1, 40), (1, 40), (1, 40), (20, 40), (20, 40)]})
    found = explain(rule, cells, ACME, connection="test", week=2904)
    assert [(step.has_won, step.because.split()[0]) for step in found.cascade] == [
        (False, "applies"),
        (False, "another"),
        (True, "the"),
        (False, "not"),
    ]
    assert found.memory.state is FindingState.FIRING
    assert found.point.value == 42 / 160
    assert [week for week, *_ in found.weekly] == [2901, 2902, 2903, 2904]
    text = " ".join(found.sentences)
    assert "26.25%" in text
    assert "at most 8%" in text
    assert "2 of 2 values in a row" in text
    json.dumps(found.as_dict())


def test_a_scope_without_cells_is_explained_too(tmp_path: Path) -> None:
    nobody = Scope.of({"customer": "Nobody", "country": "DE", "service": "Mail"})
    found = explain(a_rule(tmp_path), some_cells({ACME: [(1, 40)]}), nobody, connection="test", week=2900)
    assert found.point.value is None
    assert "no rows" in " ".join(found.sentences)
