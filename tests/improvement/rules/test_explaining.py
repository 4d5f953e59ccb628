"""Why a rule says what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from improvement.rules import Explanation, FindingState, Scope, SeriesKey, explain
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


def test_what_a_while_looks_at_is_told_with_its_value(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "while:\n  - {metric: reopen_rate, where: {}, max: 10%}")
    (condition,) = rule.conditions
    bad, calm = some_cells({ACME: [(20, 40)] * 5}), some_cells({ACME: [(2, 40)] * 5})

    def explained(companions: dict[SeriesKey, pa.Table]) -> Explanation:
        return explain(rule, bad, ACME, connection="test", week=2904, companions=companions)

    assert "Only while reopen_rate keeps max 10%: 5%, it holds." in explained({condition.key: calm}).sentences
    broken = explained({condition.key: bad})
    assert "Only while reopen_rate keeps max 10%: 50%, it does not hold." in broken.sentences
    assert broken.memory.state is FindingState.OK
    unknown = explained({})
    assert "Only while reopen_rate keeps max 10%: no value, nobody can tell." in unknown.sentences
    assert unknown.as_dict()["while"] == [
        {"metric": "reopen_rate", "limit": "max 10%", "value": "no value", "holds": None}
    ]


def test_a_while_on_too_few_answers_is_told_with_how_many_it_takes(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "while:\n  - {metric: csat_mean, where: {}, max: 3}")
    companions = {rule.conditions[0].key: some_cells({ACME: [(2, 1)] * 5})}
    found = explain(rule, some_cells({ACME: [(20, 40)] * 5}), ACME, connection="test", week=2904, companions=companions)
    assert "Only while csat_mean keeps max 3: 4 of the 5 samples that it takes, nobody can tell." in found.sentences
