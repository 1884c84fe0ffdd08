"""Four server processes on one database, and somebody who hands out grants for what they gate."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from pytest_django import DjangoDbBlocker

from apicharge_site.state import secret_file
from gateway.domain import ed25519
from gateway.domain.limits import parse_limits
from gateway.domain.tokens import Grant, assemble, grant_signing_input, kid_of
from gateway.ledgers.reading import usage_of
from tests import databases
from tests.gateway.selling import now_s, sell
from tests.servers import RunningServer, running_files, start_server

PAYEE = "GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7"
PROCESSES = 4
EVERYTHING = {"slug": "all", "path": "/", "methods": [], "quotes": []}


@dataclass
class Cluster:
    server: RunningServer
    seed: bytes
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def grant(self, route: str, *limits: dict[str, object]) -> tuple[Grant, str]:
        """A bearer grant with its ledger rows, and its token."""
        grant = sell(
            *parse_limits(list(limits)),
            number=next(self._numbers),
            issuer=self.server.origin,
            audience=self.server.origin,
            route=route,
        )
        return grant, self.signed(grant)

    def signed(self, grant: Grant) -> str:
        signed = grant_signing_input(grant, kid_of(ed25519.public_key(self.seed)))
        return assemble(signed, ed25519.sign(self.seed, signed))

    def urls(self, path: str) -> Iterator[str]:
        """The address at each process in turn, for ever."""
        return itertools.cycle(f"{origin}{path}" for origin in self.server.origins)

    def used(self, grant: Grant) -> int:
        usage = usage_of(grant.id, now_s())
        assert usage is not None
        return usage.limits[0].used


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def cluster(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Cluster]:
    """Shared by a module's tests: starting one costs more than most of them."""
    home = tmp_path_factory.mktemp("cluster")
    home.chmod(0o700)
    with ExitStack() as stack:
        if request.param == "postgres":
            postgres = request.getfixturevalue("postgres_server")
            template = request.getfixturevalue("postgres_template")
            url = stack.enter_context(databases.fresh_postgres(postgres, template))
        else:
            url = databases.fresh_sqlite(request.getfixturevalue("sqlite_template"), home)
        stack.enter_context(django_db_blocker.unblock())
        stack.enter_context(databases.used_here(url, home))
        files = stack.enter_context(running_files(home))
        server = stack.enter_context(start_server(home, processes=PROCESSES, database_url=url))
        server.sell({"slug": "files", "upstream": files, "payee": PAYEE, "routes": [EVERYTHING]})
        yield Cluster(server, bytes.fromhex(secret_file(home / "keys" / "grant")))
