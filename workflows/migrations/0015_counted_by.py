from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """How published values and reviews were counted: zones, calendars, choices about metrics."""

    dependencies = [
        ("workflows", "0014_untreated_lines"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="counted_by",
            field=models.JSONField(default=dict),
        ),
    ]
