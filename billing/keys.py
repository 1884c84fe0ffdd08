"""The key that signs grants, and those that anybody may check them with."""

import time

from django.db import transaction

from billing import auditing, conf
from gateway.domain import ed25519, tokens
from gateway.models import VerifyingKey
from marketplace import publishing


class KeyRevoked(RuntimeError):
    """The configured grant key was revoked: configure a new one."""


def ensure_registered() -> str:
    """The signing key's kid, known to every gate. A revoked key signs nothing any more."""
    public_key = ed25519.public_key(conf.grant_seed())
    kid = tokens.kid_of(public_key)
    with transaction.atomic():
        row, made = VerifyingKey.objects.get_or_create(
            kid=kid, defaults={"public_key": public_key.hex()}
        )
        if row.revoked_at is not None:
            raise KeyRevoked(kid)
        if made:
            publishing.publish()
            auditing.record(
                action="key.registered",
                subject=kid,
                now_s=time.time(),
                detail={"public_key": public_key.hex()},
            )
    return kid


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
