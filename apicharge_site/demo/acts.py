"""The demo, act by act. Every figure is checked against what was sold."""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from apicharge_client.money import show

from apicharge_site.demo import provider, seeding
from apicharge_site.demo.browser import Browser
from apicharge_site.demo.customer import Bought, Customer
from apicharge_site.demo.network import Network
from apicharge_site.demo.transcript import Deviation, Transcript
from marketplace.domain.chains import Chain

RPC_ROUTE, DOWNLOAD_ROUTE = f"{seeding.RPC}/rpc", f"{seeding.FILES}/download"
FILE_BYTES = 3 * seeding.MEGABYTE
TOKEN_SECONDS = 60
NEW_PRICE, NEW_CALLS = "4", 500


@dataclass(frozen=True, slots=True)
class Stage:
    origin: str
    home: Path
    transcript: Transcript
    customer: Customer
    network: Network
    chain: Chain
    manage: Callable[..., "subprocess.CompletedProcess[str]"]

    @property
    def rpc_url(self) -> str:
        return f"{self.origin}/gate/{seeding.RPC}/"

    def earned(self) -> int:
        """What the provider's account holds."""
        address = seeding.payout(self.home).public_key
        return self.network.balance(address, "USDC", self.chain.assets["USDC"].issuer)


def play(stage: Stage) -> None:
    before = stage.earned()
    refuse_bare_call(stage)
    rpc = buy_rpc(stage)
    call_rpc(stage, rpc)
    files = cut_download(stage)
    refuse_expired_token(stage, rpc)
    change_price(stage, rpc)
    check_books(stage, before, [rpc, files])
    stage.transcript.end()


def refuse_bare_call(stage: Stage) -> None:
    stage.transcript.act("A call without a token")
    call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    answer = stage.customer.http.post(stage.rpc_url, json=call)
    stage.transcript.expect("status", answer.status_code, 402)
    problem = answer.json()
    stage.transcript.expect("route", problem["route"], RPC_ROUTE)
    stage.transcript.say(problem["guidance"]["summary"])


def buy_rpc(stage: Stage) -> Bought:
    say = stage.transcript.say
    stage.transcript.act("Quote, purchase instruction, signature, grant")
    for quote in stage.customer.offers(RPC_ROUTE):
        say(f"{quote.name}: {quote.price}, quote {quote.digest.hex()[:16]}…, signature verified")
    stage.network.fund(stage.customer.address, "USDC")
    say(f"buyer {stage.customer.address}, funded with test USDC by friendbot")
    bought = stage.customer.buy(RPC_ROUTE, "Hour pass", "USDC:3")
    say("instruction checked against the quote before it was signed; no other transfer in it")
    _say_bought(stage, bought)
    return bought


def _say_bought(stage: Stage, bought: Bought) -> None:
    say = stage.transcript.say
    say(f"paid {bought.grant.price} in ledger {bought.ledger}, transaction {bought.transaction}")
    say(f"granted {bought.seconds:.1f} s after the first request; grant {bought.grant.id[:16]}…")


def call_rpc(stage: Stage, bought: Bought) -> None:
    stage.transcript.act(f"Stellar's own SDK through the gate, with a {TOKEN_SECONDS}-second token")
    token = stage.customer.token(bought.grant, TOKEN_SECONDS)
    server = stage.customer.soroban(stage.rpc_url, token)
    try:
        stage.transcript.expect("getHealth", server.get_health().status, "healthy")
        stage.transcript.expect(
            "getNetwork", server.get_network().passphrase, stage.chain.passphrase
        )
        stage.transcript.say(f"getLatestLedger: {server.get_latest_ledger().sequence}")
    finally:
        server.close()
    stage.transcript.expect("left of the grant", calls_left(stage, bought), "997 of 1000 calls")


def calls_left(stage: Stage, bought: Bought) -> str:
    """As the server counts, which is asked anew."""
    limit = stage.customer.left(bought.grant)["limits"][0]
    return f"{limit['left']} of {limit['count']} calls"


def cut_download(stage: Stage) -> Bought:
    limit = seeding.MEGABYTE
    stage.transcript.act(f"A file of {FILE_BYTES:,} bytes, with {limit:,} bytes bought")
    bought = stage.customer.buy(DOWNLOAD_ROUTE, "One megabyte", "USDC:1")
    _say_bought(stage, bought)
    url = f"{stage.origin}/gate/{seeding.FILES}/files/{FILE_BYTES}.bin"
    token = stage.customer.token(bought.grant, TOKEN_SECONDS)
    got = stage.customer.download(url, token)
    stage.transcript.expect("status", got.status, 200)
    stage.transcript.expect("announced bytes", got.announced, FILE_BYTES)
    stage.transcript.expect("received bytes", got.received, limit)
    stage.transcript.expect("body ended as if whole", got.whole, False)
    again = stage.customer.http.get(url, headers={"apicharge": token})
    stage.transcript.expect("the next call", again.status_code, 402)
    return bought


def refuse_expired_token(stage: Stage, bought: Bought) -> None:
    stage.transcript.act("A token past its time")
    call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    headers = {"apicharge": stage.customer.token(bought.grant, 2)}
    fresh = stage.customer.http.post(stage.rpc_url, json=call, headers=headers)
    stage.transcript.expect("within its two seconds", fresh.status_code, 200)
    time.sleep(2.05)  # The time itself is what is shown.
    late = stage.customer.http.post(stage.rpc_url, json=call, headers=headers)
    stage.transcript.expect("after them", late.status_code, 401)
    told = 'error="token_expired"' in late.headers["www-authenticate"]
    stage.transcript.expect('told error="token_expired", not to pay', told, True)


def change_price(stage: Stage, bought: Bought) -> None:
    expect = stage.transcript.expect
    stage.transcript.act("The provider changes price and limits in the admin")
    before = calls_left(stage, bought)
    login = seeding.logins(stage.home)[0]
    with closing(Browser(stage.origin)) as browser:
        provider.change_price(
            browser,
            login,
            "Hour pass",
            found_by="JSON-RPC",
            price=NEW_PRICE,
            calls_amount=str(NEW_CALLS),
        )
    stage.transcript.say(f"logged in as {login.name}, edited the form, published a new version")
    [now] = [quote for quote in stage.customer.offers(RPC_ROUTE) if quote.name == "Hour pass"]
    expect("a new quote", now.price, show(int(NEW_PRICE) * 100 * seeding.CENT, "USDC"))
    expect("its calls", now.document.objects("limits")[0].integer("count"), NEW_CALLS)
    expect("the sold grant still has", calls_left(stage, bought), before)
    headers = {"apicharge": stage.customer.token(bought.grant, TOKEN_SECONDS)}
    call = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    answer = stage.customer.http.post(stage.rpc_url, json=call, headers=headers)
    expect("a call with it", answer.status_code, 200)
    expect("which leaves", calls_left(stage, bought), "995 of 1000 calls")


def check_books(stage: Stage, before: int, bought: list[Bought]) -> None:
    stage.transcript.act("The books")
    prices = {RPC_ROUTE: 25 * seeding.CENT, DOWNLOAD_ROUTE: 10 * seeding.CENT}
    due = sum(prices[one.grant.route] for one in bought)
    grown = stage.earned() - before
    stage.transcript.expect(
        "the provider's balance grew by", show(grown, "USDC"), show(due, "USDC")
    )
    verified = stage.manage("verify_audit")
    if verified.returncode != 0:
        raise Deviation(f"verify_audit: {verified.stdout}{verified.stderr}")
    stage.transcript.say(verified.stdout.strip())
