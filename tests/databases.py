"""Databases for tests that cross processes: real files, a real PostgreSQL.

A database is a copy of one that was migrated once for the run. The PostgreSQL is started once, from
the machine's own binaries, in a fresh directory, under a user that is not root. Where the binaries
are missing the tests skip, but with CI=true they fail: a run without PostgreSQL is not a run.
"""

import asyncio
import contextlib
import glob
import json
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import psycopg
import pytest
from django.db import connections
from django.db.backends.sqlite3.creation import DatabaseCreation
from pytest_django import DjangoDbBlocker

from apicharge_site import state
from tests import shared

P = ParamSpec("P")
T = TypeVar("T")
ROOT = Path(__file__).parents[1]
TEMPLATE = "apicharge_template"
RUNNING = "postgres.json"
CONNECTIONS_MAX = 400


def _binaries() -> Path | None:
    found = shutil.which("pg_ctl")
    if found and Path(found).with_name("initdb").exists():
        return Path(found).parent
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))
    return Path(installed[-1]).parent if installed else None


@dataclass(frozen=True)
class PostgresServer:
    binaries: str
    directory: str
    port: int
    user: list[str]

    def url(self, database: str) -> str:
        return f"postgres://apicharge@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def copy(self, template: str, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # Since 15 a copy is logged if nothing else is said, which takes twice as long.
            how = "STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {how}")

    def control(self, *arguments: str) -> None:
        command = [*self.user, f"{self.binaries}/pg_ctl", "-D", self.directory, "-w"]
        subprocess.run(
            [*command, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_postgres() -> PostgresServer | None:
    binaries = _binaries()
    if binaries is None:
        return None
    base = Path(tempfile.mkdtemp(prefix="apicharge-pg-"))
    base.chmod(0o755)
    directory = base / "data"
    directory.mkdir(mode=0o700)
    user: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        user = ["runuser", "-u", "nobody", "--"]
    server = PostgresServer(str(binaries), str(directory), _free_port(), user)
    initdb = [f"{binaries}/initdb", "-D", str(directory), "-A", "trust", "-U", "apicharge"]
    subprocess.run(
        [*user, *initdb, "--no-sync", "-E", "UTF8", "--locale=C"],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    options = (
        f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={directory}"
        # Of processes that we kill, none is the machine; no database is old enough to be vacuumed.
        f" -c max_connections={CONNECTIONS_MAX} -c fsync=off -c autovacuum=off"
    )
    server.control("-l", f"{directory}/log", "-o", options, "start")
    return server


def stop_postgres(server: PostgresServer) -> None:
    server.control("-m", "immediate", "stop")
    shutil.rmtree(Path(server.directory).parent)


def no_postgres() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL's initdb and pg_ctl are not on this machine")
    pytest.skip("PostgreSQL's initdb and pg_ctl are not on this machine")


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    def start(written: Path) -> None:
        server = start_postgres() or no_postgres()
        written.write_text(json.dumps(asdict(server)))

    return PostgresServer(**json.loads(shared.made(RUNNING, start).read_text()))


def environment(url: str, home: Path) -> dict[str, str]:
    """For a process that is to use this database and state directory."""
    return {**os.environ, "DATABASE_URL": url, "APICHARGE_HOME": str(home), "PYTHONPATH": str(ROOT)}


def migrate(url: str, home: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "-v", "0"],
        check=True,
        env=environment(url, home),
        timeout=120,
    )


def sqlite_template() -> Path:
    """Migrated, and empty. SQLite's WAL is folded in when the migrating process ends."""
    return shared.made("template.sqlite3", lambda path: migrate(f"sqlite:///{path}", path.parent))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    def make(written: Path) -> None:
        postgres_server.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(postgres_server.url(TEMPLATE), written.parent)
        written.write_text(TEMPLATE)

    return shared.made("postgres-template", make).read_text()


def fresh_sqlite(directory: Path, name: str = "test.sqlite3") -> str:
    """A migrated database of its own."""
    path = directory / name
    shutil.copyfile(sqlite_template(), path)
    return f"sqlite:///{path}"


_kept: list[sqlite3.Connection] = []  # A database in memory ends with its last connection.
_create_test_db = DatabaseCreation._create_test_db


def create_migrated(creation: DatabaseCreation, *words: Any, **options: Any) -> str:
    """The database in memory of this process's own tests, which Django then finds migrated."""
    name: str = _create_test_db(creation, *words, **options)
    _kept.append(sqlite3.connect(name, uri=True))
    with contextlib.closing(sqlite3.connect(sqlite_template())) as template:
        template.backup(_kept[-1])
    return name


def pytest_configure() -> None:
    shared.begin()
    DatabaseCreation._create_test_db = create_migrated  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    shared.end(_end_postgres)


def _end_postgres(directory: Path) -> None:
    """If any test needed one."""
    if (running := directory / RUNNING).exists():
        stop_postgres(PostgresServer(**json.loads(running.read_text())))


@contextlib.contextmanager
def fresh_postgres(server: PostgresServer, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.copy(template, name)
    try:
        yield server.url(name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@contextlib.contextmanager
def fresh(request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    """A migrated database of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        yield fresh_sqlite(directory)
        return
    server = request.getfixturevalue("postgres_server")
    with fresh_postgres(server, request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database, once of each kind; `environment` hands it to other processes."""
    with fresh(request, tmp_path) as url:
        yield url


@contextlib.contextmanager
def used_here(url: str, home: Path) -> Iterator[None]:
    """This process's ORM, in all its threads, on that database."""
    before = connections.settings["default"]
    config = state.database(home, url)
    config["OPTIONS"].pop("pool", None)  # A pool would outlive the test, and its database.
    given = connections.configure_settings({"default": config})["default"]
    kept = connections["default"]
    connections.settings["default"] = given
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = kept


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The ORM from an async test, with a connection that does not outlive the call."""

    def run() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections["default"].close()
            del connections["default"]

    return await asyncio.to_thread(run)


@pytest.fixture
def database(
    database_url: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """`database_url`, used by this process's ORM too."""
    with django_db_blocker.unblock(), used_here(database_url, tmp_path):
        yield database_url
