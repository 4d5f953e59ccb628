from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0011_applied_limits"),
    ]

    operations = [
        migrations.AlterField(
            model_name="action",
            name="origin",
            field=models.CharField(
                choices=[("rule", "rule"), ("person", "person"), ("adopted", "adopted")], max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="action",
            name="metric",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.UniqueConstraint(
                condition=models.Q(("platform_id", ""), _negated=True),
                fields=("connection", "platform_id"),
                name="record_of_one_action",
            ),
        ),
    ]
