"""Traces on platforms name the installation. What may have been written before it did is looked for as it was then."""

from django.db import migrations, models

from workflows.models.installation import new_identity


def name_it(apps, schema_editor):
    apps.get_model("workflows", "Installation").objects.get_or_create(pk=1)


def remember_what_may_stand(apps, schema_editor):
    """Attempts whose outcome is unknown, or was when a person let them be sent again; and what has a receipt."""
    unsent = apps.get_model("workflows", "Delivery").objects.exclude(state="sent").exclude(verb="update")
    was_begun = models.Q(begun_at__isnull=False) | models.Q(receipt__isnull=False)
    was_replayed = models.Q(state="waiting", attempts=0) & ~models.Q(last_error="")
    unsent.filter(was_begun | was_replayed).update(may_stand_unnamed=True)


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
