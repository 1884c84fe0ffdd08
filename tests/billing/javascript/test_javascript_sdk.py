"""The unmodified JavaScript SDK against the sandbox, and as a buyer's.

It comes from npm, as package-lock.json pins it. Where there is no Node.js, or npm cannot get it,
these tests are skipped and say why.
"""

import hashlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Keypair, Network, scval

from billing import channels, keys
from billing.models import Purchase
from billing.sandbox import network
from tests.billing.api.speaking import Api
from tests.billing.buying import Person, person, quote_for
from tests.billing.sandbox.quoting import Quote
from tests.billing.sandbox.town import PAYEE, SIGNER, TREASURY, USDC_SAC
from tests.billing.test_purchase_on_sandbox import work
from tests.certificates import Authority
from tests.sandboxes import RunningSandbox, running_sandbox

HERE = Path(__file__).parent
INSTALL_S = 90
RUN_S = 60


@pytest.fixture(scope="module")
def javascript(pytestconfig: pytest.Config) -> Path:
    """A directory with the SDK and our two programs; npm is asked once for each lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed here.")
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    assert pytestconfig.cache is not None
    home = Path(pytestconfig.cache.mkdir(f"javascript-{lock[:16]}"))
    for name in ("package.json", "package-lock.json", "journey.mjs", "sign.mjs"):
        shutil.copy(HERE / name, home)
    if not (home / "installed").exists():
        _install(home)
    return home


def _install(home: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=INSTALL_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        pytest.skip(f"npm cannot get the SDK here: {problem}")
    (home / "installed").touch()


def run(home: Path, program: str, asked: dict[str, Any], **environment: str) -> dict[str, Any]:
    ended = subprocess.run(
        ["node", program],
        cwd=home,
        input=json.dumps(asked),
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[RunningSandbox]:
    """A sandbox at https, by an authority that is in authority.pem."""
    authority = Authority()
    signed = authority.sign("127.0.0.1")
    (tmp_path / "server.pem").write_text(signed.certificate + signed.key)
    (tmp_path / "authority.pem").write_text(authority.pem)
    words = ["--certificate", str(tmp_path / "server.pem")]
    with running_sandbox(tmp_path, *words, signers=[SIGNER.raw_public_key()]) as running:
        running.verify = ssl.create_default_context(cadata=authority.pem)
        yield running


def purchase_of(buyer: Keypair) -> dict[str, Any]:
    """What the purchase contract is called with, and the digest that it returns."""
    quote = Quote(
        access_seconds=3600,
        amount=2_500_000,
        asset=USDC_SAC,
        expires_at=int(time.time()) + 600,
        fee=25_000,
        payee=PAYEE.public_key,
        terms=bytes(32),
        treasury=TREASURY.public_key,
    )
    digest = quote.digest(network.CONTRACT)
    arguments = [
        scval.to_address(buyer.public_key),
        quote.to_scval(),
        scval.to_bytes(SIGNER.raw_public_key()),
        scval.to_bytes(SIGNER.sign(digest)),
        scval.to_bytes(secrets.token_bytes(32)),
        scval.to_bytes(buyer.raw_public_key()),
    ]
    return {"arguments": [one.to_xdr() for one in arguments], "digest": digest.hex()}


def test_sdk_looks_around_and_buys_over_https(javascript: Path, secure: RunningSandbox) -> None:
    source, buyer = Keypair.random(), Keypair.random()
    secure.fund(source.public_key)
    for who in (PAYEE, TREASURY, buyer):
        secure.fund(who.public_key, "USDC")
    purchase = purchase_of(buyer)
    asked = {
        "url": secure.url,
        "contract": network.CONTRACT,
        "passphrase": network.PASSPHRASE,
        "source": source.secret,
        "buyer": buyer.secret,
        **purchase,
    }
    authority = str(secure.home / "authority.pem")
    seen = run(javascript, "journey.mjs", asked, NODE_EXTRA_CA_CERTS=authority)
    assert "insecure" in seen.pop("http")
    assert "Error(Contract, #8)" in seen.pop("again")
    assert seen == {
        "health": "healthy",
        "passphrase": network.PASSPHRASE,
        "version": "apicharge-sandbox",
        "fee": "100",
        "account": source.public_key,
        "wanted": [buyer.public_key],
        "status": "SUCCESS",
        "returned": purchase["digest"],
        "ledgers": 1,
        "events": ["purchased"],
        "later": 0,
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["entry", "transaction"])
def test_buyer_with_the_sdk_is_granted(
    javascript: Path, on_sandbox: RunningSandbox, way: str
) -> None:
    channels.ensure(2, now_s=time.time())
    keys.ensure_registered()
    buyer, payee = person(f"javascript {way} buyer"), person(f"javascript {way} payee")
    for somebody in (buyer, payee):
        on_sandbox.fund(somebody.address, "USDC")
    api = Api()
    said = api.buy(quote_for(payee.address).to_json(), buyer)
    assert said.status == 201, said.body
    offered = {f"{way}_xdr": signed_by(javascript, buyer, said.body)[way]}
    assert api.post(f"purchases/{said.body['id']}/authorization", offered).status == 202
    assert work(said.body["id"]).state == "granted"
    assert Purchase.objects.get().buyer == buyer.address


def signed_by(home: Path, buyer: Person, instruction: dict[str, Any]) -> dict[str, str]:
    asked = {
        "buyer": Keypair.from_raw_ed25519_seed(buyer.seed).secret,
        "instruction": instruction,
        "passphrase": Network.TESTNET_NETWORK_PASSPHRASE,
    }
    return run(home, "sign.mjs", asked)
