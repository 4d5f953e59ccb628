"""A state of the version before is brought up to this one: findings go on, values name the version that judged them."""

from __future__ import annotations

from pathlib import Path

from tests.workflows.deliveries.test_updating import updated

RULES = """
import json
import django
django.setup()
from datetime import UTC, datetime
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from improvement.evidence.canonical import digest
from improvement.rules import rule_from_document

now = datetime(2026, 11, 2, tzinfo=UTC)
call_command("migrate", "workflows", "0023", verbosity=0)
before = MigrationExecutor(connection).loader.project_state([("workflows", "0023_installation")]).apps
written = {"apiVersion": "regelkreis/v1", "kind": "Rule", "metadata": {"id": "one", "title": "One"}, "spec": {
    "mode": "observe", "metric": "sla_breach_rate", "by": ["service", "customer"], "window": "4w", "every": "1w",
    "where": {"kind": ["request", "incident"]}, "target": {"max": "15%"}, "trigger": {"for": "2w", "min_samples": 30}}}

def series_then(document):
    return digest({name: document["spec"][name] for name in ("metric", "where", "by", "window", "every")})

def version(rule_id, target, is_live):
    document = {**written, "metadata": {"id": rule_id, "title": rule_id}}
    rule = rule_from_document({**document, "spec": {**document["spec"], "target": {"max": target}}})
    return rule, before.get_model("workflows", "RuleVersion").objects.create(
        rule_id=rule_id, sha256=rule.sha256, document=rule.canonical(), mode="observe", is_live=is_live,
        applied_at=now, applied_by="engine")

one, of_one = version("one", "15%", True)
version("two", "15%", False)
two, of_two = version("two", "10%", True)
for rule, row in ((one, of_one), (two, of_two)):
    memory = {"state": "firing", "series": series_then(row.document), "last_week": 2900}
    finding = before.get_model("workflows", "Finding").objects.create(
        rule_id=rule.id, rule_sha256=rule.sha256, connection="there", scope_key="customer=Acme,service=Mail",
        scope={"customer": "Acme", "service": "Mail"}, state="firing", memory=memory)
    for week in range(2890, 2900):
        before.get_model("workflows", "Point").objects.create(
            finding=finding, week=week, value=0.3, numerator=3, denominator=10, n=10, target_value=0.15)

call_command("migrate", verbosity=0)
from workflows.models import Finding, Point
from workflows.rules.published import of_series
print(json.dumps({
    "renamed": [row.memory["series"] == rule.series_sha256 for rule in (one, two)
                for row in Finding.objects.filter(rule_id=rule.id)],
    "was": [series_then(of_one.document) == one.series_sha256],
    "versions": [sorted(set(Point.objects.filter(finding__rule_id=rule.id).values_list("version_id", flat=True)),
                        key=str) for rule in (one, two)],
    "own": of_one.pk,
}))
"""


def test_findings_go_on_and_values_name_the_only_version_there_was(tmp_path: Path) -> None:
    found = updated(tmp_path, RULES)
    assert found["was"] == [False]  # the order of lists was part of it
    assert found["renamed"] == [True, True]
    assert found["versions"] == [[found["own"]], [None]]
