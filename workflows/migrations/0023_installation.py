"""Traces on platforms name the installation. What is not known to be sent is looked for under its old trace too."""

from django.db import migrations, models

from workflows.models.installation import new_identity


def name_it(apps, schema_editor):
    apps.get_model("workflows", "Installation").objects.get_or_create(pk=1)


def remember_what_may_stand(apps, schema_editor):
    """Everything unsent: a row does not tell whether an attempt was ever made.

    A person may have let it be sent again, which takes the doubt off it; and a state restored from a backup knows
    nothing of what was sent since. Updates leave no trace: of these only what differs is sent.
    """
    unsent = apps.get_model("workflows", "Delivery").objects.exclude(state="sent").exclude(verb="update")
    unsent.update(may_stand_unnamed=True)


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0022_deliveries_are_withdrawn"),
    ]

    operations = [
        migrations.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                ("identity", models.CharField(default=new_identity, editable=False, max_length=8)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="installation_once"),
                ],
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="may_stand_unnamed",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(name_it, migrations.RunPython.noop),
        migrations.RunPython(remember_what_may_stand, migrations.RunPython.noop),
    ]
