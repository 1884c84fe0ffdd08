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
        refuse = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608 - our names
        statements += [
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
            # INSERT OR REPLACE deletes without asking the delete trigger.
            f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}",
        ]
    head = """CREATE TRIGGER billing_audithead_update BEFORE UPDATE ON billing_audithead
        WHEN NEW.number < OLD.number
        BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"""
    return [*statements, head]


def postgresql() -> list[str]:
    statements = []
    for table, (_, message) in KEPT.items():
        statements += [
            f"""CREATE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$""",
            f"""CREATE TRIGGER {table}_guard BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_guard()""",
        ]
    function = """CREATE FUNCTION billing_audithead_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.number < OLD.number THEN
            RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$"""
    trigger = """CREATE TRIGGER billing_audithead_guard BEFORE UPDATE ON billing_audithead
        FOR EACH ROW EXECUTE FUNCTION billing_audithead_guard()"""
    return [*statements, function, trigger]


def create(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    statements = {"sqlite": sqlite, "postgresql": postgresql}[editor.connection.vendor]
    for statement in statements():
        editor.execute(statement)


def drop(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
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
