"""Revocation rows; the gate follows them within a second."""

from gateway.models import Revocation


def revoke(grant_id: str, token_id: str = "") -> bool:
    """Revoke one access token, or with no `token_id` the whole grant. True when it was not yet."""
    _, made = Revocation.objects.get_or_create(grant=grant_id, token=token_id)
    return made
