from pathlib import Path

import pytest
from apicharge_client import keys
from apicharge_client.errors import KeyProblem

# SEP-53's and the SDK's well-known pair.
SECRET = "SAKICEVQLYWGSOJS4WW7HZJWAHZVEEBS527LHK5V4MLJALYKICQCJXMW"
ADDRESS = "GBXFXNDLV4LSWA4VB7YIL5GBD7BVNR22SGBTDKMO2SBZZHDXSKZYCP7L"


def test_secret_is_read_with_its_address() -> None:
    key = keys.from_text(f" {SECRET}\n")
    assert (key.address, key.secret) == (ADDRESS, SECRET)
    assert keys.from_text(key.seed.hex()) == key


def test_key_is_not_shown() -> None:
    key = keys.from_text(SECRET)
    assert SECRET not in repr(key)
    assert key.seed.hex() not in repr(key)


@pytest.mark.parametrize("text", ["", "S", SECRET[:-1] + "X", ADDRESS, "zz" * 32, "é" * 64])
def test_text_that_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeyProblem) as raised:
        keys.from_text(text)
    assert not text or text not in str(raised.value) or len(text) == 1


def test_environment_names_the_key_or_its_file(tmp_path: Path) -> None:
    made = keys.generate(tmp_path / "key")
    assert keys.from_environment({"APICHARGE_KEY_FILE": str(tmp_path / "key")}) == made
    assert keys.from_environment({"APICHARGE_KEY": SECRET}).address == ADDRESS
    with pytest.raises(KeyProblem, match="no buyer key"):
        keys.from_environment({})


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.generate(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyProblem, match="can be read by others"):
        keys.from_file(tmp_path / "key")


def test_missing_folder_of_a_new_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="No such file") as said:
        keys.generate(tmp_path / "none" / "key")
    assert said.value.hint == f"Make its folder: mkdir -p -m 700 {tmp_path / 'none'}"


def test_missing_key_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="No such file"):
        keys.from_file(tmp_path / "key")


def test_access_key_is_the_same_for_a_route_and_no_others() -> None:
    key = keys.from_text(SECRET)
    one = key.access_key("https://a", "s/r")
    assert one == key.access_key("https://a", "s/r")
    assert (
        len({one, key, key.access_key("https://b", "s/r"), key.access_key("https://a", "s")}) == 4
    )


def test_signature_verifies_for_its_message_alone() -> None:
    key = keys.from_text(SECRET)
    signature = key.sign(b"yes")
    assert keys.verify(key.public, b"yes", signature)
    assert not keys.verify(key.public, b"no", signature)
    assert not keys.verify(key.public, b"yes", b"")
