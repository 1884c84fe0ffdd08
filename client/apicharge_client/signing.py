"""Signing a purchase that was begun on a web page: compared first, then signed, never sent.

The page shows an address with what was agreed. The signature is for pasting back into it.
"""

from apicharge_client import gateway as gw
from apicharge_client import quotes
from apicharge_client.buying import Buyer
from apicharge_client.checking import Instruction, Order, check
from apicharge_client.errors import KeyProblem, NotAffordable
from apicharge_client.money import show
from apicharge_client.quotes import Quote
from apicharge_client.steps import Steps


def sign(buyer: Buyer, url: str) -> Steps[tuple[Quote, bytes]]:
    """The quote that is paid and the signature. Raises unless it is within the budget."""
    if buyer.key is None:
        raise KeyProblem("Signing needs the buyer key.")
    page = gw.read((yield from gw.get(url)), "The purchase")
    quote = quotes.parse(page.object("quote"))
    gateway = gw.origin_of(url)
    yield from buyer.offers(gateway, quote.route)
    pin = buyer.store.pin(gateway)
    assert pin is not None
    quotes.verify(quote, pin)
    if page.text("buyer") != buyer.key.address:
        raise KeyProblem(
            f"The purchase is for {page.text('buyer')}.", "Use that account's key, or begin anew."
        )
    if quote.amount and quote.amount > buyer.budget.left(quote.asset):
        raise NotAffordable(
            f"It costs {quote.price}.",
            f"If you agree: --budget {quote.asset}:{show(quote.amount, quote.asset).split()[0]}",
        )
    instruction = Instruction.parse(page.object("instruction"))
    ledger = instruction.latest_ledger
    if buyer.rpc_url and quote.amount:
        ledger = yield from gw.latest_ledger(buyer.rpc_url)
    order = Order(quote, pin, buyer.key.address, page.hex("access_key", 32))
    return quote, buyer.key.sign(check(instruction, order, ledger))
