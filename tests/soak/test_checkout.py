"""The checkout's pages once more with Redis: another process moves the purchase, the Channels layer
tells the page."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.apicharge_site.tills import Stage, staged, token_shown
from tests.gateway.ledgers import test_redis
from tests.servers import Process

WORKER = ["celery", "-A", "apicharge_site", "worker", "--beat", "--pool", "threads"]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300), test_redis.pytestmark]


def test_page_is_told_by_the_channel_layer_what_a_worker_did(tmp_path: Path) -> None:
    home = tmp_path / "site"
    home.mkdir(mode=0o700)
    (tmp_path / "redis").mkdir()
    with test_redis.running(tmp_path / "redis") as redis, staged(home, redis.url) as stage:
        environment = {**stage.server.environment, "APICHARGE_ROLE": "worker"}
        command = [*WORKER, "--schedule", str(home / "beat")]
        worker = Process(command, environment, home / "worker.log")
        worker.start()
        try:
            assert {"authorized", "submitted", "granted"} <= _told(stage)
        finally:
            worker.kill()


def _told(stage: Stage) -> set[str]:
    page: Page = stage.page()
    told: set[str] = set()
    page.on("websocket", lambda opened: opened.on("framereceived", lambda one: told.add(str(one))))
    stage.checkout(page)
    page.click("[data-way=page]")
    token_shown(page)
    return {json.loads(frame)["status"] for frame in told}
