"""What a finding remembers of its series no longer depends on the order of lists: else all would begin anew."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from improvement.evidence.canonical import digest

SERIES = ("metric", "where", "by", "window", "every")


def rename(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    documents = apps.get_model("workflows", "RuleVersion").objects.values_list("document", flat=True)
    renamed = dict(filter(None, (_names(document.get("spec", {})) for document in documents)))
    findings = apps.get_model("workflows", "Finding").objects
    for finding in findings.exclude(memory={}).only("memory").iterator(chunk_size=2000):
        series = renamed.get(finding.memory["series"])
        if series is not None:
            finding.memory["series"] = series
            finding.save(update_fields=["memory"])


def _names(spec: dict[str, Any]) -> tuple[str, str] | None:
    """The digest of a series before and now; None where both are alike, or its document has another shape."""
    if not spec.keys() >= set(SERIES):
        return None
    before = {name: spec[name] for name in SERIES}
    where = {name: sorted(values) for name, values in before["where"].items()}
    now = {**before, "where": where, "by": sorted(before["by"])}
    return (digest(before), digest(now)) if now != before else None


class Migration(migrations.Migration):
    dependencies = [("workflows", "0024_points_name_their_version")]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop)]
