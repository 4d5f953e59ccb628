from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0013_hints"),
    ]

    operations = [
        migrations.CreateModel(
            name="UntreatedLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule_id", models.CharField(max_length=200)),
                ("rule_sha256", models.CharField(max_length=64)),
                ("connection", models.CharField(max_length=64)),
                ("counted_at", models.DateTimeField()),
                ("first_week", models.IntegerField()),
                ("last_week", models.IntegerField()),
                ("firings", models.IntegerField()),
                ("effect", models.FloatField(null=True)),
                ("unit", models.CharField(blank=True, max_length=20)),
                ("delay_weeks", models.IntegerField()),
                ("weeks", models.IntegerField()),
            ],
            options={
                "ordering": ["counted_at", "id"],
                "indexes": [models.Index(fields=["rule_id", "connection", "counted_at"], name="untreated_line_newest")],
            },
        ),
    ]
