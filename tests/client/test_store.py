from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from apicharge_client.errors import StoreProblem
from apicharge_client.pins import Pin
from apicharge_client.store import GRANTS_MAX, PATHS_MAX, Grant, Pending, Store, default_home

ORIGIN, ROUTE = "https://gw.example", "weather/forecast"


def grant(number: int = 1, expires_at: int = 100) -> Grant:
    return Grant(f"{number:064x}", ROUTE, "Pass", "free", "t", "00" * 32, expires_at, 0)


PENDING = Pending("ab" * 32, ORIGIN, {"expires_at": 9}, "G", "sig", "00" * 32, 1)


def test_what_is_written_is_read(store: Store) -> None:
    written = store.change(
        ORIGIN, ROUTE, lambda held: held.granted(grant()).waiting(PENDING).at_path("/a")
    )
    assert Store(store.home).held(ORIGIN, ROUTE) == written
    assert store.all() == [written]
    assert store.at(ORIGIN, "/a") == written
    assert store.at(ORIGIN, "/b") is None
    assert store.at("https://other.example", "/a") is None


def test_nothing_is_held_before(store: Store) -> None:
    assert store.held(ORIGIN, ROUTE).usable(0) is None
    assert store.all() == []
    assert not store.home.exists()


def test_latest_usable_grant_is_used(store: Store) -> None:
    held = store.held(ORIGIN, ROUTE).granted(grant(1)).granted(grant(2)).granted(grant(3, 50))
    assert held.usable(49) == grant(3, 50)
    assert held.usable(50) == grant(2)
    assert held.ended(grant(2).id).usable(50) == grant(1)
    assert held.usable(100) is None


def test_what_is_kept_has_an_end(store: Store) -> None:
    held = store.held(ORIGIN, ROUTE)
    for number in range(200):
        held = held.granted(grant(number)).at_path(f"/{number}")
    assert len(held.grants) == GRANTS_MAX
    assert len(held.paths) == PATHS_MAX
    assert held.paths[-1] == "/199"


def test_changes_at_once_are_all_kept(store: Store) -> None:
    def add(number: int) -> None:
        Store(store.home).change(ORIGIN, ROUTE, lambda held: held.at_path(f"/{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert set(store.held(ORIGIN, ROUTE).paths) == {f"/{number}" for number in range(40)}


def test_lock_is_for_one_at_a_time(store: Store) -> None:
    with store.lock(ORIGIN, ROUTE) as first, Store(store.home).lock(ORIGIN, ROUTE) as second:
        assert (first, second) == (True, False)
        with store.lock(ORIGIN, "weather/other") as elsewhere:
            assert elsewhere
    with store.lock(ORIGIN, ROUTE) as again:
        assert again


def test_failed_write_leaves_what_was(store: Store) -> None:
    store.change(ORIGIN, ROUTE, lambda held: held.at_path("/a"))

    def fail(held: object) -> object:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.change(ORIGIN, ROUTE, fail)
    assert store.held(ORIGIN, ROUTE).paths == ("/a",)


def test_damaged_file_is_named(store: Store) -> None:
    store.change(ORIGIN, ROUTE, lambda held: held.at_path("/a"))
    (path,) = (store.home / "grants").glob("*.json")
    for damage in ("", "[]", "{}", '{"origin": "a", "route": "b", "grants": [{"x": 1}]}'):
        path.write_text(damage)
        with pytest.raises(StoreProblem, match=path.name):
            store.held(ORIGIN, ROUTE)


def test_pins_are_kept_by_gateway(store: Store) -> None:
    pin = Pin("ab" * 32, "C", "p", {"USDC": "G"})
    store.keep_pin(ORIGIN, pin)
    store.keep_pin("https://other.example", Pin("cd" * 32, "C", "p", {}))
    assert store.pin(ORIGIN) == pin
    assert store.pin("https://third.example") is None


def test_home_is_stated_or_the_users_configuration() -> None:
    assert default_home({"APICHARGE_CLIENT_HOME": "/x"}) == Path("/x")
    assert default_home({"XDG_CONFIG_HOME": "/c"}) == Path("/c/apicharge")
    assert default_home({}) == Path("~/.config/apicharge").expanduser()
