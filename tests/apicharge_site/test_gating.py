"""What strangers may ask of the console through a 402 is bounded, and keeps nobody unready."""

import asyncio
import threading

import pytest
from django.conf import settings

from apicharge_site import gating
from gateway.addresses import AddressRefused, Policy, check_upstream


async def test_what_waits_beside_is_bounded() -> None:
    courtesy, go_on = gating.Courtesy(2), threading.Event()
    async with asyncio.TaskGroup() as asking:
        asked = [asking.create_task(courtesy(lambda: go_on.wait(30))) for _ in range(2)]
        await asyncio.sleep(0)
        assert await courtesy(lambda: True) is None
        go_on.set()
    assert [task.result() for task in asked] == [True, True]
    assert await courtesy(lambda: True)


async def test_failed_work_gives_its_place_back() -> None:
    courtesy = gating.Courtesy(1)

    def fail() -> bool:
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await courtesy(fail)
    assert await courtesy(lambda: True)


@pytest.mark.django_db(transaction=True)
async def test_process_is_ready_while_strangers_keep_the_others_waiting() -> None:
    go_on = threading.Event()
    async with asyncio.TaskGroup() as asking:
        for _ in range(16):
            asking.create_task(gating.beside(lambda: go_on.wait(30)))
        try:
            assert await asyncio.wait_for(gating.database_answers(), 5)
        finally:
            go_on.set()


def test_gate_refuses_itself_as_an_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPSTREAM_NETWORKS", ["127.0.0.0/8"])
    config = gating.config()
    policy = Policy(config.upstream_networks, config.own_addresses)
    check_upstream(f"http://127.0.0.1:{settings.PORT + 1}/", policy)
    with pytest.raises(AddressRefused, match="itself"):
        check_upstream(f"http://127.0.0.1:{settings.PORT}/", policy)
    with pytest.raises(AddressRefused, match="this gateway itself"):
        check_upstream(f"http://127.0.0.1:{settings.H2_PORT}/", policy)
