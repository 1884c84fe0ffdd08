"""Who counts the rates: one process of those that share a database, on either kind of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection, connections

from gateway.ledgers.rates import Lock
from gateway.ledgers.sole import AdvisoryLock, FileLock, lock
from tests.waiting import until


class Process:
    """One that asks for the lock, from a thread of its own as the gateway does."""

    def __init__(self, thread: ThreadPoolExecutor, made: Lock) -> None:
        self._thread = thread
        self.lock = made

    def holds(self) -> bool:
        return self._thread.submit(self.lock.hold).result()

    def close(self) -> None:
        self._thread.submit(self.lock.close).result()


@contextmanager
def process() -> Iterator[Process]:
    with ThreadPoolExecutor(1) as thread:
        started = Process(thread, lock())
        yield started
        started.close()
        thread.submit(connections.close_all).result()


def end_session_of_holder() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND"
            " database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


def test_one_holds_it_until_it_ends(database: str) -> None:
    with process() as first, process() as second:
        assert (first.holds(), second.holds()) == (True, False)
        assert (first.holds(), second.holds()) == (True, False)
        first.close()
        until(second.holds)  # PostgreSQL ends a session after its client has gone.


def test_each_kind_of_database_has_its_own_kind_of_lock(database: str) -> None:
    assert isinstance(lock(), AdvisoryLock if "postgres" in database else FileLock)


def test_whose_session_ends_has_lost_it(database: str) -> None:
    if "postgres" not in database:
        return  # A file's lock ends with its process, and not before.
    with process() as first, process() as second:
        assert first.holds()
        end_session_of_holder()
        until(second.holds)
        assert not first.holds()
        assert not first.holds()  # Asked by a new session, too.
        second.close()
        until(first.holds)
