import pytest

from apicharge_site import state


def asked(network: str, given: str = "", *, allow_http: bool = False) -> str:
    return state.rpc_url(network, given, sandbox_port=8001, allow_http=allow_http)


def test_nodes_that_are_known_need_no_setting() -> None:
    assert asked("sandbox") == "http://127.0.0.1:8001"
    assert asked("testnet").startswith("https://")
    with pytest.raises(state.Misconfigured, match="RPC of pubnet"):
        asked("pubnet")


@pytest.mark.parametrize("url", ["http://localhost:8000/rpc", "http://[::1]:8000", "https://a.b"])
def test_node_is_at_https_or_on_this_machine(url: str) -> None:
    assert asked("pubnet", url) == url


def test_http_to_another_machine_has_to_be_allowed() -> None:
    url = "http://quickstart:8000/rpc"
    with pytest.raises(state.Misconfigured, match="must be https"):
        asked("local", url)
    assert asked("local", url, allow_http=True) == url


@pytest.mark.parametrize("url", ["ftp://a.b", "soroban.example", "https://"])
def test_nonsense_is_refused(url: str) -> None:
    with pytest.raises(state.Misconfigured, match="APICHARGE_RPC_URL"):
        asked("pubnet", url, allow_http=True)
