"""What can be read, but can never do what it was written for, is refused where it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from improvement.metrics import CATALOGUE
from improvement.metrics.cells import COLUMN_OF
from improvement.rules import Scope, check_paths, load_pack, rule_from_document
from improvement.rules.reach import ALONE
from tests.improvement.rules.build import a_file, a_rule
from workflows.warehouse import sql_of

HEAD = "apiVersion: regelkreis/v1\nkind: Rule\nmetadata: {id: sla, title: Too many}\nspec:\n"


def told(folder: Path, spec: str) -> list[str]:
    """The errors of a rule with these lines of spec (the first is line 5), without the file's name."""
    path = a_file(folder, HEAD + "".join(f"  {line}\n" for line in spec.splitlines()))
    return [str(error).removeprefix(f"{path}:") for error in check_paths([path]).errors]


BREACHES = "metric: sla_breach_rate\nby: [customer, country]\ntarget: {max: 15%}\n"
SCORES = "metric: csat_mean\nby: [customer]\n"
OWN = "metric: sla_breach_rate\ntarget: {worse_than_own: {by: 30%}}\n"
OVERRIDES = (
    "overrides:\n  - {{when: {{{first}}}, target: {{max: 3%}}}}\n  - {{when: {{{second}}}, target: {{max: 9%}}}}"
)
IDLE = "metric: sla_breach_rate\nby: [country]\ntarget: {max: 100%}\n"
GAP = "metric: contact_gap\nwhere: {}\ntrigger: {for: 2w}\ntarget: {max: 5}"
SCORE = "metric: csat_mean\nwhere: {}\ntarget: {min: 4}"


@pytest.mark.parametrize(
    ("spec", "place", "what", "mend"),
    [
        (BREACHES + "where: {customer: 'Acme*'}", "8:21, where.customer", "where knows no patterns", "List the values"),
        (BREACHES + "where: {customer: [B, 'A?me']}", "8:21, where.customer", "“A?me” matches only", "List the values"),
        (
            BREACHES + "while: [{metric: csat_mean, where: {customer: 'A*'}, min: 4}]",
            "8:49, while[0].where.customer",
            "where knows no patterns",
            "List the values",
        ),
        (
            BREACHES + "while: [{metric: sla_breach_rate, max: 5%}]",
            "8:42, while[0].max",
            "No value of sla_breach_rate is above 15% and at most 5% at once",
            "Name another metric or where",
        ),
        (
            BREACHES + "where: {supplier: (none)}\nflow_down: {by: supplier}",
            "9:3, flow_down",
            "counts only what has no supplier: nothing would be passed on to anyone",
            "Remove it, or name whom you mean in where.supplier",
        ),
        (
            BREACHES + "while: [{metric: incident_count, where: {assignment_group: [A]}, max: 1}]",
            "8:73, while[0].max",
            "fewer than the 5 samples it takes: such a rule never fires",
            "Use min instead",
        ),
        (
            SCORES + "target: {min: 4}\nwhile: [{metric: csat_mean, min: 4}]",
            "8:36, while[0].min",
            "below 4 and at least 4 at once",
            "Name another",
        ),
        (
            BREACHES + "while: [{metric: reopen_rate, max: 5%}, {metric: reopen_rate, min: 6%}]",
            "8:70, while[1].min",
            "No value of reopen_rate is at most 5% and at least 6% at once",
            "Name another",
        ),
        (
            SCORES + "where: {survey.kind: csat}\ntarget: {min: 4}\nwhile: [{metric: nps, max: 0.2}]",
            "9:20, while[0].metric",
            "nps counts nothing where survey.kind is csat",
            "a where of its own",
        ),
        (
            BREACHES + "where: {customer: Acme}\nwhile: [{metric: csat_mean, where: {customer: Acne}, min: 4}]",
            "9:49, while[0].where.customer",
            "The rule keeps only customer Acme: such a rule never fires.",
            "Name one of them",
        ),
        (
            "metric: incident_count\nby: [category]\ntarget: {max: 9}\nwhile: [{metric: contact_gap, max: 30}]",
            "8:20, while[0].metric",
            "contact_gap cannot be grouped by category, as the rule is",
            "Name another metric",
        ),
        (
            "metric: contact_gap\nby: [customer, supplier]\ntarget: {max: 30}",
            "6:18, by[1]",
            "contact_gap cannot be grouped by supplier",
            "Group by customer, country, service.",
        ),
        (
            "metric: complaint_count\nby: [customer]\ntarget: {max: 1}\nflow_down: {target: {max: 1}}",
            "8:3, flow_down.by[0]",
            "complaint_count cannot be grouped by supplier",
            "Group by",
        ),
        (
            "metric: change_failure_rate\nwhere: {kind: incident}\ntarget: {max: 5%}",
            "6:17, where.kind",
            "change_failure_rate counts nothing where kind is incident",
            "Write kind: change, or leave it out.",
        ),
        (
            "metric: sla_breach_rate\ntarget: {max: 100%}",
            "6:17, target.max",
            "lies above 100%",
            "below 100% (1% is 0.01).",
        ),
        ("metric: survey_response_rate\ntarget: {min: 0%}", "6:17, target.min", "lies below 0%", "a limit above 0%"),
        (SCORES + "target: {min: 1}", "7:17, target.min", "lies below 1: such a rule never fires", "a limit above 1"),
        ("metric: nps\ntarget: {min: 30}", "6:17, target.min", "30 lies outside -1 and 1", "Did you mean 0.3?"),
        ("metric: nps\ntarget: {min: 30%}", "6:17, target.min", "not as a percentage", "Did you mean 0.3?"),
        ("metric: mood_index\ntarget: {min: 60%}", "6:17, target.min", "not as a percentage", "Did you mean 60?"),
        ("metric: mood_index\ntarget: {min: 120}", "6:17, target.min", "120 lies outside 0 and 100", "from 0 to 100."),
        ("metric: time_to_resolve\ntarget: {max: 20d}", "6:17, target.max", "20d lies outside 0 and 336", "0 to 336h."),
        ("metric: time_to_resolve\ntarget: {max: 14d}", "6:17, target.max", "lies above 336", "a limit below 336."),
        ("metric: incident_count\ntarget: {max: -1}", "6:17, target.max", "-1 lies below 0", "Use 0 or more."),
        (
            BREACHES + "while: [{metric: csat_mean, min: 40}]",
            "8:36, while[0].min",
            "40 lies outside 1 and 5",
            "from 1 to 5.",
        ),
        (
            SCORES + "target: {min: 4.2}\nclear: {ratio: 0.8}",
            "8:18, clear.ratio",
            "No value of csat_mean reaches 4.2 divided by 0.8: a finding would never be resolved.",
            "Use a ratio of 0.84 or more, or an absolute min.",
        ),
        (
            SCORES + "target: {min: 3}\noverrides: [{when: {customer: A}, target: {min: 4.5}}]\nclear: {ratio: 0.8}",
            "9:18, clear.ratio",
            "reaches 4.5 divided by 0.8",
            "Use a ratio of 0.9 or more",
        ),
        (
            SCORES + "target: {min: 3.5}\nflow_down: {target: {min: 4.5}}\nclear: {ratio: 0.8}",
            "9:18, clear.ratio",
            "reaches 4.5 divided by 0.8",
            "Use a ratio of 0.9 or more",
        ),
        (
            "metric: nps\ntarget: {min: -0.2}\nclear: {ratio: 0.8}",
            "7:18, clear.ratio",
            "a target below zero is looser",
            "an absolute min",
        ),
        (
            "metric: mood_index\ntarget: {min: 50}\ntrigger: {min_samples: 30}",
            "7:26, trigger.min_samples",
            "are its parts, 7 at most",
            "Use 7 or fewer",
        ),
        (
            "metric: contact_gap\nby: [customer]\ntarget: {max: 60d}\ntrigger: {min_samples: 10}",
            "8:26, trigger.min_samples",
            "are customers, here one in each scope",
            "Use 0 or 1.",
        ),
        (
            "metric: incident_count\nby: [priority]\ntarget: {max: 9}\n"
            "overrides: [{when: {priority: P1}, target: {max: 1}}]",
            "8:33, overrides[0].when.priority",
            "can never apply: a priority is a whole number",
            "priority: 1",
        ),
        (
            BREACHES + OVERRIDES.format(first="country: CH", second="customer: '*'"),
            "9:7, overrides[0]",
            "never wins: the one at line 10 goes first",
            "narrow the other",
        ),
        (
            BREACHES
            + "overrides:\n  - {when: {country: 'C*'}, target: {max: 3%}, from: 2026-01-01, to: 2026-06-30}\n"
            + "  - {when: {country: 'C*', customer: '*'}, target: {max: 9%}, to: 2026-12-31}",
            "9:7, overrides[0]",
            "never wins: the one at line 10",
            "narrow the other",
        ),
        (
            BREACHES + "flow_down: {target: {max: 60%}}",
            "8:29, flow_down.target.max",
            "held to less than was promised to customers (max 15%)",
            "Use a stricter target",
        ),
        (
            SCORES + "target: {min: 4}\nflow_down: {target: {min: 3.9}}",
            "8:29, flow_down.target.min",
            "held to less than was promised to customers (min 4)",
            "Use a stricter target",
        ),
        (
            OWN + "flow_down: {target: {worse_than_own: {by: 40%}}}",
            "7:40, flow_down.target.worse_than_own",
            "promised to customers (worse than own 30%)",
            "Use a stricter target",
        ),
    ],
)
def test_what_can_never_be_is_refused(tmp_path: Path, spec: str, place: str, what: str, mend: str) -> None:
    (error,) = told(tmp_path, spec)
    assert error.startswith(f"{place}: "), error
    assert what in error
    assert mend in error


@pytest.mark.parametrize(
    "spec",
    [
        BREACHES + "where: {category: ['How do I?', 'What now? Later']}",
        BREACHES + "while: [{metric: sla_breach_rate, max: 20%}]",
        BREACHES + "while: [{metric: sla_breach_rate, where: {sla.target: response}, max: 5%}]",
        BREACHES + "overrides: [{when: {country: CH}, target: {max: 3%}}]\nwhile: [{metric: sla_breach_rate, max: 5%}]",
        OWN + "while: [{metric: sla_breach_rate, max: 5%}]",
        BREACHES + "while: [{metric: reopen_rate, min: 5%}, {metric: reopen_rate, max: 6%}]",
        BREACHES + OVERRIDES.format(first="country: CH", second="customer: 'A*'"),
        BREACHES + OVERRIDES.format(first="country: CH", second="customer: '*', country: DE"),
        BREACHES
        + OVERRIDES.format(first="country: CH", second="customer: '*'").replace("9%}", "9%}, from: 2026-01-01"),
        BREACHES.replace("country", "priority") + "overrides: [{when: {priority: (none)}, target: {max: 3%}}]",
        BREACHES.replace("country", "priority") + "overrides: [{when: {priority: '?'}, target: {max: 3%}}]",
        # nothing is asked of some, or of all but some, or of anybody but suppliers
        BREACHES + "overrides: [{when: {country: CH}, target: {max: 100%}}]",
        IDLE + "overrides: [{when: {country: CH}, target: {max: 5%}}]",
        IDLE + "flow_down: {target: {max: 10%}}",
        SCORES + "target: {min: 4}\nclear: {ratio: 0.9}",
        "metric: survey_response_rate\ntarget: {min: 90%}\nclear: {ratio: 0.8}",
        "metric: nps\ntarget: {min: -0.2}\nclear: {min: -0.1}",
        "metric: contact_gap\nby: [country]\ntarget: {max: 60d}\ntrigger: {min_samples: 10}",
        BREACHES + "flow_down: {target: {max: 15%}}",
        BREACHES + "flow_down: {target: {worse_than_own: {by: 90%}}}",
        OWN + "flow_down: {target: {max: 90%}}",
    ],
)
def test_what_may_well_be_is_not(tmp_path: Path, spec: str) -> None:
    assert told(tmp_path, spec) == []


def test_a_misspelt_filter_is_told_once(tmp_path: Path) -> None:
    (error,) = told(tmp_path, "metric: change_failure_rate\nwhere: {kind: chnge}\ntarget: {max: 5%}")
    assert "Did you mean change?" in error


def test_an_override_that_could_not_be_read_is_not_taken_for_missing(tmp_path: Path) -> None:
    (error,) = told(tmp_path, IDLE + "overrides: [{when: {country: CH}, target: {max: five}}]")
    assert "is not a number" in error


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ("", {"where": {"customer": ["Acme*"], "kind": ["incident"]}}),
        ("", {"flow_down": {"by": ["supplier"], "tighten": 0.8, "agreement": ["ola"], "target": {"max": 0.6}}}),
        ("", {"while": [{"metric": "sla_breach_rate", "where": {"kind": ["incident"]}, "max": 0.05}]}),
        ("", {"target": {"max": 1.0}}),
        ("metric: time_to_resolve", {"target": {"max": 480}}),
        (GAP, {"by": ["customer", "country", "service", "supplier"]}),
        (SCORE, {"clear": {"ratio": 0.5, "for": "2w"}}),
        ("", {"where": {"assignment_group": ["Desk"]}, "trigger": {"for": "2w", "min_samples": 2}}),
        (
            SCORE,
            {"target": {"worse_than_own": {"by": 4, "reference": "52w"}}},
        ),
    ],
)
def test_a_version_that_was_live_can_still_be_read(tmp_path: Path, spec: str, change: dict[str, Any]) -> None:
    rule = a_rule(tmp_path, "target: {max: 10}\n" + spec if "time" in spec else spec)
    document = rule.canonical()
    stored = {**document, "spec": {**document["spec"], **change}}
    assert rule_from_document(stored).canonical()["spec"] == stored["spec"]


@pytest.mark.parametrize(("metric", "key", "value"), [(name, *alone) for name, alone in ALONE.items()])
def test_what_a_metric_counts_alone_is_what_its_rows_are_filtered_by(metric: str, key: str, value: str) -> None:
    sql = sql_of(CATALOGUE[metric])
    assert f"\"{COLUMN_OF.get(key, key)}\" = '{value}'" in sql


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("clear: {ratio: 1.5}", "1.5 is out of bounds. It must be above 0 and at most 1."),
        ("clear: {ratio: 0}", "0 is out of bounds. It must be above 0 and at most 1."),
        ("flow_down: {tighten: 1.2}", "1.2 is out of bounds. It must be above 0 and at most 1."),
        ("trigger: {min_samples: -1}", "-1 is out of bounds. It must be at least 0 and at most 1000000."),
    ],
)
def test_a_number_out_of_bounds_is_told_with_them(tmp_path: Path, line: str, mend: str) -> None:
    (error,) = told(tmp_path, BREACHES + line)
    assert error.startswith("8:")
    assert error.endswith(mend)


def test_defaults_and_limits_tell_their_bounds_too(tmp_path: Path) -> None:
    text = "apiVersion: regelkreis/v1\nkind: Defaults\nspec:\n  clear: {ratio: 3}\n  limits: {group_above: 0}\n"
    texts = [str(error) for error in check_paths([a_file(tmp_path, text)]).errors]
    assert [text.partition("bounds. ")[2] for text in texts] == [
        "It must be above 0 and at most 1.",
        "It must be at least 1 and at most 1000.",
    ]


def test_an_exact_name_with_a_question_mark_stays_one(tmp_path: Path) -> None:
    rule = load_pack(
        [a_file(tmp_path, HEAD + "  metric: reopen_rate\n  where: {category: 'How?'}\n  target: {max: 5%}\n")]
    )
    assert rule.rules[0].where["category"] == ("How?",)


MANY = "metric: sla_breach_rate\nby: [customer, country, service]\ntarget: {max: 15%}\noverrides:\n"
HARD = "*" + "a*" * 50
OTHER = "a?" * 50


def many(count: int, when: Callable[[int], str], dates: Callable[[int], str] = lambda index: "") -> str:
    return MANY + "".join(
        f"  - {{when: {{{when(index)}}}, target: {{max: 3%}}{dates(index)}}}\n" for index in range(count)
    )


@pytest.mark.parametrize(
    "spec",
    [
        many(2000, lambda index: f"customer: customer {index}"),
        many(2000, lambda index: f"customer: Acme, service: service {index}"),
        many(2000, lambda index: f"customer: {'Acme' if index % 2 else 'Bolt'}, service: service {index}"),
        many(300, lambda index: f"customer: 'c{index:03}*'"),
        many(300, lambda index: f"customer: '{HARD}b{index:03}'"),
        many(300, lambda index: f"customer: '{HARD}b{index:03}'" if index % 2 else f"customer: '{OTHER}x{index:03}'"),
    ],
)
@pytest.mark.parametrize("flow_down", ["", "flow_down: {by: supplier}"])
def test_a_file_within_its_bounds_takes_seconds_at_most(tmp_path: Path, spec: str, flow_down: str) -> None:
    begun = process_time()
    assert told(tmp_path, spec + flow_down) == []
    assert process_time() - begun < 6


def test_more_patterns_than_can_be_compared_are_refused_but_read_where_they_were_live(tmp_path: Path) -> None:
    (error,) = told(tmp_path, many(301, lambda index: f"customer: 'c{index:03}*'"))
    assert error.startswith("8:3, overrides: More than 300 overrides have wildcards.")
    document = a_rule(tmp_path, many(1, lambda index: "customer: 'c*'")).canonical()
    overrides = [{"when": {"customer": f"c{index:03}*"}, "target": {"max": 0.03}} for index in range(301)]
    stored = {**document, "spec": {**document["spec"], "overrides": overrides}}
    assert len(rule_from_document(stored).overrides) == 301


def test_a_name_is_held_against_the_hardest_pattern_at_once(tmp_path: Path) -> None:
    (override,) = a_rule(tmp_path, many(1, lambda index: f"customer: '{HARD}b'")).overrides
    begun = process_time()
    assert not override.matches(Scope.of({"customer": "a" * 200}))
    assert override.matches(Scope.of({"customer": "a" * 200 + "b"}))
    assert process_time() - begun < 1
