"""`rules docs`: the rules that are live, in plain words, with what an installation knows about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from improvement.plurals import how_many
from improvement.rules.describing import RuleFacts, markdown, names_of_tests, sentences, where_of
from improvement.rules.explaining import target_text
from improvement.rules.loading import load
from improvement.rules.testing import RuleTest
from workflows.evidence import ledger
from workflows.models import Finding, Person, RuleVersion
from workflows.rules.lines import HEAD, QUIET, Line, columns
from workflows.rules.live import is_applied, open_actions
from workflows.rules.sources import Source

BY_FILE = "Every valid file of the rules folder is live at the next cycle."
BY_APPLYING = "Live is what was applied with `regelkreis rules apply`."


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rules of a source, and how they became live."""

    facts: tuple[RuleFacts, ...]
    note: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"note": self.note, "rules": [one.as_dict() for one in self.facts]}

    def markdown(self) -> str:
        """As a Markdown page."""
        return markdown(self.facts, title="Rules", note=self.note)

    def lines(self) -> Iterator[Line]:
        """For a terminal."""
        yield Line(f"{how_many(len(self.facts), 'rule')}. {self.note}", QUIET)
        for one in self.facts:
            rule = one.rule
            yield Line()
            yield Line(f"{rule.id}: {rule.title}", HEAD)
            yield from (Line(f"  {sentence.replace('`', '')}") for sentence in sentences(rule))
            rows = [
                (
                    where_of(override),
                    target_text(rule, override.target),
                    _period(override.valid_from, override.valid_to),
                )
                for override in rule.overrides
            ]
            yield from (Line(text) for text in columns(rows, indent=4))
            since = f", live since {one.applied_at} by {one.applied_by}" if one.applied_at else ""
            yield Line(
                f"  {rule.mode.value}, owner {rule.owner}, version {rule.sha256[:12]}{since}; "
                f"{how_many(one.firing or 0, 'scope')} firing, {how_many(one.open_actions or 0, 'action')} open, "
                f"{how_many(len(one.tests), 'test')}",
                QUIET,
            )


def catalogue(source: Source) -> Catalogue:
    """The rules of a source with their tests from the rules folder."""
    tests = load([settings.REGELKREIS.rules]).tests if settings.REGELKREIS.rules.is_dir() else []
    facts = tuple(_facts(rule, tests) for rule in source.rules)
    return Catalogue(facts, BY_APPLYING if is_applied() else BY_FILE)


def _facts(rule: Any, tests: list[RuleTest]) -> RuleFacts:
    row = RuleVersion.objects.filter(rule_id=rule.id, sha256=rule.sha256, is_live=True).first()
    return RuleFacts(
        rule,
        applied_at=row.applied_at.strftime("%Y-%m-%d") if row is not None else "",
        applied_by=who(row.applied_by) if row is not None else "",
        firing=Finding.objects.filter(rule_id=rule.id, state="firing").count(),
        open_actions=open_actions(rule.id),
        tests=names_of_tests(tests, rule.id),
    )


def who(actor: str) -> str:
    """Who applied a version, by name where we know it."""
    if actor == ledger.ENGINE:
        return "the engine"
    person = Person.objects.filter(uid=actor).first()
    return str(person) if person is not None else actor


def _period(first: object, last: object) -> str:
    return " ".join(f"{word} {day}" for word, day in (("from", first), ("to", last)) if day is not None)
