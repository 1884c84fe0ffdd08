"""docs/operations.md names every setting and every command that there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SOURCES = [ROOT / "apicharge_site" / "settings.py", *(ROOT / "billing" / "sandbox").glob("*.py")]
COMMANDS = ROOT.glob("*/management/commands/[a-z]*.py")
READ = re.compile(r"""(?:env\.\w+|environ\.get)\(\s*"([A-Z_]+)\"""")
VARIABLES = {name for source in SOURCES for name in READ.findall(source.read_text())}


def test_settings_are_found_where_they_are_read() -> None:
    assert {"PORT", "APICHARGE_HOME", "APICHARGE_SANDBOX_CLOSE_MS"} <= VARIABLES


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in OPERATIONS


@pytest.mark.parametrize("command", sorted(path.stem for path in COMMANDS))
def test_command_is_documented(command: str) -> None:
    assert re.search(rf"manage\.py {command}\b", OPERATIONS)


@pytest.mark.parametrize("key", ["QUOTE", "GRANT", "CHANNEL"])
def test_key_is_documented(key: str) -> None:
    assert f"`APICHARGE_{key}_KEY`" in OPERATIONS
