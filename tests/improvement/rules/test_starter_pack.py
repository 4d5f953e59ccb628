"""The starter pack: valid, tested, documented, and covering every metric."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from config import starter_reference
from improvement.metrics import CATALOGUE
from improvement.rules import RulePack, check_paths, json_schema, load_pack, rule_from_document, run_tests
from improvement.rules.given import WORDS

ROOT = Path(__file__).parents[3]
PACK = ROOT / "config" / "rules"


@pytest.fixture(scope="module")
def pack() -> RulePack:
    return load_pack([PACK])


def test_every_test_of_the_pack_passes(pack: RulePack) -> None:
    outcomes = run_tests(pack.tests)
    assert len(outcomes) >= 75
    assert [outcome.sentence for outcome in outcomes if not outcome.is_met] == []


def test_the_pack_is_without_warnings() -> None:
    report = check_paths([PACK])
    assert (report.errors, report.warnings) == ((), ())


def test_the_rules_of_the_manual_are_valid_and_their_tests_pass(tmp_path: Path) -> None:
    seen = 0
    for page in sorted((ROOT / "docs").rglob("*.md")):
        blocks = re.findall(
            r"```yaml\n(apiVersion: regelkreis/v1\n.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        )
        if not blocks:
            continue
        path = tmp_path / f"{page.stem}.yaml"
        path.write_text("---\n".join(blocks), encoding="utf-8")
        report = check_paths([path])
        assert [str(told) for told in (*report.errors, *report.warnings)] == []
        assert [outcome.sentence for outcome in run_tests(report.tests) if not outcome.is_met] == []
        seen += len(report.rules)
    assert seen >= 2


def test_the_pack_covers_hard_and_soft_factors(pack: RulePack) -> None:
    assert {rule.metric for rule in pack.rules} == set(CATALOGUE)
    assert len([rule for rule in pack.rules if rule.derived_from is None]) >= 14
    assert {rule.tags["factor"] for rule in pack.rules} == {"hard", "soft"}
    assert {test.rule.id for test in pack.tests} == {rule.id for rule in pack.rules}
    sla = pack.rule("incident-resolution-sla")
    assert (sla.target.value, sla.by, sla.mode.value) == (0.15, ("customer", "country", "service"), "propose")
    assert pack.rule("incident-resolution-sla@supplier").target.value == 0.12
    assert pack.rule("watermelon").conditions


def test_every_rule_is_described(pack: RulePack) -> None:
    assert all(rule.title and rule.description and rule.objective for rule in pack.rules)


def test_the_page_of_the_starter_rules_is_that_of_the_pack() -> None:
    there = (ROOT / "docs" / "reference" / "starter-rules.md").read_text(encoding="utf-8")
    assert there == starter_reference.page(), "run `make reference`"


def test_every_stored_version_can_be_read_again(pack: RulePack) -> None:
    for rule in pack.rules:
        assert rule_from_document(rule.canonical()).sha256 == rule.sha256


def test_the_pack_fits_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(CATALOGUE))
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    for path in sorted(PACK.glob("*.yaml")):
        for document in YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")):
            plain = _as_json(document)
            assert [error.message for error in validator.iter_errors(plain)] == [], path


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    validator = jsonschema.Draft202012Validator(json_schema(CATALOGUE))
    document = {
        "apiVersion": "regelkreis/v1",
        "kind": "Rule",
        "metadata": {"id": "x", "title": "x"},
        "spec": {"metric": "unknown", "target": {"max": 1}, "wher": {}},
    }
    messages = " ".join(error.message for error in validator.iter_errors(document))
    assert "unknown" in messages
    assert "wher" in messages


@pytest.mark.parametrize("page", ["reference/rule-language.md", "how-to/write-a-rule.md"])
def test_the_examples_of_the_manual_are_valid_and_pass(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    (tmp_path / "manual.yaml").write_text("---\n".join(blocks), encoding="utf-8")
    outcomes = run_tests(load_pack([tmp_path]).tests)
    assert outcomes
    assert all(outcome.is_met for outcome in outcomes)


def test_the_manual_names_the_words_of_every_metric() -> None:
    text = (ROOT / "docs" / "reference" / "rule-language.md").read_text(encoding="utf-8")
    for metric, words in WORDS.items():
        (line,) = [line for line in text.splitlines() if line.startswith("| `") and f"`{metric}`" in line]
        assert all(f"`{word}`" in line for word in words if word), metric


def _as_json(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
