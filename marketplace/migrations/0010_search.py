"""The database's own full-text index of what services are found by.

Texts arrive folded: letters, digits and spaces. Words are stemmed and none is left out, so that
both databases find the same. PostgreSQL: two generated vectors with an index each, in a
configuration of ours (its English one leaves words out). SQLite: an FTS5 table that stores no text
of its own; triggers keep it.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TABLE, INDEX = "marketplace_words", "marketplace_words_index"

SQLITE = [
    """CREATE VIRTUAL TABLE marketplace_words_index USING fts5(name, rest, content='marketplace_words', content_rowid='service_id',
        tokenize='porter unicode61', detail='column', columnsize=0)""",
    """CREATE TRIGGER words_insert AFTER INSERT ON marketplace_words BEGIN
        INSERT INTO marketplace_words_index(rowid, name, rest) VALUES (NEW.service_id, NEW.name, NEW.rest); END""",
    """CREATE TRIGGER words_delete AFTER DELETE ON marketplace_words BEGIN
        INSERT INTO marketplace_words_index(marketplace_words_index, rowid, name, rest)
        VALUES ('delete', OLD.service_id, OLD.name, OLD.rest); END""",
    """CREATE TRIGGER words_update AFTER UPDATE ON marketplace_words
        WHEN OLD.name <> NEW.name OR OLD.rest <> NEW.rest OR OLD.service_id <> NEW.service_id BEGIN
        INSERT INTO marketplace_words_index(marketplace_words_index, rowid, name, rest)
        VALUES ('delete', OLD.service_id, OLD.name, OLD.rest);
        INSERT INTO marketplace_words_index(rowid, name, rest) VALUES (NEW.service_id, NEW.name, NEW.rest); END""",
]
SQLITE_DROP = [
    "DROP TRIGGER words_insert",
    "DROP TRIGGER words_delete",
    "DROP TRIGGER words_update",
    f"DROP TABLE {INDEX}",
]

POSTGRESQL = [
    "CREATE TEXT SEARCH DICTIONARY apicharge_stem (TEMPLATE = snowball, LANGUAGE = english)",
    "CREATE TEXT SEARCH CONFIGURATION apicharge (COPY = simple)",
    """ALTER TEXT SEARCH CONFIGURATION apicharge
       ALTER MAPPING FOR asciiword, word, numword WITH apicharge_stem""",
    f"""ALTER TABLE {TABLE}
        ADD COLUMN names tsvector GENERATED ALWAYS AS (to_tsvector('apicharge', name)) STORED,
        ADD COLUMN everything tsvector GENERATED ALWAYS AS
        (to_tsvector('apicharge', name) || to_tsvector('apicharge', rest)) STORED""",
    f"CREATE INDEX words_by_name ON {TABLE} USING gin (names)",
    f"CREATE INDEX words_by_everything ON {TABLE} USING gin (everything)",
]
POSTGRESQL_DROP = [
    f"ALTER TABLE {TABLE} DROP COLUMN names, DROP COLUMN everything",
    "DROP TEXT SEARCH CONFIGURATION apicharge",
    "DROP TEXT SEARCH DICTIONARY apicharge_stem",
]


def create(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[editor.connection.vendor]:
        editor.execute(statement)


def drop(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    vendor = editor.connection.vendor
    for statement in {"sqlite": SQLITE_DROP, "postgresql": POSTGRESQL_DROP}[vendor]:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0009_standing")]

    operations = [migrations.RunPython(create, drop)]
