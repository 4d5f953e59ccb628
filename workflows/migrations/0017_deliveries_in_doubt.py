from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0016_deliveries_are_discarded"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="begun_at",
            field=models.DateTimeField(null=True),
        ),
    ]
