"""As it runs on the embedded default: worker and beat as threads, and a real network."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apicharge_site.celery import app
from apicharge_site.embedded import start_workers
from billing import channels, keys
from billing.models import Purchase
from tests.billing.api.speaking import Api
from tests.billing.buying import PRICE, person, quote_for
from tests.sandboxes import RunningSandbox
from tests.waiting import until


@pytest.fixture
def workers(database: str, on_sandbox: RunningSandbox, tmp_path: Path) -> Iterator[None]:
    channels.ensure(2, now_s=time.time())
    keys.ensure_registered()
    stop = start_workers(app, tmp_path / "celery")
    yield
    stop()


def test_authorized_purchases_are_granted_by_the_workers(
    workers: None, on_sandbox: RunningSandbox, request: pytest.FixtureRequest
) -> None:
    buyer, payee = (person(f"{request.node.name} {role}") for role in ("buyer", "payee"))
    for somebody in (buyer, payee):
        on_sandbox.fund(somebody.address, "USDC")
    api = Api()
    for amount in (0, PRICE):
        instruction = api.buy(quote_for(payee.address, amount=amount).to_json(), buyer).body
        api.authorize(instruction, buyer)
    until(lambda: Purchase.objects.filter(state="granted").count() == 2, seconds=20)


def test_tasks_are_hints_without_results_or_moments(settings: object) -> None:
    app.loader.import_default_modules()  # As a worker does at its start.
    assert app.conf.task_ignore_result
    assert app.conf.accept_content == ["json"]
    tasks = {name for name in app.tasks if name.startswith("billing.")}
    assert {name.rpartition(".")[2] for name in tasks} == {
        "advance",
        "advance_due",
        "deliver",
        "end_grants",
        "follow",
        "notice",
        "reconcile",
        "sum_usage",
        "tidy",
        "top_up",
    }
    entries = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert set(entries) <= set(app.tasks)
    scheduled = {name: every for name, every in entries.items() if name in tasks}
    assert scheduled.pop("billing.tasks.tidy") == scheduled.pop("billing.tasks.top_up") == 60.0
    assert scheduled.pop("billing.tasks.reconcile") == 3600.0
    assert scheduled.pop("billing.tasks.deliver") == 2.0
    assert scheduled.pop("billing.tasks.notice") == 10.0
    assert scheduled.pop("billing.tasks.sum_usage") == 20.0
    assert max(scheduled.values()) <= 1.0
