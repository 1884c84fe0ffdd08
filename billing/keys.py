"""The key that signs grants, and those that anybody may check them with."""

import time
from datetime import UTC, datetime

from django.db import transaction

from billing import auditing, conf
from billing.models import GrantedToken
from gateway.domain import ed25519, tokens
from gateway.models import VerifyingKey
from marketplace import publishing


class UnknownKey(ValueError):
    pass


class KeyRevoked(RuntimeError):
    """The configured grant key was revoked: configure a new one."""


def ensure_registered() -> str:
    """The signing key's kid, known to every gate. A revoked key signs nothing any more."""
    public_key = ed25519.public_key(conf.grant_seed())
    kid = tokens.kid_of(public_key)
    with transaction.atomic(savepoint=False):
        row, made = VerifyingKey.objects.get_or_create(
            kid=kid, defaults={"public_key": public_key.hex()}
        )
        if row.revoked_at is not None:
            raise KeyRevoked(kid)
        if made:
            publishing.publish([])
            auditing.record(
                action="key.registered",
                subject=kid,
                now_s=time.time(),
                detail={"public_key": public_key.hex()},
            )
    return kid


def revoke(kid: str, *, actor: str, now_s: float) -> bool:
    """Every grant that this key signed ends, on every gate within a second. There is no way back.

    False when it was revoked before. Purchases wait as `confirmed` until a new key is configured.
    """
    with transaction.atomic():
        row = VerifyingKey.objects.select_for_update().filter(kid=kid).first()
        if row is None:
            raise UnknownKey(f"No key of this gateway has the kid {kid!r}.")
        if row.revoked_at is not None:
            return False
        row.revoked_at = datetime.fromtimestamp(now_s, UTC)
        row.save(update_fields=["revoked_at"])
        publishing.publish([])
        auditing.record(
            action="key.revoke",
            subject=kid,
            now_s=now_s,
            actor=actor,
            detail={"public_key": row.public_key},
        )
    return True


def ended_by(kid: str, *, now_s: float) -> int:
    """How many grants that still run were signed by this key."""
    return GrantedToken.objects.filter(kid=kid, expires_at_s__gt=int(now_s)).count()


def verifying() -> dict[str, bytes]:
    rows = VerifyingKey.objects.filter(revoked_at=None).values_list("kid", "public_key")
    return {kid: bytes.fromhex(public_key) for kid, public_key in rows}


def jwks() -> dict[str, object]:
    return {
        "keys": [
            {**tokens.jwk(public_key), "kid": kid, "alg": "EdDSA", "use": "sig"}
            for kid, public_key in sorted(verifying().items())
        ]
    }
