"""h2spec, the conformance suite of HTTP/2's framing and HPACK, against a gateway's HTTP/2 port.

`go install github.com/summerwind/h2spec/cmd/h2spec@latest` builds it. H2SPEC holds the command,
else it is looked for on the PATH. All of its cases are run, the strict ones, too. What the calls in
them are answered does not matter to it, so they are not paid.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.certificates import Authority
from tests.servers import start_server

pytestmark = pytest.mark.soak

H2SPEC = shlex.split(os.environ.get("H2SPEC", "")) or [shutil.which("h2spec") or ""]
CASE_SECONDS = 10
SUITE_SECONDS = 900
CASES_MIN = 146


def tls(home: Path) -> dict[str, str]:
    signed = Authority().sign("127.0.0.1")
    files = {"APICHARGE_TLS_CERT": home / "tls.crt", "APICHARGE_TLS_KEY": home / "tls.key"}
    for file, text in zip(files.values(), (signed.certificate, signed.key), strict=True):
        file.write_text(text)
        file.chmod(0o600)
    return {name: str(file) for name, file in files.items()}


def suite(report: Path, *arguments: str) -> dict[str, str]:
    """What h2spec says of each case: nothing where it is content."""
    options = ["--strict", "--timeout", str(CASE_SECONDS), "--junit-report", str(report)]
    said = subprocess.run(
        [*H2SPEC, *options, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
    )
    assert report.exists(), said.stdout + said.stderr
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('package')} {case.get('classname')}": _wrong(case) for case in cases}


def _wrong(case: ElementTree.Element) -> str:
    return " ".join(" ".join(part.itertext()).strip() for part in case)


@pytest.mark.skipif(not H2SPEC[0], reason="h2spec is not installed; H2SPEC may hold its command")
@pytest.mark.parametrize("secure", [False, True], ids=["in the clear", "over TLS"])
def test_every_case_is_passed(tmp_path: Path, secure: bool) -> None:
    environment = tls(tmp_path) if secure else {}
    with start_server(tmp_path / "home", environment=environment) as server:
        address = ["--port", str(server.h2_ports[0]), "--path", "/gate/nothing/here"]
        said = suite(tmp_path / "report.xml", *address, *(["--tls", "--insecure"] * secure))
    assert len(said) >= CASES_MIN
    assert {case: wrong for case, wrong in said.items() if wrong} == {}
