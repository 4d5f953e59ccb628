from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0010_action_rolls_up_to"),
    ]

    operations = [
        migrations.AddField(
            model_name="ruleversion",
            name="limits",
            field=models.JSONField(default=dict),
        ),
    ]
