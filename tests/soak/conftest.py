"""Server processes on one database, and somebody who hands out grants for what they gate."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    def sell(self, slug: str, upstream: str) -> None:
        """A service with one route for everything."""
        terms = {"slug": slug, "upstream": upstream, "payee": PAYEE, "routes": [EVERYTHING]}
        self.server.sell(terms)

    def grant(self, route: str, *limits: dict[str, object], **changes: object) -> tuple[Grant, str]:
        """A bearer grant with its ledger rows, and its token."""
        grant = sell(
            *parse_limits(list(limits)),
            number=next(self._numbers),
            issuer=self.server.origin,
            audience=self.server.origin,
            route=route,
            **changes,
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


@contextmanager
def started(
    home: Path, url: str, blocker: DjangoDbBlocker, *, processes: int, **options: Any
) -> Iterator[Cluster]:
    home.chmod(0o700)
    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        stack.enter_context(databases.used_here(url, home))
        files = stack.enter_context(running_files(home))
        server = stack.enter_context(
            start_server(home, processes=processes, database_url=url, **options)
        )
        cluster = Cluster(server, bytes.fromhex(secret_file(home / "keys" / "grant")))
        cluster.sell("files", files)
        yield cluster


@pytest.fixture(scope="module", params=databases.KINDS)
def cluster(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Cluster]:
    """Shared by a module's tests: starting one costs more than most of them."""
    home = tmp_path_factory.mktemp("cluster")
    with (
        databases.fresh(request, home) as url,
        started(home, url, django_db_blocker, processes=PROCESSES) as cluster,
    ):
        yield cluster
