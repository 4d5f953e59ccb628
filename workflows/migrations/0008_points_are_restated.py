from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0007_what_was_read_there_last"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="points_restated_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="point",
            name="later_at",
            field=models.DateTimeField(null=True),
        ),
    ]
