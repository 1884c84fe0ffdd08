"""What a SEP-41 token says of itself, asked by simulation: nothing is sent."""

from stellar_sdk import Account, TransactionBuilder, scval, xdr

from billing.domain.errors import CannotPay, InsufficientBalance
from billing.rails.port import Order
from billing.rails.stellar.holdings import units
from billing.rails.stellar.rpc import Rpc


def check(rpc: Rpc, order: Order, passphrase: str) -> None:
    """Whether the buyer holds the price. What else a token asks of its holders it says itself,
    when the purchase is simulated."""
    quote = order.quote
    told = ask(rpc, quote.sac, "balance", [scval.to_address(order.buyer)], passphrase)
    if told is None or told.i128 is None:
        raise CannotPay(f"{quote.asset} ({quote.sac}) does not answer as a token: tell the seller.")
    held = scval.from_int128(told)
    if held < quote.amount:
        raise InsufficientBalance(
            f"The price is {units(quote.amount)} {quote.asset} and the balance is {units(held)}: "
            f"add at least {units(quote.amount - held)}."
        )


def decimals(rpc: Rpc, token: str, passphrase: str) -> int | None:
    told = ask(rpc, token, "decimals", [], passphrase)
    return None if told is None or told.u32 is None else told.u32.uint32


def ask(
    rpc: Rpc, contract: str, function: str, arguments: list[xdr.SCVal], passphrase: str
) -> xdr.SCVal | None:
    """What a function that changes nothing returns; None when it fails."""
    builder = TransactionBuilder(Account(NOBODY, 0), passphrase)
    builder.append_invoke_contract_function_op(contract, function, arguments)
    simulated = rpc.simulate(builder.add_time_bounds(0, 0).build(), enforce=False)
    if simulated.error is not None or not simulated.results:
        return None
    return xdr.SCVal.from_xdr(simulated.results[0].xdr)


# A simulation has a source, and asks nothing of it.
NOBODY = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF"
