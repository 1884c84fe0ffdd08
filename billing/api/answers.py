"""What the endpoints answer, for /openapi.json, and the one answer that needs shaping."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from gateway.ledgers.reading import GrantUsage, LimitUsage

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key and body get the same answer, for 24 hours.",
)
PREFER = OpenApiParameter(
    "Prefer",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`wait=N`: answer when the purchase is settled, or after N ≤ 30 seconds.",
)


class Problem(serializers.Serializer[None]):
    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class Transaction(serializers.Serializer[None]):
    xdr = serializers.CharField()
    sep7 = serializers.CharField()


class Instruction(serializers.Serializer[None]):
    id = serializers.CharField()
    status = serializers.CharField()
    status_url = serializers.URLField()
    expires_at = serializers.IntegerField()
    authorization_to_sign = serializers.CharField()
    preimage_xdr = serializers.CharField(allow_null=True)
    entry_xdr = serializers.CharField(allow_null=True)
    valid_until_ledger = serializers.IntegerField(allow_null=True)
    latest_ledger = serializers.IntegerField(allow_null=True)
    transaction = Transaction(allow_null=True)


class EndedBy(serializers.Serializer[None]):
    type = serializers.URLField()
    title = serializers.CharField()
    detail = serializers.CharField()


class Refunded(serializers.Serializer[None]):
    amount = serializers.CharField()
    asset = serializers.CharField()
    transaction = serializers.CharField()
    ledger = serializers.IntegerField()


class Status(serializers.Serializer[None]):
    id = serializers.CharField()
    status = serializers.CharField()
    transaction = serializers.CharField(required=False)
    ledger = serializers.IntegerField(required=False)
    problem = EndedBy(required=False)
    granted_access_token = serializers.CharField(required=False)
    refunds = Refunded(many=True, required=False)


class BoughtPrice(serializers.Serializer[None]):
    amount = serializers.CharField()
    asset = serializers.CharField()


class OneBought(Status):
    route = serializers.CharField()
    price = BoughtPrice()
    created_at = serializers.IntegerField()


class Bought(serializers.Serializer[None]):
    purchases = OneBought(many=True)


class SignedChallenge(serializers.Serializer[None]):
    transaction = serializers.CharField()


class SignedTransaction(serializers.Serializer[None]):
    xdr = serializers.CharField()


class Left(serializers.Serializer[None]):
    """The limit as it was sold, and what is left of it."""

    kind = serializers.CharField()
    used = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    renews_at = serializers.IntegerField(allow_null=True)


class LastEnd(serializers.Serializer[None]):
    reason = serializers.CharField()
    at = serializers.IntegerField()


class Usage(serializers.Serializer[None]):
    id = serializers.CharField()
    route = serializers.CharField()
    limits = Left(many=True)
    first_used_at = serializers.IntegerField(allow_null=True)
    ends_at = serializers.IntegerField()
    last_end = LastEnd(allow_null=True)


class Revoked(serializers.Serializer[None]):
    grant = serializers.CharField()
    token = serializers.CharField(allow_null=True)
    revoked = serializers.BooleanField()


class Key(serializers.Serializer[None]):
    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    kid = serializers.CharField()
    alg = serializers.CharField()
    use = serializers.CharField()


class KeySet(serializers.Serializer[None]):
    keys = Key(many=True)


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    return {(status, "application/problem+json"): OpenApiResponse(Problem) for status in statuses}


def usage(known: GrantUsage) -> dict[str, object]:
    end = known.last_end
    return {
        "id": known.grant_id,
        "route": known.route,
        "limits": [_left(limit) for limit in known.limits],
        "first_used_at": _seconds(known.first_used_at_s),
        "ends_at": int(known.ends_at_s),
        "last_end": None if end is None else {"reason": end.reason, "at": int(end.at_s)},
    }


def _left(limit: LimitUsage) -> dict[str, object]:
    return {
        **limit.limit.terms(),
        "used": limit.used,
        "left": limit.left,
        "renews_at": _seconds(limit.renews_at_s),
    }


def _seconds(at_s: float | None) -> int | None:
    return None if at_s is None else int(at_s)
