"""What goes to the upstream: the decided path, the headers that cross, and who is calling."""

from gateway.asgi import Scope
from gateway.domain.headers import (
    SIGNATURE_HEADER,
    RequestHead,
    forwarding,
    signature,
)
from gateway.domain.paths import canonical_query
from gateway.identifying import Identified
from gateway.upstream import Asked

LEEWAY_S = 1.0
"""For the gate to cut first, and say why."""


def upstream_request(scope: Scope, head: RequestHead, found: Identified, now_s: float) -> Asked:
    match = found.match
    service, method = match.service, scope["method"]
    client = scope.get("client") or ("unknown", 0)
    headers, path = head.forward, match.path
    raw_query = scope["query_string"]
    query = canonical_query(raw_query) if raw_query else ""
    changes = service.cluster.transform
    if changes is not None:
        # On the main host a client may call the gate anything.
        called = head.host if match.own_host else ""
        headers, path = changes.request(headers, called), changes.path(path)
        query = changes.query(query)
    if head.length is not None and not head.chunked:
        headers.append(("content-length", str(head.length)))
    identity = found.identity + forwarding(client[0], scope["scheme"], head.host)
    headers += identity
    if service.secret is not None:
        signed = signature(
            service.secret, method=method, path=path, identity=identity, now_s=int(now_s)
        )
        headers.append((SIGNATURE_HEADER, signed))
    ends_in_s = found.until_s - now_s + LEEWAY_S
    return Asked(
        service.cluster,
        match.route.timeouts,
        method,
        path,
        query,
        headers,
        head.awaits_events,
        ends_in_s,
    )
