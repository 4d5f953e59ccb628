"""Rules in plain words: what the document says, nothing else."""

from __future__ import annotations

from pathlib import Path

from improvement.rules import load_pack
from improvement.rules.describing import RuleFacts, markdown, names_of_tests, sentences
from tests.improvement.rules.build import a_rule

PACK = Path(__file__).parents[3] / "config" / "rules"


def test_a_rule_is_told_in_sentences(tmp_path: Path) -> None:
    spec = """
    where: {kind: incident, country: [CH, DE]}
    mode: observe
    every: 2w
    trigger: {for: 4w, min_samples: 10}
    while:
      - {metric: csat_mean, where: {}, min: 4}
    """
    assert list(sentences(a_rule(tmp_path, spec))) == [
        "Counts SLA breach rate (`sla_breach_rate`): breached clocks, of decided clocks.",
        "Of country CH or DE, kind incident, for each customer × country × service, over 4 weeks, every 2 weeks.",
        "Bad is above 10%.",
        "Only while `csat_mean` of the same scope is at least 4 points, on at least 5 samples.",
        "It fires after 2 bad values in a row, each on at least 10 samples; "
        "one clear value (0.8 of the target or less) resolves it.",
        "It opens no actions.",
    ]


def test_the_catalogue_names_every_rule_its_targets_and_its_tests() -> None:
    pack = load_pack([PACK])
    page = markdown(
        (RuleFacts(rule, tests=names_of_tests(pack.tests, rule.id)) for rule in pack.rules), title="Our rules"
    )
    for rule in pack.rules:
        assert f"\n## {rule.id}\n" in page
        assert f"`{rule.sha256[:12]}`" in page
    assert "| country CH | max 13% | 2027-01-01 |  |" in page
    assert "tests: two values below 3.8 fire; silence is no satisfaction" in page


def test_texts_of_people_cannot_break_the_page(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, more="")
    path = tmp_path / "sla.yaml"
    path.write_text(path.read_text().replace("title: Too many", 'title: "a | b <script>"'), encoding="utf-8")
    (rule,) = load_pack([path]).rules
    page = markdown([RuleFacts(rule)], title="T")
    assert "| a \\| b &lt;script> |" in page


def test_one_week_is_told_as_one(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, more="check: {looks: [1w]}")
    assert "Their goal is set by the owner; they are looked at 1 week after go-live." in list(sentences(rule))
