"""Loads that wrk makes: small requests, large bodies, many tokens in turn."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import LOAD_CORE
from benchmarks.subjects import LARGE, SMALL, Subject

CONNECTIONS = 32
CONNECTIONS_OF_LARGE = 4
UNITS = {"KB": 1 / 1024, "MB": 1.0, "GB": 1024.0}
IN_TURN = """
local tokens, at = {{}}, 0
for line in io.lines("{path}") do tokens[#tokens + 1] = line end
request = function()
    at = at % #tokens + 1
    return wrk.format("GET", nil, {{["apicharge"] = tokens[at]}})
end
"""


def _wrk(subject: Subject, path: str, seconds: int, *options: str, core: str = LOAD_CORE) -> str:
    token = ("-H", f"apicharge: {subject.token}")
    command = ["wrk", "-t1", f"-d{seconds}", *token, *options, f"{subject.base}{path}"]
    printed = subprocess.run(
        ["taskset", "-c", core, *command], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in printed:
        sys.exit(f"{subject.name} refused requests:\n{printed}")
    return printed


def _found(pattern: str, printed: str) -> re.Match[str]:
    found = re.search(pattern, printed)
    assert found is not None, printed
    return found


def requests_per_second(subject: Subject, seconds: int, *, core: str = LOAD_CORE) -> float:
    printed = _wrk(subject, SMALL, seconds, f"-c{CONNECTIONS}", core=core)
    return float(_found(r"Requests/sec:\s+([0-9.]+)", printed)[1])


def in_turn_per_second(subject: Subject, tokens: Sequence[str], home: Path, seconds: int) -> float:
    """Each request with the next token."""
    listed, script = home / "tokens.txt", home / "tokens.lua"
    listed.write_text("\n".join(tokens))
    script.write_text(IN_TURN.format(path=listed))
    printed = _wrk(subject, SMALL, seconds, f"-c{CONNECTIONS}", "-s", str(script))
    return float(_found(r"Requests/sec:\s+([0-9.]+)", printed)[1])


def mebibytes_per_second(subject: Subject, seconds: int) -> float:
    printed = _wrk(subject, LARGE, seconds, f"-c{CONNECTIONS_OF_LARGE}")
    figure, unit = _found(r"Transfer/sec:\s+([0-9.]+)([KMG]B)", printed).groups()
    return float(figure) * UNITS[unit]
