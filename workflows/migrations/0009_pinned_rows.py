from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0008_points_are_restated"),
    ]

    operations = [
        migrations.CreateModel(
            name="PinnedRows",
            fields=[
                ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("count", models.BigIntegerField()),
                ("parquet", models.BinaryField()),
            ],
        ),
    ]
