"""A published value names the version that judged it; of rules that had one version it is known which."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_the_only_version(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    versions = apps.get_model("workflows", "RuleVersion").objects
    points = apps.get_model("workflows", "Point").objects
    only = versions.values("rule_id").annotate(number=models.Count("id"), key=models.Max("id")).filter(number=1)
    for row in only:
        points.filter(finding__rule_id=row["rule_id"]).update(version_id=row["key"])


class Migration(migrations.Migration):
    dependencies = [("workflows", "0023_installation")]

    operations = [
        migrations.AddField(
            model_name="point",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workflows.ruleversion",
            ),
        ),
        migrations.RunPython(name_the_only_version, migrations.RunPython.noop),
    ]
