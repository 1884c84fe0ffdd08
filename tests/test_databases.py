import pytest
from django.db import connection

from tests.databases import in_thread, no_postgres


def test_a_run_without_postgresql_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        no_postgres()


def test_a_run_without_postgresql_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        no_postgres()


async def test_the_orm_uses_the_database_that_was_asked_for(database: str) -> None:
    kind = "postgresql" if database.startswith("postgres:") else "sqlite"
    assert await in_thread(lambda: connection.vendor) == kind
