"""What is told to a stranger's server, and signed, as Standard Webhooks has it.

A message keeps its id for good: an attempt that failed and a replay say the same id, so that
whoever receives it acts once. The signature is over id, moment and body. While a secret is being
replaced, a message is signed by both.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from enum import StrEnum

PREFIX = "whsec_"
SECRET_BYTES = 32
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
FORMER_SECRET_SECONDS = 86_400  # A replaced secret signs beside the new one for so long.

MINUTE, HOUR = 60, 3_600
# After the first attempt; the last is given up about a day and a half later.
RETRY_AFTER_SECONDS = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR)
ATTEMPTS_MAX = 1 + len(RETRY_AFTER_SECONDS)
# An endpoint that fails so often in a row, and for so long, is asked no more.
FAILURES_MAX = 10
FAILING_SECONDS = 86_400


class State(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class SecretError(ValueError):
    """Not a secret of this form."""


def secret(random: bytes) -> str:
    return PREFIX + base64.b64encode(random).decode()


def key_of(written: str) -> bytes:
    try:
        key = base64.b64decode(written.removeprefix(PREFIX), validate=True)
    except binascii.Error as exc:
        raise SecretError("A secret is whsec_ and base64.") from exc
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise SecretError(f"A secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes.")
    return key


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


def headers(
    secrets: Iterable[str], *, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    signatures = [
        signature(each, message_id=message_id, timestamp=timestamp, body=body) for each in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def retry_after_s(attempts: int) -> int | None:
    """How long to wait after so many failed attempts; None: no more."""
    return RETRY_AFTER_SECONDS[attempts - 1] if attempts < ATTEMPTS_MAX else None


def is_given_up(*, failures: int, failing_since_s: int, now_s: float) -> bool:
    """Whether an endpoint has failed for long enough to be left alone."""
    return failures >= FAILURES_MAX and now_s - failing_since_s >= FAILING_SECONDS


def answers_well(status: int) -> bool:
    return 200 <= status < 300


GONE = 410  # "Do not ask again", as Standard Webhooks has it.
