"""Database triggers that refuse UPDATE, DELETE and TRUNCATE on ledger entries and frozen review records' engine part."""

from __future__ import annotations

from django.db import migrations

TABLES = ("workflows_ledgerentry", "workflows_checkpoint", "workflows_reviewrecord", "workflows_reviewentry")
MESSAGE = "this table is append-only"


def refuse_changes(apps, schema_editor):  # type: ignore[no-untyped-def]
    vendor = schema_editor.connection.vendor
    if vendor == "postgresql":
        schema_editor.execute(
            "CREATE FUNCTION regelkreis_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
        )
    for table in TABLES:
        for action in ("UPDATE", "DELETE"):
            name = f"{table}_no_{action.lower()}"
            if vendor == "postgresql":
                schema_editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW EXECUTE FUNCTION regelkreis_refuse()"
                )
            else:
                schema_editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {action} ON {table} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
                )


        if vendor == "postgresql":  # SQLite has no TRUNCATE
            schema_editor.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION regelkreis_refuse()"
            )


def allow_changes(apps, schema_editor):  # type: ignore[no-untyped-def]
    vendor = schema_editor.connection.vendor
    actions = ("update", "delete", "truncate") if vendor == "postgresql" else ("update", "delete")
    for table in TABLES:
        for action in actions:
            on = f" ON {table}" if vendor == "postgresql" else ""
            schema_editor.execute(f"DROP TRIGGER {table}_no_{action}{on}")
    if vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION regelkreis_refuse()")


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunPython(refuse_changes, allow_changes)]
