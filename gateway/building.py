"""pyreqwest's client as a gate needs it: it decides nothing by itself."""

from collections.abc import Sequence
from datetime import timedelta

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from gateway.domain.clusters import Cluster, Tls
from gateway.domain.routes import Timeouts

USER_AGENT = "ApiCharge"
IDLE_CONNECTION_SECONDS = 60


def builder_for(
    cluster: Cluster, timeouts: Timeouts, root_certificates: Sequence[bytes], *, pool_idle_max: int
) -> ClientBuilder:
    builder = (
        ClientBuilder()
        .no_proxy()
        .follow_redirects(enable=False)
        .referer(enable=False)
        .default_cookie_store(enable=False)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .user_agent(USER_AGENT)
        .connect_timeout(timedelta(milliseconds=timeouts.connect_ms))
        .pool_idle_timeout(timedelta(seconds=IDLE_CONNECTION_SECONDS))
        .pool_max_idle_per_host(pool_idle_max)
        .max_connections(None)
    )
    for pem in root_certificates:
        builder = builder.add_root_certificate_pem(pem)
    if cluster.transform is not None and cluster.transform.changes_host:
        builder = builder.http1_only()  # HTTP/2 would name the upstream's own host as well.
    return _with_tls(builder, cluster.tls)


def _with_tls(builder: ClientBuilder, tls: Tls) -> ClientBuilder:
    if tls.authorities:
        builder = builder.add_root_certificate_pem(tls.authorities)
    if tls.identity:
        builder = builder.identity_pem(tls.identity)
    return builder


def is_usable(tls: Tls) -> bool:
    """Whether a client can be made of it: the certificates are some, the key is theirs."""
    try:
        _with_tls(ClientBuilder().no_proxy(), tls).build()
    except (PyreqwestError, ValueError):
        return False
    return True
