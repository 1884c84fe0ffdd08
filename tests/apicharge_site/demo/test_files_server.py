import httpx
import pytest

from apicharge_site.demo import files_server


@pytest.fixture
def upstream() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=files_server.application)
    return httpx.AsyncClient(transport=transport, base_url="http://upstream")


async def test_file_has_as_many_bytes_as_its_name_says(upstream: httpx.AsyncClient) -> None:
    response = await upstream.get("/files/200000.bin")
    assert response.headers["content-length"] == "200000"
    assert response.content == (bytes(range(256)) * 782)[:200_000]


async def test_head_of_a_file_sends_no_body(upstream: httpx.AsyncClient) -> None:
    response = await upstream.head("/files/1000.bin")
    assert (response.headers["content-length"], response.content) == ("1000", b"")


async def test_stream_sends_the_events_asked_for(upstream: httpx.AsyncClient) -> None:
    response = await upstream.get("/stream?events=2")
    assert response.text == "id: 1\ndata: event 1 of 2\n\nid: 2\ndata: event 2 of 2\n\n"


async def test_upload_is_counted(upstream: httpx.AsyncClient) -> None:
    assert (await upstream.post("/upload", content=b"x" * 70_000)).json() == {"received": 70_000}


@pytest.mark.parametrize("path", ["/", "/files/", "/files/9x", "/files/99999999999999", "/other"])
async def test_anything_else_is_not_found(upstream: httpx.AsyncClient, path: str) -> None:
    assert (await upstream.get(path)).status_code == 404
