"""Purchase instructions as a gateway makes them, honest or not. Nothing of the client is used."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from nacl.signing import SigningKey
from stellar_sdk import Address, Asset, Network, StrKey, scval, xdr

PASSPHRASE = Network.TESTNET_NETWORK_PASSPHRASE
LATEST_LEDGER = 5_000
VALID_UNTIL = LATEST_LEDGER + 100
PURCHASE_ID = bytes(range(32))
Call = tuple[str, str, list[xdr.SCVal]]


def account(number: int) -> str:
    key = bytes(SigningKey(bytes([number]) * 32).verify_key)
    return StrKey.encode_ed25519_public_key(key)


SIGNER = SigningKey(b"\x51" * 32)
CONTRACT = StrKey.encode_contract(b"\x52" * 32)
ISSUER, PAYEE, TREASURY, BUYER, STRANGER = (account(n) for n in (11, 12, 13, 14, 15))
SAC = Asset("USDC", ISSUER).contract_id(PASSPHRASE)
ACCESS_KEY = bytes(SigningKey(b"\x16" * 32).verify_key)


def quote_arguments(quote: dict[str, object]) -> xdr.SCVal:
    price = quote["price"]
    assert isinstance(price, dict)
    return scval.to_struct(
        {
            "access_seconds": scval.to_uint64(int(str(quote["access_seconds"]))),
            "amount": scval.to_int128(int(price["amount"])),
            "asset": scval.to_address(price["sac"]),
            "expires_at": scval.to_uint64(int(str(quote["expires_at"]))),
            "fee": scval.to_int128(int(str(quote["fee"]))),
            "payee": scval.to_address(str(quote["payee"])),
            "terms": scval.to_bytes(bytes.fromhex(str(quote["terms"]))),
            "treasury": scval.to_address(str(quote["treasury"])),
        }
    )


@dataclass
class Proposal:
    """What a gateway asks a buyer to sign; each field can be made a lie."""

    quote: dict[str, object]
    buyer: str = BUYER
    access_key: bytes = ACCESS_KEY
    purchase_id: bytes = PURCHASE_ID
    passphrase: str = PASSPHRASE
    contract: str = CONTRACT
    function: str = "purchase"
    signer: bytes = field(default_factory=lambda: bytes(SIGNER.verify_key))
    valid_until: int = VALID_UNTIL
    bound: bool = False
    bound_address: str = ""
    arguments: list[xdr.SCVal] | None = None
    transfers: Sequence[Call] | None = None
    nested: Sequence[Call] = ()

    def preimage(self) -> bytes:
        network = xdr.Hash(Network(self.passphrase).network_id())
        nonce, until, tree = xdr.Int64(-42), xdr.Uint32(self.valid_until), self._tree()
        if not self.bound:
            body = xdr.HashIDPreimageSorobanAuthorization(network, nonce, until, tree)
            kind = xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION
            return xdr.HashIDPreimage(kind, soroban_authorization=body).to_xdr_bytes()
        address = Address(self.bound_address or self.buyer).to_xdr_sc_address()
        wide = xdr.HashIDPreimageSorobanAuthorizationWithAddress(
            network, nonce, until, address, tree
        )
        kind = xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION_WITH_ADDRESS
        return xdr.HashIDPreimage(kind, soroban_authorization_with_address=wide).to_xdr_bytes()

    def document(self) -> dict[str, object]:
        raw = self.preimage()
        return {
            "id": self.purchase_id.hex(),
            "status": "instructed",
            "expires_at": self.quote["expires_at"],
            "authorization_to_sign": hashlib.sha256(raw).hexdigest(),
            "preimage_xdr": base64.b64encode(raw).decode(),
            "entry_xdr": "",
            "valid_until_ledger": self.valid_until,
            "latest_ledger": LATEST_LEDGER,
            "transaction": None,
        }

    def honest_arguments(self) -> list[xdr.SCVal]:
        return [
            scval.to_address(self.buyer),
            quote_arguments(self.quote),
            scval.to_bytes(self.signer),
            scval.to_bytes(bytes.fromhex(str(self.quote["signature"]))),
            scval.to_bytes(self.purchase_id),
            scval.to_bytes(self.access_key),
        ]

    def honest_transfers(self) -> list[Call]:
        price, fee = self.quote["price"], int(str(self.quote["fee"]))
        assert isinstance(price, dict)
        moves = [(str(self.quote["payee"]), int(price["amount"]) - fee)]
        moves += [(str(self.quote["treasury"]), fee)] if fee else []
        return [transfer(to, amount, buyer=self.buyer) for to, amount in moves]

    def _tree(self) -> xdr.SorobanAuthorizedInvocation:
        arguments = self.honest_arguments() if self.arguments is None else self.arguments
        transfers = self.honest_transfers() if self.transfers is None else self.transfers
        subs = [_node(call, []) for call in transfers]
        if self.nested:
            subs[0].sub_invocations = [_node(call, []) for call in self.nested]
        return _node((self.contract, self.function, arguments), subs)


def transfer(to: str, amount: int, *, buyer: str = BUYER, sac: str = SAC) -> Call:
    return (
        sac,
        "transfer",
        [scval.to_address(buyer), scval.to_address(to), scval.to_int128(amount)],
    )


def _node(
    call: Call, subs: list[xdr.SorobanAuthorizedInvocation]
) -> xdr.SorobanAuthorizedInvocation:
    contract, function, arguments = call
    return xdr.SorobanAuthorizedInvocation(
        xdr.SorobanAuthorizedFunction(
            xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN,
            contract_fn=xdr.InvokeContractArgs(
                Address(contract).to_xdr_sc_address(), xdr.SCSymbol(function.encode()), arguments
            ),
        ),
        subs,
    )


def signed_quote(
    *,
    route: str = "weather/forecast",
    name: str = "Hour pass",
    amount: int = 2_500_000,
    fee: int = 25_000,
    expires_at: int = 4_000_000_000,
    signer: SigningKey = SIGNER,
    contract: str = CONTRACT,
    **changes: object,
) -> dict[str, object]:
    """A quote as the marketplace signs it; `changes` are made before it is signed."""
    quote: dict[str, object] = {
        "route": route,
        "name": name,
        "price": {"amount": str(amount), "asset": "USDC", "issuer": ISSUER, "sac": SAC},
        "payee": PAYEE,
        "fee": str(fee),
        "treasury": TREASURY if fee else PAYEE,
        "access_seconds": 3600,
        "starts": "purchase",
        "charge": "success",
        "adjustable": False,
        "meter": None,
        "limits": [{"kind": "calls", "count": 3, "window_seconds": None}],
        "expires_at": expires_at,
        **changes,
    }
    quote["terms"] = hashlib.sha256(_canonical(quote)).hexdigest()
    envelope = scval.to_struct(
        {
            "contract": scval.to_address(contract),
            "domain": scval.to_symbol("apicharge_quote_v1"),
            "network": scval.to_bytes(Network(PASSPHRASE).network_id()),
            "quote": quote_arguments(quote),
        }
    )
    digest = hashlib.sha256(envelope.to_xdr_bytes()).digest()
    quote["digest"] = digest.hex()
    quote["signature"] = signer.sign(digest).signature.hex()
    return quote


def _canonical(quote: dict[str, object]) -> bytes:
    """JCS of plain ASCII terms: sorted keys, no spaces."""
    names = ("access_seconds", "adjustable", "charge", "limits", "meter", "route", "starts")
    terms = {name: quote[name] for name in names}
    return json.dumps(terms, sort_keys=True, separators=(",", ":")).encode()
