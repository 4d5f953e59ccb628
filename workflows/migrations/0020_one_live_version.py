"""Of each rule at most one version is live, whoever applies at the same moment."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0019_kept_figures")]

    operations = [
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(
                fields=("rule_id",), condition=models.Q(("is_live", True)), name="rule_live_once"
            ),
        ),
    ]
