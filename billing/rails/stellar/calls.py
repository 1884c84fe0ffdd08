"""The call that a buyer authorizes, byte for byte.

`purchase(buyer, quote, signer, signature, purchase_id, access_key)` of our contract, which may in
turn call `transfer` of the asset: buyer → payee, amount - fee, and if there is a fee, buyer →
treasury, fee. Nothing else is in the tree that the buyer signs.
"""

from dataclasses import dataclass

from stellar_sdk import Address, StrKey, scval, xdr
from stellar_sdk.auth import authorization_payload_hash, build_authorization_preimage

from billing.domain.errors import AuthorizationInvalid
from billing.rails.port import Order
from gateway.domain import ed25519
from marketplace.domain import quotes
from marketplace.domain.chains import Chain

FUNCTION = "purchase"
_ADDRESS = xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_ADDRESS
_CONTRACT_FN = xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN


def arguments(order: Order, signer: bytes) -> list[xdr.SCVal]:
    return [
        scval.to_address(order.buyer),
        quotes.quote_scval(order.quote),
        scval.to_bytes(signer),
        scval.to_bytes(bytes.fromhex(order.quote.signature)),
        scval.to_bytes(order.purchase_id),
        scval.to_bytes(order.access_key),
    ]


def invocation(order: Order, signer: bytes, chain: Chain) -> xdr.SorobanAuthorizedInvocation:
    quote = order.quote
    transfers = [_transfer(order, quote.payee, quote.amount - quote.fee)]
    if quote.fee:
        transfers.append(_transfer(order, quote.treasury, quote.fee))
    return _node(chain.contract, FUNCTION, arguments(order, signer), transfers)


def unsigned_entry(
    root: xdr.SorobanAuthorizedInvocation, buyer: str, *, nonce: int, valid_until: int
) -> xdr.SorobanAuthorizationEntry:
    """With legacy address credentials: the buyer is an argument of the call, so they bind as much
    as the newer kind, and every wallet knows them."""
    credentials = xdr.SorobanAddressCredentials(
        address=Address(buyer).to_xdr_sc_address(),
        nonce=xdr.Int64(nonce),
        signature_expiration_ledger=xdr.Uint32(valid_until),
        signature=scval.to_void(),
    )
    return xdr.SorobanAuthorizationEntry(
        credentials=xdr.SorobanCredentials(_ADDRESS, address=credentials), root_invocation=root
    )


def preimage(entry: xdr.SorobanAuthorizationEntry, passphrase: str) -> xdr.HashIDPreimage:
    return build_authorization_preimage(entry, _credentials(entry).valid_until, passphrase)


def signing_hash(entry: xdr.SorobanAuthorizationEntry, passphrase: str) -> bytes:
    return authorization_payload_hash(preimage(entry, passphrase))


def signed_entry(unsigned: str, *, public_key: bytes, signature: bytes) -> str:
    """Our own entry with the buyer's signature put in."""
    entry = xdr.SorobanAuthorizationEntry.from_xdr(unsigned)
    credentials = entry.credentials.address
    if credentials is None:
        raise AuthorizationInvalid("The entry does not have address credentials.")
    credentials.signature = scval.to_vec(
        [
            scval.to_map(
                {
                    scval.to_symbol("public_key"): scval.to_bytes(public_key),
                    scval.to_symbol("signature"): scval.to_bytes(signature),
                }
            )
        ]
    )
    return entry.to_xdr()


def checked_entry(unsigned: str, *, buyer: str, signature: bytes, passphrase: str) -> str:
    """The signed entry, when `signature` is the buyer's over what we asked to be signed."""
    entry = xdr.SorobanAuthorizationEntry.from_xdr(unsigned)
    public_key = StrKey.decode_ed25519_public_key(buyer)
    if not ed25519.verify(public_key, signing_hash(entry, passphrase), signature):
        raise AuthorizationInvalid("The signature is not the buyer's over authorization_to_sign.")
    return signed_entry(unsigned, public_key=public_key, signature=signature)


def checked_offer(unsigned: str, offered: str, *, buyer: str, passphrase: str) -> str:
    """The signed entry, when `offered` is that and nothing else, byte for byte."""
    signed = checked_entry(
        unsigned, buyer=buyer, signature=signature_in(offered), passphrase=passphrase
    )
    if signed != offered:
        raise AuthorizationInvalid("entry_xdr is not the signed entry of this instruction.")
    return signed


def signature_in(offered: str) -> bytes:
    try:
        entry = xdr.SorobanAuthorizationEntry.from_xdr(offered)
        return _only_signature(_credentials(entry).signature)
    except AuthorizationInvalid:
        raise
    except Exception as exc:  # The reader of XDR has no common exception: all refuse.
        raise AuthorizationInvalid("entry_xdr cannot be read.") from exc


@dataclass(frozen=True, slots=True)
class _Credentials:
    valid_until: int
    signature: xdr.SCVal


def _credentials(entry: xdr.SorobanAuthorizationEntry) -> _Credentials:
    address = entry.credentials.address
    if address is None:
        raise AuthorizationInvalid("The entry does not have address credentials.")
    return _Credentials(address.signature_expiration_ledger.uint32, address.signature)


def _only_signature(value: xdr.SCVal) -> bytes:
    signatures = scval.to_native(value)
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise AuthorizationInvalid("The entry must hold exactly one signature.")
    signature = signatures[0]["signature"]
    if not isinstance(signature, bytes):
        raise AuthorizationInvalid("The entry must hold exactly one signature.")
    return signature


def _transfer(order: Order, to: str, amount: int) -> xdr.SorobanAuthorizedInvocation:
    moved = [scval.to_address(order.buyer), scval.to_address(to), scval.to_int128(amount)]
    return _node(order.quote.sac, "transfer", moved, [])


def _node(
    contract: str,
    function: str,
    args: list[xdr.SCVal],
    below: list[xdr.SorobanAuthorizedInvocation],
) -> xdr.SorobanAuthorizedInvocation:
    call = xdr.InvokeContractArgs(
        contract_address=Address(contract).to_xdr_sc_address(),
        function_name=xdr.SCSymbol(function.encode()),
        args=args,
    )
    return xdr.SorobanAuthorizedInvocation(
        function=xdr.SorobanAuthorizedFunction(_CONTRACT_FN, contract_fn=call),
        sub_invocations=below,
    )
