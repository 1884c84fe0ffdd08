"""`manage.py stellar` against the sandbox as a network: it does what is missing, and no more."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from stellar_sdk import Keypair

from billing import channels, conf
from billing.models import ChannelAccount
from billing.rails.stellar import StellarRail
from billing.rails.stellar.operator import GIVEN_STROOPS, OperatorFailed
from billing.rails.stellar.rpc import Rpc
from marketplace import quoting
from marketplace.domain import chains
from tests.billing import networks
from tests.marketplace import shop as catalogue
from tests.sandboxes import RunningSandbox

SECRET = bytes(range(32))
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def paying_from(sandbox: RunningSandbox, channel_key: bytes) -> Iterator[StellarRail]:
    """A rail with accounts of its own, which no other test has funded."""
    rail = StellarRail(
        conf.conf().chain,
        sandbox.url,
        quote_signers=[quoting.signer_public_key()],
        channel_key=channel_key,
    )
    with conf.paying_by(rail):
        yield rail


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("stellar", *arguments)
    return capsys.readouterr().out


def test_second_run_changes_nothing(
    database: str, on_sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with paying_from(on_sandbox, SECRET) as rail:
        with pytest.raises(CommandError, match="left to do"):
            said(capsys, "setup", "--dry-run", "--count", "3")
        assert not ChannelAccount.objects.exists()
        assert rail.channel_state(rail.channel(0).address) is None
        assert "would  operator" in capsys.readouterr().out

        assert "made   operator" in said(capsys, "setup", "--count", "3")
        rows = ChannelAccount.objects.filter(usable=True)
        assert rows.count() == 3
        states = [rail.channel_state(row.address) for row in rows]

        again = said(capsys, "setup", "--count", "3")
        assert {line.split()[0] for line in again.splitlines()} == {"have"}
        assert [rail.channel_state(row.address) for row in rows] == states
        of_channels = [line for line in again.splitlines() if " channel " in line]
        assert said(capsys, "channels", "--dry-run", "--count", "3").splitlines() == of_channels


def test_operator_funds_channels_where_there_is_no_faucet(
    database: str, on_sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with paying_from(on_sandbox, hashlib.sha256(b"no faucet").digest()) as rail:
        operator = rail.founding().operator
        on_sandbox.fund(operator.address)
        before = operator.stroops()
        monkeypatch.setattr(Rpc, "ask_faucet", lambda _self, _address: False)
        rows = channels.ensure(3, now_s=time.time())
        assert {row.usable for row in rows} == {True}
        assert operator.stroops() <= before - 3 * GIVEN_STROOPS

        monkeypatch.setattr(channels, "SPENDABLE_MIN", GIVEN_STROOPS + 1)  # All poor now.
        channels.top_up(now_s=time.time())
        for row in rows:
            state = rail.channel_state(row.address)
            assert state is not None
            assert state.spendable == 2 * GIVEN_STROOPS


def test_operator_without_lumens_gives_none_and_says_so(
    database: str, on_sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rpc, "ask_faucet", lambda _self, _address: False)
    monkeypatch.setattr(Rpc, "has_faucet", lambda _self: False)
    with paying_from(on_sandbox, bytes([8]) * 32) as rail:
        (row,) = channels.ensure(1, now_s=time.time())
        assert (row.usable, row.problem) == (False, "not funded")
        step = next(rail.founding().accounts(1))
        assert step.act is None
        assert step.advice == f"send lumens to {rail.founding().operator.address}"
        with pytest.raises(OperatorFailed, match="does not exist"):
            rail.founding().operator.do(lambda _builder: None)


def test_status_names_who_cannot_be_paid(
    database: str, on_sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    payee = Keypair.from_raw_ed25519_seed(bytes([9]) * 32).public_key
    provider = catalogue.provider("P")
    provider.payout_address = payee
    provider.save()
    catalogue.price(catalogue.route(catalogue.service(provider, "s"), "r"))
    with paying_from(on_sandbox, SECRET):
        told = said(capsys, "status")
    assert f"payee {payee} can take USDC (NOT YET: its owner has to create" in told
    assert "protocol" in told
    assert "(MISSING)" not in told


def test_pubnet_is_touched_only_when_told_to(
    database: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CHAIN = chains.chain("pubnet", channel_key=SECRET)
    with pytest.raises(CommandError, match="lumens are money"):
        said(capsys, "setup")


def test_no_key_is_told(
    database: str,
    on_sandbox: RunningSandbox,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = said(capsys, "status")
    for name in ("QUOTE", "GRANT", "CHANNEL"):
        assert getattr(settings, f"{name}_KEY_SEED").reveal() not in told


def test_sandbox_has_its_contract(
    database: str, on_sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "deploy")
    assert told == f"  have   contract {conf.conf().chain.contract} is the sandbox's own\n"


def test_contract_is_deployed_on_a_network_that_has_none(
    database: str,
    on_sandbox: RunningSandbox,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Uploaded, made by its constructor and told of an asset; again: nothing."""
    founded = networks.found(on_sandbox, "command")
    settings.CHAIN = founded.chain
    with conf.paying_by(founded.rail):
        with pytest.raises(CommandError, match="left to do"):
            said(capsys, "deploy", "--dry-run")
        capsys.readouterr()
        assert not founded.rail.founding().has_contract()
        first = said(capsys, "deploy").splitlines()
        contract = f"contract {founded.chain.contract}"
        assert f"  made   {contract}" in first
        assert "  have   signer accepted by the contract" in first  # By the constructor.
        again = said(capsys, "deploy")
        assert {line.split()[0] for line in again.splitlines()} == {"have"}
        assert "(MISSING)" not in said(capsys, "status")

    token = networks.deploy_token(founded)
    founded = founded.with_asset(token)
    settings.CHAIN = founded.chain
    with conf.paying_by(founded.rail):
        made = [line for line in said(capsys, "deploy").splitlines() if "  made" in line]
        assert made == [f"  made   asset {token.code} accepted by the contract"]
        with pytest.raises(CommandError, match="left to do"):
            said(capsys, "setup", "--dry-run", "--count", "1")
        assert f"token {token.code}: {token.sac}, 7 decimals" in capsys.readouterr().out


def test_new_signer_is_told_to_the_contract_by_its_admin_alone(
    on_sandbox: RunningSandbox, database: str
) -> None:
    founded = networks.found(on_sandbox, "signers")
    networks.deploy(founded)
    signer = replace(founded.deploying, signer=bytes([3]) * 32)
    assert [step.words for step in signer.steps() if not step.done] == [
        "signer accepted by the contract"
    ]
    stranger = replace(signer, operator=networks.found(on_sandbox, "stranger").deploying.operator)
    advice = [step.advice for step in stranger.steps() if not step.done]
    assert advice == [f"{founded.deploying.operator.address} has to call set_signer"]
    for step in signer.steps():
        if step.act is not None:
            step.act()
    assert all(step.done for step in signer.steps())
