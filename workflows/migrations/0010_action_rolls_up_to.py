import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0009_pinned_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="action",
            name="rolls_up_to",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="served_by",
                to="workflows.action",
            ),
        ),
    ]
