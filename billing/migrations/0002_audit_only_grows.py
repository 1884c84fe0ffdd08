"""The database refuses to change or remove what was written down for good: audit entries and tokens.

A trigger, not a rule of the application: raw SQL and `QuerySet.update` meet it as well. On SQLite a
later migration that alters one of these tables rebuilds it and drops its triggers: such a migration
must run `create` again.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

KEPT = {
    "billing_auditentry": ("number", "an audit entry is neither changed nor removed"),
    "billing_grantedtoken": ("purchase_id", "a granted token is neither changed nor removed"),
}


def sqlite() -> list[str]:
    statements = []
    for table, (key, message) in KEPT.items():
        statements += [
            f"CREATE TRIGGER {table}_{when.lower()} BEFORE {when} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for when in ("UPDATE", "DELETE")
        ]
        # INSERT OR REPLACE deletes without asking the delete trigger.
        statements.append(
            f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} WHEN EXISTS "
            f"(SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
    statements.append(
        "CREATE TRIGGER billing_audithead_update BEFORE UPDATE ON billing_audithead "
        "WHEN NEW.number < OLD.number "
        "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
    )
    return statements


def postgresql() -> list[str]:
    statements = []
    for table, (_, message) in KEPT.items():
        statements += [
            f"CREATE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$",
            f"CREATE TRIGGER {table}_guard BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_guard()",
        ]
    statements += [
        "CREATE FUNCTION billing_audithead_guard() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN IF NEW.number < OLD.number THEN "
        "RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NEW; END $$",
        "CREATE TRIGGER billing_audithead_guard BEFORE UPDATE ON billing_audithead "
        "FOR EACH ROW EXECUTE FUNCTION billing_audithead_guard()",
    ]
    return statements


def create(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    statements = {"sqlite": sqlite, "postgresql": postgresql}[editor.connection.vendor]
    for statement in statements():
        editor.execute(statement)


def drop(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "sqlite":
        for table in KEPT:
            for when in ("update", "delete", "replace"):
                editor.execute(f"DROP TRIGGER {table}_{when}")
        editor.execute("DROP TRIGGER billing_audithead_update")
        return
    for table in [*KEPT, "billing_audithead"]:
        editor.execute(f"DROP TRIGGER {table}_guard ON {table}")
        editor.execute(f"DROP FUNCTION {table}_guard()")


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_purchases")]
    operations = [migrations.RunPython(create, drop)]
