"""The page's own scripts, run by Node.js as a browser would run them."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from stellar_sdk import StrKey

from billing import keys
from billing.domain import freebies
from billing.rails.port import Order
from billing.rails.stellar import calls
from gateway.domain import jws, tokens
from gateway.domain.tokens import AccessToken
from marketplace import quoting
from marketplace.domain.quotes import SignedQuote
from tests.billing.buying import person, quote_for
from tests.billing.pages.conftest import Till

NODE = shutil.which("node")
SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
BUYER, PAYEE, TREASURY = person("buyer"), person("payee"), person("treasury")
ACCESS_KEY = b"\x09" * 32
LATEST = 1_000

pytestmark = pytest.mark.skipif(
    NODE is None and os.environ.get("CI") != "true", reason="node is not installed"
)


def run(directory: Path, code: str, given: object = None) -> Any:
    """What the module CODE prints as JSON; the scripts are beside it."""
    (directory / "package.json").write_text('{"type": "module"}')
    for script in SCRIPTS.glob("*.js"):
        (directory / script.name).write_bytes(script.read_bytes())
    (directory / "given.json").write_text(json.dumps(given))
    (directory / "main.js").write_text(
        'import { readFileSync } from "node:fs";\n'
        'const given = JSON.parse(readFileSync("given.json"));\n' + code
    )
    ended = subprocess.run(
        [str(NODE), "main.js"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def purchase(quote: SignedQuote, *, instructed: SignedQuote | None = None, **other: Any) -> Any:
    """What a page knows; it is instructed for another quote or another buyer, if wished."""
    chain = settings.CHAIN
    signer = quoting.signer_public_key()
    order = Order(b"\x05" * 32, other.get("buyer", BUYER.address), ACCESS_KEY, instructed or quote)
    tree = calls.invocation(order, signer, chain)
    ahead = other.get("ahead", 180)
    entry = calls.unsigned_entry(tree, order.buyer, nonce=-7, valid_until=LATEST + ahead)
    passphrase = other.get("passphrase", chain.passphrase)
    return {
        "id": order.purchase_id.hex(),
        "buyer": BUYER.address,
        "access_key": ACCESS_KEY.hex(),
        "passphrase": chain.passphrase,
        "contract": chain.contract,
        "signer": signer.hex(),
        "quote": quote.to_json(),
        "instruction": {
            "authorization_to_sign": calls.signing_hash(entry, passphrase).hex(),
            "preimage_xdr": calls.preimage(entry, passphrase).to_xdr(),
            "latest_ledger": LATEST,
        },
    }


CHECK = """
import { checked, freeText } from "./checking.js";
const results = [];
for (const one of given) {
  try {
    const hash = await checked(one);
    results.push(Buffer.from(hash).toString("hex"));
    if (one.text && one.text !== freeText(hash)) throw new Error("another text");
  }
  catch (error) { results.push(`${error.constructor.name}: ${error.message}`); }
}
console.log(JSON.stringify(results));
"""


def test_page_signs_what_was_agreed_and_nothing_else(tmp_path: Path) -> None:
    quote = quote_for(PAYEE.address)
    with_fee = quote_for(PAYEE.address, fee=100, treasury=TREASURY.address)
    dearer = quote_for(PAYEE.address, amount=quote.amount + 1)
    elsewhere = quote_for(TREASURY.address)
    good = purchase(quote)
    wrong = {
        "dearer": purchase(quote, instructed=dearer),
        "elsewhere": purchase(quote, instructed=elsewhere),
        "another buyer": purchase(quote, buyer=PAYEE.address),
        "too long": purchase(quote, ahead=201),
        "past": purchase(quote, ahead=0),
        "another network": purchase(quote, passphrase="Public"),
        "another key": {**good, "access_key": "ff" * 32},
        "another id": {**good, "id": "ff" * 32},
        "another contract": {**good, "contract": StrKey.encode_contract(b"\x01" * 32)},
        "unsigned": purchase(replace(quote, signature="00" * 64)),
        "more calls": purchase(replace(quote, limits=({"kind": "calls", "count": 99},))),
        "hash": {
            **good,
            "instruction": {**good["instruction"], "authorization_to_sign": "00" * 32},
        },
        "longer": purchase(quote),
    }
    preimage = wrong["longer"]["instruction"]["preimage_xdr"]
    wrong["longer"]["instruction"]["preimage_xdr"] = jws.encode(
        jws.decode_binary(preimage) + b"\0\0\0\0"
    )
    given = [good, purchase(with_fee), *wrong.values()]
    first, second, *refused = run(tmp_path, CHECK, given)
    assert first == good["instruction"]["authorization_to_sign"]
    assert second == given[1]["instruction"]["authorization_to_sign"]
    for name, said in zip(wrong, refused, strict=True):
        assert said.startswith("NotAgreed"), name


def test_free_purchase_is_checked_too(till: Till, tmp_path: Path) -> None:
    quote = quote_for(PAYEE.address, amount=0)
    bought = till.shop.instruct(BUYER, amount=0)
    page = purchase(quote)
    page |= {"id": bought.pk, "access_key": bought.access_key, "quote": bought.quote}
    page["instruction"]["authorization_to_sign"] = bought.signing_hash
    page["text"] = freebies.wallet_text(bytes.fromhex(bought.signing_hash))
    stranger = {**page, "access_key": "11" * 32}
    good, refused = run(tmp_path, CHECK, [page, stranger])
    assert good == bought.signing_hash
    assert refused.startswith("NotAgreed")


def test_addresses_and_bytes_are_read_and_written(tmp_path: Path) -> None:
    code = """
    import { accountOf, fromAddress, fromBase64, hex } from "./bytes.js";
    const { key } = fromAddress(given.account);
    let refused = 0;
    for (const text of given.wrong) try { fromAddress(text); } catch { refused++; }
    console.log(JSON.stringify([hex(key), accountOf(key), hex(fromBase64("-_8")), refused]));
    """
    account = BUYER.address
    wrong = ["", "G", account[:-1], account.lower(), account[:-1] + "7", "S" + account[1:]]
    found = run(tmp_path, code, {"account": account, "wrong": wrong})
    assert found == [BUYER.key.hex(), account, "fbff", len(wrong)]


def test_token_that_a_page_derives_is_one_of_the_grant(till: Till, tmp_path: Path) -> None:
    seed = BUYER.seed
    bought = till.paid()
    code = """
    import { accessToken } from "./deriving.js";
    console.log(JSON.stringify(await accessToken(given)));
    """
    given = {
        "grant": bought.granted.token,
        "accessKey": jws.encode(seed),
        "path": "/v1",
        "methods": ["GET"],
        "seconds": 60,
        "name": "ci",
    }
    token = tokens.read(run(tmp_path, code, given), keys.verifying())
    assert isinstance(token, AccessToken), token
    assert token.client_id == "ci"
    admitted = {"issuer": settings.ORIGIN, "route": bought.route, "now_s": time.time()}
    assert tokens.admit(token, method="GET", path="/v1/x", **admitted) is None
    assert tokens.admit(token, method="POST", path="/v1/x", **admitted) is not None
    assert tokens.admit(token, method="GET", path="/v2", **admitted) is not None
