from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0006_pull_reports_tell_deletions"),
    ]

    operations = [
        migrations.AddField(
            model_name="action",
            name="platform_seen",
            field=models.JSONField(default=dict),
        ),
        migrations.RemoveField(
            model_name="transition",
            name="is_refused",
        ),
    ]
