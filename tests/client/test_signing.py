"""`apicharge sign`: what a web page began is compared before it is signed."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from apicharge_client import quotes, showing, signing
from apicharge_client.buying import Buyer
from apicharge_client.documents import Document
from apicharge_client.errors import InstructionRefused, KeyProblem, NotAffordable, NotTrusted
from apicharge_client.keys import Key, verify
from apicharge_client.money import Budget
from apicharge_client.steps import run
from apicharge_client.store import Store
from nacl.signing import SigningKey

from tests.client.instructions import (
    ACCESS_KEY,
    BUYER,
    CONTRACT,
    PASSPHRASE,
    SIGNER,
    Proposal,
    signed_quote,
)

ORIGIN = "https://gw.example"
URL = f"{ORIGIN}/purchases/ab/secret/instruction.json"
KEY = Key(bytes(SigningKey(bytes([14]) * 32)))


def signed(home: Path, proposal: Proposal, budget: str = "USDC:1", **page: Any) -> bytes:
    told = {
        "buyer": BUYER,
        "access_key": ACCESS_KEY.hex(),
        "quote": proposal.quote,
        "instruction": proposal.document(),
        **page,
    }
    offered = {
        "issuer": ORIGIN,
        "network": "testnet",
        "passphrase": PASSPHRASE,
        "contract": CONTRACT,
        "signer": bytes(SIGNER.verify_key).hex(),
        "quotes": [signed_quote()],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=told if request.url.path.startswith("/purch") else offered)

    buyer = Buyer(Store(home), KEY, budget=Budget.of(budget))
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return run(signing.sign(buyer, URL), client)[1]


def test_signs_what_was_agreed(tmp_path: Path) -> None:
    proposal = Proposal(signed_quote())
    message = bytes.fromhex(str(proposal.document()["authorization_to_sign"]))
    assert verify(KEY.public, message, signed(tmp_path, proposal))


def test_refuses_what_is_not_what_it_says(tmp_path: Path) -> None:
    quote = signed_quote()
    with pytest.raises(InstructionRefused):
        signed(tmp_path, Proposal(quote), access_key="11" * 32)
    with pytest.raises(NotTrusted):
        signed(tmp_path, Proposal({**quote, "signature": "00" * 64}))
    with pytest.raises(NotAffordable, match="costs"):
        signed(tmp_path, Proposal(quote), "USDC:0.01")
    with pytest.raises(KeyProblem, match="is for"):
        signed(tmp_path, Proposal(quote), buyer=Key(b"\x01" * 32).address)


def test_signature_is_standard_base64_for_pasting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = signed(tmp_path, Proposal(signed_quote()))
    showing.signature(quotes.parse(Document.of(signed_quote(), "quote")), raw, as_json=False)
    assert base64.b64decode(capsys.readouterr().out.splitlines()[-1]) == raw
