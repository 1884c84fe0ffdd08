"""Starting and stopping the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.conf import settings as project
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings
from stellar_sdk import SorobanServer
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import ConnectionError as SdkConnectionError

from billing.management.commands.sandbox import own_signer
from gateway.domain import ed25519
from tests import nursery
from tests.certificates import Authority
from tests.sandboxes import ROOT, SandboxDidNotStart, running_sandbox, start_sandbox


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    return nursery.run("billing.sandbox", *arguments, environment=environment, seconds=30)


def test_refuses_to_start_in_production(tmp_path: Path) -> None:
    status, said = run("--home", str(tmp_path), "--port", "0", APICHARGE_PRODUCTION="1")
    assert status == 1
    assert "does not start under APICHARGE_PRODUCTION" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [("--signer", "ab"), ("--close-ms", "1"), ("--close-ms", "x"), ("--fault", "rain")]
)
def test_bad_arguments_are_refused(tmp_path: Path, arguments: tuple[str, str]) -> None:
    status, said = run("--home", str(tmp_path), "--port", "0", *arguments)
    assert status == 2
    assert arguments[0] in said


def test_bad_environment_is_refused(tmp_path: Path) -> None:
    status, _ = run("--home", str(tmp_path), "--port", "0", APICHARGE_SANDBOX_CLOSE_MS="soon")
    assert status == 2


def test_second_sandbox_on_one_home_is_refused(tmp_path: Path) -> None:
    with running_sandbox(tmp_path), pytest.raises(SandboxDidNotStart):
        start_sandbox(tmp_path)


def test_taken_port_is_refused(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "one") as sandbox:
        status, said = run("--home", str(tmp_path / "two"), "--port", str(sandbox.port))
    assert status == 1
    assert "in use" in said


def test_sigterm_ends_it_cleanly_and_the_next_one_continues(tmp_path: Path) -> None:
    sandbox = start_sandbox(tmp_path)
    sandbox.fund("GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7")
    sandbox.stop()
    assert sandbox.process.returncode == 0
    with running_sandbox(tmp_path) as again, pytest.raises(Exception, match="400"):
        again.fund("GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7")


def test_listens_on_this_machine_alone(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{sandbox.port:04X}"
    bound = [one[1] for one in listening if one[3] == "0A" and one[1].endswith(f":{port}")]
    assert bound == [f"0100007F:{port}"]


def test_serves_https_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority()
    signed = authority.sign("127.0.0.1")
    pem, trusted = tmp_path / "server.pem", tmp_path / "authority.pem"
    pem.write_text(signed.certificate + signed.key)
    trusted.write_text(authority.pem)
    with running_sandbox(tmp_path, "--certificate", str(pem)) as sandbox:
        assert sandbox.url.startswith("https://127.0.0.1:")
        session = requests.Session()
        session.trust_env, session.verify = False, str(trusted)
        rpc = SorobanServer(sandbox.url, RequestsClient(session=session))
        assert rpc.get_health().status == "healthy"
        assert rpc.get_network().friendbot_url == f"{sandbox.url}/friendbot"
        with pytest.raises(SdkConnectionError):  # Who does not know the authority.
            SorobanServer(sandbox.url, RequestsClient(num_retries=0)).get_health()


def test_command_refuses_in_production(settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="does not start under APICHARGE_PRODUCTION"):
        call_command("sandbox")


def test_command_accepts_quotes_of_this_installation_by_default() -> None:
    assert project.QUOTE_KEY_SEED is not None
    seed = bytes.fromhex(project.QUOTE_KEY_SEED.reveal())
    assert own_signer() == [ed25519.public_key(seed)]


def test_command_without_the_quote_key_starts_with_no_signer(settings: Settings) -> None:
    settings.QUOTE_KEY_SEED = None
    assert own_signer() == []


def test_command_runs_it(tmp_path: Path) -> None:
    environment = os.environ | {"APICHARGE_HOME": str(tmp_path)}
    environment.pop("APICHARGE_PRODUCTION", None)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", "--port", "0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Sandbox network ready on http://127.0.0.1:")
        assert (tmp_path / "sandbox.sqlite3").exists()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()
