from django.db import connection

from gateway.ledgers.connecting import Changes
from tests import publications


def test_every_write_of_anybody_else_is_seen_and_nothing_else_where_that_is_told(
    database: str,
) -> None:
    listening, changes = connection.copy(), Changes()
    told = connection.vendor == "sqlite"
    try:
        assert changes.look(listening)
        assert changes.look(listening) is not told
        for _ in range(3):
            publications.publish(publications.NOTHING)
            assert changes.look(listening)
            assert changes.look(listening) is not told
    finally:
        listening.close()


def test_a_new_connection_has_seen_nothing(database: str) -> None:
    listening, changes = connection.copy(), Changes()
    try:
        changes.look(listening)
        listening.close()
        assert changes.look(listening)
    finally:
        listening.close()
