"""`/metrics`: what this process counts, in the format of Prometheus, for whoever has the token.

Without APICHARGE_METRICS_TOKEN there is nothing at this address: figures tell strangers how busy a
service is and where its upstreams are. Everything is read when it is asked for; nothing is counted
for it beside the calls.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from apicharge_site.state import Secret
from gateway.asgi import Receive, Reply, Scope, Send, answer
from gateway.domain.headers import header
from gateway.figures import Figure, Histogram, Kind

PATH = "/metrics"
PREFIX = "apicharge_"
NOTHING = Reply(404, [(b"content-type", b"text/plain")], b"There is nothing here.\n")
NOT_YOU = Reply(
    401,
    [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")],
    b"This is for whoever has the metrics token.\n",
)
FAMILIES = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


class Figures(Collector):
    def __init__(self, read: Callable[[], Iterable[Figure | Histogram]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        for figure in self._read():
            if isinstance(figure, Histogram):
                histogram = HistogramMetricFamily(PREFIX + figure.name, figure.about)
                histogram.add_metric([], _cumulative(figure), sum_value=None)
                yield histogram
                continue
            family = FAMILIES[figure.kind](PREFIX + figure.name, figure.about, labels=figure.labels)
            for values, count in figure.samples:
                family.add_metric(values, count)
            yield family


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip(histogram.bounds, histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound is None else f"{bound:g}", total))
    return buckets


class Metrics:
    def __init__(
        self, token: Secret | None, read: Callable[[], Iterable[Figure | Histogram]]
    ) -> None:
        self._token = None if token is None else f"Bearer {token.reveal()}".encode()
        self._registry = CollectorRegistry()
        self._registry.register(Figures(read))
        ProcessCollector(registry=self._registry)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if self._token is None:
            return await answer(send, NOTHING)
        shown = (header(scope["headers"], b"authorization") or "").encode("latin-1")
        if not hmac.compare_digest(shown, self._token):
            return await answer(send, NOT_YOU)
        text = generate_latest(self._registry)
        content_type = (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode())
        return await answer(send, Reply(200, [content_type, (b"cache-control", b"no-store")], text))
