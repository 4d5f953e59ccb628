"""What a rule sees in its cells."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from improvement import metrics
from improvement.rules import (
    Cells,
    FindingMemory,
    Point,
    Reason,
    Rule,
    Scope,
    advance,
    fold,
    plan_queries,
    points,
    rule_from_document,
)
from improvement.rules.scope import DIMENSIONS, NONE
from improvement.weeks import parse_label
from tests.improvement.rules.build import ACME, a_rule, some_cells

WEEK = 2903  # the last of four weeks from 2900


def seen(rule: Rule, cells: pa.Table, week: int = WEEK, **more: object) -> Point:
    """The only point."""
    (point,) = points(rule, cells, connection="test", week=week, **more)  # type: ignore[arg-type]
    return point


def test_a_value_is_the_sum_of_numerators_over_the_sum_of_denominators(tmp_path: Path) -> None:
    point = seen(a_rule(tmp_path), some_cells({ACME: [(1, 40), (1, 40), (1, 40), (15, 30)]}))
    assert point.value == pytest.approx(18 / 150)
    assert (point.first_week, point.week, point.n) == (2900, 2903, 150)
    assert point.is_breaching is True
    assert point.size == pytest.approx(0.2)


def test_a_value_on_its_target_is_kept(tmp_path: Path) -> None:
    assert seen(a_rule(tmp_path), some_cells({ACME: [(4, 40)]}), week=2900).is_breaching is False


def test_weeks_outside_the_window_do_not_count(tmp_path: Path) -> None:
    cells = some_cells({ACME: [(40, 40), (0, 40), (0, 40), (0, 40), (0, 40), (40, 40)]})
    assert seen(a_rule(tmp_path), cells, week=2904).value == 0


def test_strata_of_a_week_are_summed(tmp_path: Path) -> None:
    cells = some_cells({ACME: [(1, 20)]})
    both = pa.concat_tables([cells, some_cells({ACME: [(5, 20)]})])
    assert seen(a_rule(tmp_path), both, week=2900).value == pytest.approx(6 / 40)


def test_too_few_samples_are_no_verdict(tmp_path: Path) -> None:
    point = seen(a_rule(tmp_path), some_cells({ACME: [(4, 4)]}), week=2900)
    assert (point.value, point.is_breaching, point.is_clear, point.reason) == (1.0, None, None, Reason.FEW)


def test_a_missing_dimension_is_a_scope_of_its_own(tmp_path: Path) -> None:
    cells = some_cells({ACME: [(1, 40)]})
    columns = {name: cells[name] for name in cells.column_names}
    columns["customer"] = pa.array([None], pa.string())
    point = seen(a_rule(tmp_path), pa.table(columns), week=2900)
    assert point.scope.get("customer") == "(none)"


def test_a_snapshot_is_the_value_of_the_last_week(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "metric: backlog_open\ntarget: {max: 30}\ntrigger: {for: 2w}")
    point = seen(rule, some_cells({ACME: [(90, 1), (80, 1), (70, 1), (20, 1)]}))
    assert (point.value, point.is_breaching) == (20, False)


def test_hours_are_judged_when_they_are_known(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "metric: time_to_resolve\ntarget: {max: 40h}")
    cells = some_cells({ACME: [(400, 10)] * 4 + [(9000, 10)] * 2})
    point = seen(rule, cells, week=2905)
    assert (point.first_week, point.week, point.value) == (2900, 2903, 40)
    assert rule.weeks_needed == 6


def test_a_quiet_week_is_part_of_a_count(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "metric: major_incident_count\ntarget: {max: 0.5}\ntrigger: {for: 1w}")
    point = seen(rule, some_cells({ACME: [(1, 1)]}, first_week=WEEK))
    assert point.value == 0.25  # one in four weeks, though the scope's first cell is one week old


def test_the_unit_may_stand_behind_a_number(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "metric: time_to_respond\ntarget: {max: 90min}")
    assert rule.target.value == pytest.approx(1.5)
    assert a_rule(tmp_path, "metric: contact_gap\nwhere: {}\ntarget: {max: 8w}\ntrigger: {for: 2w}").target.value == 56


OVERRIDES = """
overrides:
  - {when: {country: DE}, target: {max: 9%}}
  - {when: {customer: "A*"}, target: {max: 8%}}
  - {when: {customer: Acme}, target: {max: 7%}, from: 2026-01-05, to: 2026-02-01}
  - {when: {service: "M???"}, target: {max: 6%}, from: 2026-06-01}
"""


@pytest.mark.parametrize(
    ("scope", "week", "limit", "source"),
    [
        (Scope.of({"customer": "Zeta", "country": "CH", "service": "ERP"}), "2026-W01", 0.10, "target"),
        (Scope.of({"customer": "Zeta", "country": "DE", "service": "ERP"}), "2026-W01", 0.09, "country: DE"),
        (Scope.of({"customer": "Auto", "country": "DE", "service": "ERP"}), "2026-W01", 0.08, "customer: A*"),
        (ACME, "2026-W01", 0.08, "customer: A*"),  # that week ends on 4 January
        (ACME, "2026-W02", 0.07, "customer: Acme} from 2026-01-05 to 2026-02-01"),
        (ACME, "2026-W05", 0.07, "customer: Acme"),  # ends on 1 February, the last day
        (ACME, "2026-W06", 0.08, "customer: A*"),  # a gap in dates falls to the level above
        (ACME, "2026-W23", 0.06, "service: M???"),
    ],
)
def test_the_lowest_level_in_force_at_the_windows_end_wins(
    tmp_path: Path, scope: Scope, week: str, limit: float, source: str
) -> None:
    at = parse_label(week)
    point = seen(a_rule(tmp_path, OVERRIDES), some_cells({scope: [(1, 40)]}, first_week=at), week=at)
    assert point.target.value == limit
    assert source in point.target.source


def test_clear_is_stricter_than_the_target(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "clear: {ratio: 0.8}")
    assert seen(rule, some_cells({ACME: [(4, 45)]}), week=2900).is_clear is False  # 8.9 %: kept, not clear
    assert seen(rule, some_cells({ACME: [(3, 45)]}), week=2900).is_clear is True
    happy = a_rule(tmp_path, "metric: csat_mean\nwhere: {}\ntarget: {min: 3.8}\nclear: {ratio: 0.95}")
    assert seen(happy, some_cells({ACME: [(39, 10)]}), week=2900).is_clear is False
    assert seen(happy, some_cells({ACME: [(40, 10)]}), week=2900).is_clear is True


def test_a_share_can_always_be_cleared(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "clear: {max: 5%, for: 2w}")
    assert seen(rule, some_cells({ACME: [(2, 40)]}), week=2900).target.clear == 0.05


def test_worse_than_its_own_past(tmp_path: Path) -> None:
    rule = a_rule(
        tmp_path, "metric: csat_mean\nwhere: {}\ntarget: {worse_than_own: {by: 0.3, reference: 26w}}\nwindow: 2w"
    )
    past = [(43, 10)] * 26
    kept = seen(rule, some_cells({ACME: [*past, (40, 10), (40, 10)]}), week=2927)
    worse = seen(rule, some_cells({ACME: [*past, (39, 10), (39, 10)]}), week=2927)
    assert kept.target.value == pytest.approx(4.0)
    assert kept.target.own == pytest.approx(4.3)
    assert (kept.is_breaching, worse.is_breaching) == (False, True)


def test_half_of_the_past_is_enough_less_is_not(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "target: {worse_than_own: {by: 50%, reference: 26w}}\nwindow: 1w")
    short = seen(rule, some_cells({ACME: [(4, 40)] * 12 + [(20, 40)]}), week=2912)
    enough = seen(rule, some_cells({ACME: [(4, 40)] * 13 + [(20, 40)]}), week=2913)
    assert (short.is_breaching, short.reason) == (None, Reason.SHORT_PAST)
    assert enough.is_breaching is True


def test_a_count_compares_with_the_weeks_since_it_began(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "metric: incident_count\ntarget: {worse_than_own: {by: 50%, reference: 26w}}\nwindow: 1w")
    cells = some_cells({ACME: [(40, 1)] * 20 + [(50, 1)]}, n=40)
    point = seen(rule, cells, week=2920)
    assert point.target.own == 40
    assert point.is_breaching is False


WATERMELON = """
metric: csat_mean
where: {survey.kind: csat}
target: {min: 3.8}
while: [{metric: sla_breach_rate, where: {sla.agreement: sla}, max: 5%}]
"""


@pytest.mark.parametrize(
    ("breached", "is_breaching", "reason"),
    [(1, True, ""), (20, False, Reason.WHILE_BROKEN), (None, None, Reason.WHILE_UNKNOWN)],
)
def test_a_watermelon_is_red_only_while_it_is_green(
    tmp_path: Path, breached: int | None, is_breaching: bool | None, reason: str
) -> None:
    rule = a_rule(tmp_path, WATERMELON)
    key = rule.conditions[0].key
    companions = {} if breached is None else {key: some_cells({ACME: [(breached, 40)]})}
    point = seen(rule, some_cells({ACME: [(30, 10)]}), week=2900, companions=companions)
    assert (point.is_breaching, point.reason) == (is_breaching, reason)


@pytest.mark.parametrize(("answers", "reason"), [(4, Reason.WHILE_UNKNOWN), (5, "")])
def test_a_while_on_answers_takes_as_many_as_show_no_person(tmp_path: Path, answers: int, reason: str) -> None:
    rule = a_rule(tmp_path, "while: [{metric: csat_mean, where: {}, max: 3}]")
    companions = {rule.conditions[0].key: some_cells({ACME: [(2 * answers, answers)]})}
    for one in (rule, rule_from_document(rule.canonical())):
        point = seen(one, some_cells({ACME: [(30, 40)]}), week=2900, companions=companions)
        assert (point.is_breaching, point.reason) == (reason == "" or None, reason)
    document = deepcopy(rule.canonical())
    del document["spec"]["while"][0]["min_samples"]  # a version of an earlier release runs on as it did
    point = seen(rule_from_document(document), some_cells({ACME: [(30, 40)]}), week=2900, companions=companions)
    assert point.is_breaching


def test_rules_with_the_same_question_share_a_query(tmp_path: Path) -> None:
    one = a_rule(tmp_path, rule_id="one")
    two = a_rule(tmp_path, "target: {worse_than_own: {by: 50%}}\nwindow: 8w", rule_id="two")
    other = a_rule(tmp_path, "by: [customer]", rule_id="other")
    melon = a_rule(tmp_path, WATERMELON, rule_id="melon")
    queries = plan_queries([one, two, other, melon])
    assert [(query.metric, query.by) for query in queries] == [
        ("sla_breach_rate", ("customer", "country", "service")),  # only looked at: first
        ("sla_breach_rate", ("customer", "country", "service")),
        ("sla_breach_rate", ("customer",)),
        ("csat_mean", ("customer", "country", "service")),
    ]
    assert [rule.id for rule in queries[1].rules] == ["one", "two"]
    assert queries[1].weeks_needed == 60
    assert [rule.id for rule in queries[0].companions] == ["melon"]


def test_a_rule_that_looks_every_other_week_is_silent_between(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "every: 2w\nwindow: 4w")
    cells = some_cells({ACME: [(1, 40)] * 4})
    assert [len(points(rule, cells, connection="c", week=week)) for week in (2900, 2901, 2902)] == [1, 0, 1]


def test_a_scope_that_fell_silent_is_still_reported(tmp_path: Path) -> None:
    gone = Scope.of({"customer": "Gone", "country": "DE", "service": "Mail"})
    found = points(a_rule(tmp_path), some_cells({ACME: [(1, 40)]}), connection="c", week=2900, also=[gone, ACME])
    assert [(point.scope, point.reason) for point in found] == [(ACME, ""), (gone, Reason.NO_ROWS)]


def test_no_cells_give_no_points(tmp_path: Path) -> None:
    rule = a_rule(tmp_path)
    assert points(rule, some_cells({ACME: [(1, 0)]}), connection="c", week=2900) == []
    assert points(rule, some_cells({ACME: [(1, 40)]}), connection="c", week=2950) == []


@pytest.mark.parametrize(
    "spec", ["", "metric: incident_count\ntarget: {worse_than_own: {by: 30%, reference: 13w}}\ntrigger: {for: 1w}"]
)
def test_wide_and_narrow_cells_give_the_same_bytes(tmp_path: Path, spec: str) -> None:
    """A back-test reads years of cells at once, the live cycle only the weeks it needs."""
    rule = a_rule(tmp_path, spec)
    random = np.random.default_rng(7)
    scopes = [Scope.of({"customer": f"C{number}", "country": "DE", "service": "Mail"}) for number in range(5)]
    weekly = {scope: [(random.random() * 9, float(random.integers(0, 60))) for _ in range(60)] for scope in scopes}
    cells = some_cells(weekly)
    wide = Cells.of(cells, rule.by)
    folded: dict[Scope, FindingMemory] = {}
    for week in range(2930, 2960):
        weeks_of = cells["week"].to_numpy()
        narrow = cells.filter(pa.array((weeks_of > week - rule.weeks_needed) & (weeks_of <= week)))
        live = points(rule, narrow, connection="c", week=week)
        assert repr(live) == repr(points(rule, wide, connection="c", week=week))
        for point in live:
            folded[point.scope] = advance(folded.get(point.scope), point, rule)
    for scope, memory in folded.items():  # the live cycle, week by week, ends where the back-test ends
        history = [point for week in range(2930, 2960) for point in points(rule, wide, connection="c", week=week)]
        assert fold([point for point in history if point.scope == scope], rule) == memory


def test_weeks_filled_with_zero_make_no_difference(tmp_path: Path) -> None:
    """The warehouse fills a count's empty weeks from the first one it was asked for: more weeks, more zeros."""
    rule = a_rule(tmp_path, "metric: incident_count\ntarget: {worse_than_own: {by: 30%, reference: 13w}}\nwindow: 3w")
    random = np.random.default_rng(3)
    values = [(float(count), 1.0) for count in random.poisson(0.6, 60)]
    names = {"week": range(2900, 2960), "numerator": [top for top, _ in values], "denominator": [1.0] * 60}
    scope = {name: pa.array([value] * 60) for name, value in ACME.items}
    filled = pa.table(
        {**scope, **{name: list(column) for name, column in names.items()}, "n": [int(top) for top, _ in values]}
    )
    sparse = filled.filter(pa.array([top > 0 for top, _ in values]))
    for week in range(2920, 2960):
        live = points(rule, sparse, connection="c", week=week)
        assert repr(live) == repr(points(rule, filled, connection="c", week=week))


def test_words_are_the_same_as_in_the_metrics() -> None:
    assert DIMENSIONS == metrics.DIMENSIONS
    assert NONE == metrics.NONE
