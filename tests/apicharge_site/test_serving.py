import os
import signal
import threading

import httpx

from tests.apicharge_site.conftest import Site
from tests.waiting import until

STREAM = "/gate/files/stream?events=4"


def test_served_process_is_live_and_ready(site: Site) -> None:
    for path in ("/livez", "/readyz"):
        assert httpx.get(f"{site.origin}{path}").json() == {"status": "ok", "failed": []}


def test_health_is_not_reached_through_a_gated_route(site: Site) -> None:
    answer = httpx.get(f"{site.origin}/gate/files/readyz", headers={"apicharge": site.token()})
    assert (answer.status_code, "failed" in answer.text) == (404, False)


def test_draining_server_finishes_a_running_stream_and_takes_no_new_one(site: Site) -> None:
    token, [process] = site.token(), site.server.processes
    received: list[str] = []
    begun = threading.Event()

    def read() -> None:
        url = f"{site.origin}{STREAM}"
        with httpx.stream("GET", url, headers={"apicharge": token}, timeout=20) as answer:
            for line in answer.iter_lines():
                received.append(line)
                begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(10)
    os.kill(process.pid, signal.SIGTERM)

    def refused() -> bool:
        try:
            httpx.get(f"{site.origin}/livez")
        except httpx.TransportError:
            return True
        return False

    until(refused)
    assert "data: event 4 of 4" not in received
    reader.join()
    assert received.count("data: event 4 of 4") == 1
    assert process.wait() == 0
    site.server.start()
