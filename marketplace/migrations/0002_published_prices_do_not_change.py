"""The database refuses to change or delete a published price, and to change a signed quote.

A trigger, not a rule of the application: raw SQL and `QuerySet.update` meet it as well. The only
step that remains is published → retired. On SQLite a later migration that alters one of these
tables rebuilds it and drops its triggers: such a migration must run `create` again.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TABLE, SIGNED = "marketplace_routequote", "marketplace_quote"
FROZEN = [
    "id",
    "route_id",
    "name",
    "version",
    "amount",
    "asset",
    "access_seconds",
    "starts",
    "charge",
]
FROZEN += ["adjustable", "meter", "limits", "created_at", "published_at"]
CHANGED_MESSAGE = "a published price does not change: make a new version"
DELETED_MESSAGE = "a published price is not deleted: retire it"
SIGNED_MESSAGE = "a signed quote does not change"

SQLITE = [
    f"""CREATE TRIGGER routequote_update BEFORE UPDATE ON {TABLE} WHEN OLD.state <> 'draft' AND NOT (
        OLD.state = 'published' AND NEW.state = 'retired'
        AND {" AND ".join(f"NEW.{column} IS OLD.{column}" for column in FROZEN)})
        BEGIN SELECT RAISE(ABORT, '{CHANGED_MESSAGE}'); END""",
    f"""CREATE TRIGGER routequote_delete BEFORE DELETE ON {TABLE} WHEN OLD.state <> 'draft'
        BEGIN SELECT RAISE(ABORT, '{DELETED_MESSAGE}'); END""",
    # INSERT OR REPLACE deletes without asking the delete trigger.
    """CREATE TRIGGER routequote_replace BEFORE INSERT ON marketplace_routequote WHEN EXISTS (
        SELECT 1 FROM marketplace_routequote WHERE state <> 'draft' AND (id = NEW.id
        OR (route_id = NEW.route_id AND name = NEW.name AND version = NEW.version)))
        BEGIN SELECT RAISE(ABORT, 'a published price does not change: make a new version'); END""",
    f"""CREATE TRIGGER quote_update BEFORE UPDATE ON {SIGNED}
        BEGIN SELECT RAISE(ABORT, '{SIGNED_MESSAGE}'); END""",
]
SQLITE_DROP = [
    "DROP TRIGGER routequote_update",
    "DROP TRIGGER routequote_delete",
    "DROP TRIGGER routequote_replace",
    "DROP TRIGGER quote_update",
]

SAME = " AND ".join(
    f"NEW.{column}::text IS NOT DISTINCT FROM OLD.{column}::text" for column in FROZEN
)
POSTGRESQL = [
    f"""CREATE FUNCTION marketplace_routequote_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF OLD.state = 'draft' THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
          END IF;
          IF TG_OP = 'DELETE' THEN
            RAISE EXCEPTION '{DELETED_MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
          END IF;
          IF OLD.state = 'published' AND NEW.state = 'retired' AND {SAME} THEN RETURN NEW; END IF;
          RAISE EXCEPTION '{CHANGED_MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    f"""CREATE TRIGGER routequote_guard BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION marketplace_routequote_guard()""",
    f"""CREATE FUNCTION marketplace_quote_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION '{SIGNED_MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    f"""CREATE TRIGGER quote_guard BEFORE UPDATE ON {SIGNED}
        FOR EACH ROW EXECUTE FUNCTION marketplace_quote_guard()""",
]
POSTGRESQL_DROP = [
    f"DROP TRIGGER routequote_guard ON {TABLE}",
    "DROP FUNCTION marketplace_routequote_guard()",
    f"DROP TRIGGER quote_guard ON {SIGNED}",
    "DROP FUNCTION marketplace_quote_guard()",
]


def create(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[editor.connection.vendor]:
        editor.execute(statement)


def drop(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    vendor = editor.connection.vendor
    for statement in {"sqlite": SQLITE_DROP, "postgresql": POSTGRESQL_DROP}[vendor]:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_catalogue")]

    operations = [migrations.RunPython(create, drop)]
