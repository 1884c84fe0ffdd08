from collections.abc import Iterator

import pytest

from apicharge_site.metrics import Metrics
from apicharge_site.state import Secret
from gateway.asgi import Message
from gateway.figures import Figure, Histogram, Kind

TOKEN = Secret("a token for those who may")


def figures() -> Iterator[Figure | Histogram]:
    yield Figure(Kind.GAUGE, "open_exchanges", "What runs.", [((), 3)])
    yield Figure(
        Kind.COUNTER, "refused", "What was not.", [(("a",), 1), (("b",), 2)], labels=("reason",)
    )
    yield Histogram("answer_seconds", "How long.", (0.001, 0.01, None), (1, 2, 3))


async def ask(metrics: Metrics, *headers: tuple[bytes, bytes]) -> tuple[int, str]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": list(headers)}
    await metrics(scope, receive, send)
    return sent[0]["status"], sent[1]["body"].decode()


async def test_without_a_token_configured_there_is_nothing() -> None:
    status, text = await ask(Metrics(None, figures), (b"authorization", b"Bearer "))
    assert status == 404
    assert "apicharge" not in text


@pytest.mark.parametrize(
    "shown",
    [None, b"", b"Bearer", b"Bearer wrong", b"Basic a token for those who may", b"Bearer \xff"],
)
async def test_whoever_has_not_the_token_sees_nothing(shown: bytes | None) -> None:
    headers = [] if shown is None else [(b"authorization", shown)]
    status, text = await ask(Metrics(TOKEN, figures), *headers)
    assert status == 401
    assert "apicharge" not in text


async def test_figures_are_told_as_prometheus_reads_them() -> None:
    status, text = await ask(
        Metrics(TOKEN, figures), (b"authorization", b"Bearer a token for those who may")
    )
    assert status == 200
    lines = text.splitlines()
    assert "apicharge_open_exchanges 3.0" in lines
    assert "# TYPE apicharge_refused_total counter" in lines
    assert 'apicharge_refused_total{reason="b"} 2.0' in lines
    assert 'apicharge_answer_seconds_bucket{le="0.001"} 1.0' in lines
    assert 'apicharge_answer_seconds_bucket{le="0.01"} 3.0' in lines
    assert 'apicharge_answer_seconds_bucket{le="+Inf"} 6.0' in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)
