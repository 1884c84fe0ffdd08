from gateway.ledgers.revoking import revoke
from gateway.models import Revocation


def test_a_token_is_revoked_once_and_a_grant_beside_it(database: str) -> None:
    assert [revoke("a" * 64, "one"), revoke("a" * 64, "one"), revoke("a" * 64)] == [
        True,
        False,
        True,
    ]
    assert Revocation.objects.count() == 2
