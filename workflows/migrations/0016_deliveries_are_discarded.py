from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0015_counted_by"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "waiting"),
                    ("sent", "sent"),
                    ("dead", "dead letter"),
                    ("discarded", "discarded"),
                ],
                db_index=True,
                default="waiting",
                max_length=10,
            ),
        ),
    ]
