"""A database trigger that refuses to change or delete a measurement plan once it is frozen."""

from __future__ import annotations

from django.db import migrations

MESSAGE = "a frozen plan is never changed"
NAMES = {action: f"workflows_plan_frozen_no_{action.lower()}" for action in ("UPDATE", "DELETE")}


def refuse_changes(apps, schema_editor):  # type: ignore[no-untyped-def]
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE FUNCTION regelkreis_refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
        )
    for action, name in NAMES.items():
        does = (
            "FOR EACH ROW WHEN (OLD.sha256 <> '') EXECUTE FUNCTION regelkreis_refuse_frozen()"
            if schema_editor.connection.vendor == "postgresql"
            else f"FOR EACH ROW WHEN OLD.sha256 <> '' BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
        schema_editor.execute(f"CREATE TRIGGER {name} BEFORE {action} ON workflows_plan {does}")


def allow_changes(apps, schema_editor):  # type: ignore[no-untyped-def]
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for name in NAMES.values():
        schema_editor.execute(f"DROP TRIGGER {name}" + (" ON workflows_plan" if is_postgresql else ""))
    if is_postgresql:
        schema_editor.execute("DROP FUNCTION regelkreis_refuse_frozen()")


class Migration(migrations.Migration):
    dependencies = [("workflows", "0003_rounds_and_divergence")]
    operations = [migrations.RunPython(refuse_changes, allow_changes)]
