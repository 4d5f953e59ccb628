"""Figures counted for pages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0018_untreated_bands_and_funnels")]

    operations = [
        migrations.CreateModel(
            name="KeptFigures",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("as_of", models.DateTimeField()),
                ("document", models.JSONField()),
            ],
        ),
    ]
