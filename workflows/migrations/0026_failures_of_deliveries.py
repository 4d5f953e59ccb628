"""Outages no longer count among the failures that make a dead letter."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0025_series_whatever_the_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="failures",
            field=models.IntegerField(default=0),
        ),
    ]
