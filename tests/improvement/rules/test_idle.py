"""What never decides anything, and rules that count the same, are warned of."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from improvement.rules import check_paths
from tests.improvement.rules.build import a_file

TODAY = date(2026, 11, 27)
PACK = Path(__file__).parents[3] / "config" / "rules"
SPEC = {
    "mode": "mode: propose",
    "metric": "metric: sla_breach_rate",
    "where": "where: {kind: incident}",
    "by": "by: [customer, country, service]",
    "window": "window: 4w",
    "target": "target: {max: 15%}",
}


def a_document(rule_id: str, **lines: str) -> str:
    spec = "".join(f"  {line}\n" for line in {**SPEC, **lines}.values())
    return f"apiVersion: regelkreis/v1\nkind: Rule\nmetadata: {{id: {rule_id}, title: Too many}}\nspec:\n{spec}"


def warned(folder: Path, *documents: str) -> list[str]:
    """The warnings, but those of rules without test or goal; without the file's name."""
    path = a_file(folder, "---\n".join(documents))
    report = check_paths([path], today=TODAY)
    assert report.errors == ()
    texts = [str(warning).replace(f"{path}:", "") for warning in report.warnings]
    return [text for text in texts if "has no test" not in text and "without a goal" not in text]


def overridden(folder: Path, *overrides: str, **lines: str) -> list[str]:
    listed = "overrides:" + "".join(f"\n    - {{{override}}}" for override in overrides)
    return warned(folder, a_document("sla", overrides=listed, **lines))


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        (
            ["when: {customer: A}, target: {max: 9%}", "when: {customer: A, country: 'C*'}, target: {max: 3%}"],
            "13:7, overrides[1]: This override never wins: the one at line 12 is more exact, and holds for all",
        ),
        (
            ["when: {country: CH}, target: {max: 15%}"],
            "12:7, overrides[0]: This override changes nothing: without it the target is max 15%, too. Remove it",
        ),
        (
            ["when: {country: CH}, target: {max: 3%}", "when: {country: CH, customer: A}, target: {max: 3%}"],
            "13:7, overrides[1]: This override changes nothing: without it the target is max 3%, too.",
        ),
        (
            ["when: {country: CH}, target: {max: 3%}, to: 2001-01-01"],
            "12:7, overrides[0]: This override ended more than five years ago. Remove it",
        ),
    ],
)
def test_an_override_that_decides_nothing_is_told(tmp_path: Path, overrides: list[str], what: str) -> None:
    (warning,) = overridden(tmp_path, *overrides)
    assert warning.startswith(what)


@pytest.mark.parametrize(
    "overrides",
    [
        ["when: {customer: A}, target: {max: 9%}", "when: {customer: 'A?'}, target: {max: 3%}"],
        [
            "when: {customer: A}, target: {max: 9%}, from: 2026-01-01",
            "when: {customer: A, country: 'C*'}, target: {max: 3%}",
        ],
        # back to the rule's own where a wider one says otherwise
        ["when: {country: CH}, target: {max: 3%}", "when: {customer: A}, target: {max: 15%}"],
        ["when: {country: 'C*'}, target: {max: 3%}", "when: {country: CH}, target: {max: 15%}"],
        [
            "when: {country: CH}, target: {max: 3%}",
            "when: {customer: 'A*'}, target: {max: 4%}",
            "when: {country: CH, customer: AB}, target: {max: 3%}",
        ],
        ["when: {country: CH}, target: {max: 3%}, to: 2024-12-31"],
    ],
)
def test_an_override_that_decides_something_is_not(tmp_path: Path, overrides: list[str]) -> None:
    assert overridden(tmp_path, *overrides) == []


@pytest.mark.parametrize(
    ("other", "counted"),
    [
        ({}, "the same as"),
        ({"window": "window: 5w"}, "over another window the same as"),
        ({"by": "by: [country, service, customer]"}, "the same as"),
        ({"where": "where: {kind: incident, priority: [1]}"}, "part of what is counted by"),
        ({"where": "where: {kind: [incident, request]}"}, "more, but also all of"),
        ({"target": "target: {max: 5%}", "mode": "mode: open"}, "the same as"),
    ],
)
def test_rules_that_count_the_same_are_told_once(tmp_path: Path, other: dict[str, str], counted: str) -> None:
    (warning,) = warned(tmp_path, a_document("sla"), a_document("other", **other))
    assert f"other counts {counted} sla (3:16, metadata.id): one bad scope opens two actions." in warning


def test_of_rules_that_count_the_same_their_supplier_rules_are_not_told_again(tmp_path: Path) -> None:
    flow_down = "flow_down: {by: supplier}"
    (warning,) = warned(tmp_path, a_document("sla", flow_down=flow_down), a_document("other", flow_down=flow_down))
    assert "other counts" in warning


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "mode: observe"},
        {"where": "where: {kind: request}"},
        {"by": "by: [customer, country]"},
        {"target": "target: {worse_than_own: {by: 30%}}"},
        {"while": "while: [{metric: reopen_rate, max: 5%}]"},
    ],
)
def test_rules_that_do_not_are_not(tmp_path: Path, other: dict[str, str]) -> None:
    assert warned(tmp_path, a_document("sla"), a_document("other", **other)) == []


def test_a_share_that_is_resolved_by_all_alone_is_told(tmp_path: Path) -> None:
    lines = {"metric": "metric: availability", "where": "where: {}", "by": "by: [customer]"}
    document = a_document("up", **lines | {"target": "target: {min: 99.5%}"}, clear="clear: {ratio: 0.8}")
    (warning,) = warned(tmp_path, document)
    assert "A finding of up is resolved by 100% alone: 99.5% divided by 0.8 is more." in warning
    assert "clear: {min: 99.6%}" in warning
    assert warned(tmp_path, document.replace("ratio: 0.8", "min: 99.6%")) == []
    assert warned(tmp_path, document.replace("99.5%", "70%")) == []


def test_the_starter_pack_gives_no_warning() -> None:
    report = check_paths([PACK], today=TODAY)
    assert (report.errors, report.warnings) == ((), ())
