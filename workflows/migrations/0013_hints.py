import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0012_adopted_records"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="hinted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="Hint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("body_sha256", models.CharField(max_length=64)),
                ("identifier_sha256", models.CharField(blank=True, max_length=64)),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="hints", to="workflows.connection"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "body_sha256"), name="hint_once"),
                ],
            },
        ),
    ]
