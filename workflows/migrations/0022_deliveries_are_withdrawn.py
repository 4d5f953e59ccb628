from django.db import migrations, models


def withdraw(apps, schema_editor):
    """What proposals that were cancelled unaccepted had to write waited for nobody; their cancelling is logged."""
    waiting = apps.get_model("workflows", "Delivery").objects.filter(state="waiting")
    waiting.filter(action__state="cancelled", action__is_accepted=False).update(state="withdrawn")


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0021_last_write"),
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
                    ("withdrawn", "withdrawn"),
                ],
                db_index=True,
                default="waiting",
                max_length=10,
            ),
        ),
        migrations.RunPython(withdraw, migrations.RunPython.noop),
    ]
