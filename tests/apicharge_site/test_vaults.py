"""Keys that another program hands out."""

import sys
from pathlib import Path

import environ
import pytest

from apicharge_site import state, vaults

SEED = "ab" * 32


def seed(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> state.Secret:
    monkeypatch.setenv("APICHARGE_QUOTE_KEY_COMMAND", command)
    return state.seed(tmp_path, "quote", environ.Env(), production=True)


def test_key_is_what_the_program_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seed(tmp_path, f"printf '%s\\n' {SEED}", monkeypatch).reveal() == SEED
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("false", "false ended with status 1"),
        ("/nowhere/at-all", "/nowhere/at-all cannot be run"),
        ("printf 'unclosed", "it cannot be read"),
        (f"printf {SEED[1:]}", "must be 32 bytes in lower-case hex"),
        (f"{sys.executable} -c \"print('{SEED}'); exit(3)\"", "ended with status 3"),
    ],
)
def test_what_went_wrong_is_said_and_nothing_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, told: str
) -> None:
    with pytest.raises(state.Misconfigured, match=told) as failed:
        seed(tmp_path, command, monkeypatch)
    assert SEED[1:] not in str(failed.value)
    assert failed.value.__cause__ is None


def test_program_has_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaults, "PATIENCE_S", 0.05)
    with pytest.raises(vaults.VaultFailed, match="did not answer"):
        vaults.fetch("sleep 10")


def test_gateway_refuses_a_program_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APICHARGE_GRANT_KEY_COMMAND", "true")
    assert state.seeds_given(environ.Env()) == ["APICHARGE_GRANT_KEY_COMMAND"]
