"""A connection remembers the last write into the warehouse, so that an older file is noticed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0020_one_live_version")]

    operations = [
        migrations.AddField(model_name="connection", name="last_write", field=models.BigIntegerField(default=0)),
    ]
