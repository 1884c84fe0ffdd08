"""What goes to the upstream: the decided path, the headers that cross, and who is calling."""

from gateway.asgi import Scope
from gateway.domain.headers import (
    SIGNATURE_HEADER,
    Pair,
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
    match, grant = found.match, found.token.grant
    service, method = match.service, scope["method"]
    client = scope.get("client") or ("unknown", 0)
    identity: tuple[Pair, ...] = (
        ("apicharge-grant", grant.id),
        ("apicharge-buyer", grant.buyer),
        ("apicharge-route", match.route.id),
        *forwarding(client[0], scope["scheme"], head.host),
    )
    headers = head.forward
    if head.length is not None and not head.chunked:
        headers.append(("content-length", str(head.length)))
    headers += identity
    if service.secret is not None:
        signed = signature(
            service.secret, method=method, path=match.path, identity=identity, now_s=int(now_s)
        )
        headers.append((SIGNATURE_HEADER, signed))
    query = scope["query_string"]
    return Asked(
        cluster=service.cluster,
        timeouts=match.route.timeouts,
        method=method,
        path=match.path,
        query=canonical_query(query) if query else "",
        headers=headers,
        awaits_events=head.awaits_events,
        ends_in_s=(found.token.client_expires_at or grant.expires_at) - now_s + LEEWAY_S,
    )
