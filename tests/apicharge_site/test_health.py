import asyncio
import json

import pytest

from apicharge_site import health
from apicharge_site.health import Health, Message


async def well() -> bool:
    return True


async def ill() -> bool:
    return False


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def ask(subject: Health, path: str) -> tuple[int, list[str]]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await subject({"type": "http", "path": path}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])["failed"]


async def test_process_whose_checks_pass_is_ready() -> None:
    assert await ask(Health({"database": well}), "/readyz") == (200, [])


async def test_failed_check_is_named_and_live_stays() -> None:
    subject = Health({"database": ill, "gate": well})
    assert await ask(subject, "/readyz") == (503, ["database"])
    assert await ask(subject, "/livez") == (200, [])


async def test_check_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
    assert await ask(Health({"database": hanging}), "/readyz") == (503, ["database"])


async def test_draining_process_is_live_and_not_ready() -> None:
    subject = Health({"database": well})
    subject.draining = True
    assert await ask(subject, "/readyz") == (503, ["draining"])
    assert await ask(subject, "/livez") == (200, [])
