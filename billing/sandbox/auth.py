"""Authorization of contract calls, as the Soroban host does it.

Who is asked for (`require_auth`) must have signed for this very call at this place in the tree of
calls. An entry's root matches a call once; below it, calls match its sub-invocations. Only when the
root matches is the signature checked and the nonce spent: an entry nobody asked for costs nothing.

Simulation records instead: it writes down the tree that would have been enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stellar_sdk import Address, scval, xdr
from stellar_sdk.auth import authorization_payload_hash, build_authorization_preimage

from billing.sandbox import entries, network, signers
from billing.sandbox.hosterrors import Code, HostError, Kind
from billing.sandbox.state import View
from gateway.domain import ed25519

Credentials = xdr.SorobanCredentialsType


class Authorization(Protocol):
    def push(self, call: xdr.SorobanAuthorizedFunction) -> None: ...
    def pop(self) -> None: ...
    def require(self, address: str) -> None: ...


def credentials_of(entry: xdr.SorobanAuthorizationEntry) -> xdr.SorobanAddressCredentials | None:
    """None for the transaction's source account."""
    match entry.credentials.type:
        case Credentials.SOROBAN_CREDENTIALS_ADDRESS:
            return entry.credentials.address
        case Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2:
            return entry.credentials.address_v2
        case Credentials.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT:
            return None
        case _:
            raise HostError(
                Kind.SCE_AUTH, Code.SCEC_INVALID_INPUT, "delegated credentials are not supported"
            )


def function_of(call: xdr.InvokeContractArgs) -> xdr.SorobanAuthorizedFunction:
    kind = xdr.SorobanAuthorizedFunctionType
    return xdr.SorobanAuthorizedFunction(
        kind.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN, contract_fn=call
    )


@dataclass(slots=True)
class _Tree:
    """One authorized tree, and which of its nodes each running call has matched."""

    address: str
    root: xdr.SorobanAuthorizedInvocation
    entry: xdr.SorobanAuthorizationEntry | None  # None when recorded.
    matched: list[xdr.SorobanAuthorizedInvocation | None]
    used: set[int] = field(default_factory=set)

    def above(self) -> xdr.SorobanAuthorizedInvocation | None:
        """What the nearest call that this tree authorized has matched."""
        return next((node for node in reversed(self.matched[:-1]) if node is not None), None)

    def open_nodes(self) -> Iterator[xdr.SorobanAuthorizedInvocation]:
        above = self.above()
        nodes = [self.root] if above is None else above.sub_invocations
        return (node for node in nodes if id(node) not in self.used)


class Enforcing:
    def __init__(
        self, signed: Sequence[xdr.SorobanAuthorizationEntry], *, source: str, view: View
    ) -> None:
        self.view = view
        self.calls: list[bytes] = []
        self.trees = [
            _Tree(self._address(entry, source), entry.root_invocation, entry, [])
            for entry in signed
        ]

    @staticmethod
    def _address(entry: xdr.SorobanAuthorizationEntry, source: str) -> str:
        credentials = credentials_of(entry)
        return source if credentials is None else entries.address_of(credentials.address)

    def push(self, call: xdr.SorobanAuthorizedFunction) -> None:
        self.calls.append(call.to_xdr_bytes())
        for tree in self.trees:
            tree.matched.append(None)

    def pop(self) -> None:
        self.calls.pop()
        for tree in self.trees:
            tree.matched.pop()

    def require(self, address: str) -> None:
        trees = [tree for tree in self.trees if tree.address == address]
        if any(tree.matched[-1] is not None for tree in trees):
            raise _refused(Code.SCEC_EXISTING_VALUE, "frame is already authorized", address)
        for tree in trees:
            for node in tree.open_nodes():
                if node.function.to_xdr_bytes() == self.calls[-1]:
                    if node is tree.root:
                        self._authenticate(tree)
                    tree.used.add(id(node))
                    tree.matched[-1] = node
                    return
        raise _refused(Code.SCEC_INVALID_ACTION, "Unauthorized function call for address", address)

    def _authenticate(self, tree: _Tree) -> None:
        assert tree.entry is not None
        credentials = credentials_of(tree.entry)
        if credentials is None:
            return  # The envelope's signature is the source account's authorization.
        try:
            check_signatures(self.view, tree.entry, tree.address)
        except HostError as cause:
            raise HostError(
                Kind.SCE_AUTH,
                Code.SCEC_INVALID_ACTION,
                f"failed account authentication with error: {cause.message}",
                scval.to_address(tree.address),
                cause.to_scval(),
            ) from cause
        self._spend_nonce(credentials, tree.address)

    def _spend_nonce(self, credentials: xdr.SorobanAddressCredentials, address: str) -> None:
        now = self.view.sequence
        expiration = credentials.signature_expiration_ledger.uint32
        if expiration < now:
            raise _refused(Code.SCEC_INVALID_INPUT, "signature has expired", address)
        if expiration > now + network.ENTRY_TTL_MAX_LEDGERS - 1:
            raise _refused(Code.SCEC_INVALID_INPUT, "signature expiration is too late", address)
        key = entries.nonce_key(address, credentials.nonce.int64)
        if self.view.value(key) is not None:
            raise _refused(Code.SCEC_EXISTING_VALUE, "nonce already exists for address", address)
        least = now + network.TEMPORARY_TTL_MIN_LEDGERS - 1  # Of whatever is temporary.
        self.view.put_value(key, scval.to_void(), live_until=max(expiration, least))


class Recording:
    """Grants what is asked for. `nonces` are the ones that the entries will carry."""

    def __init__(
        self, *, source: str, view: View, nonces: Iterator[int], upgraded: bool, nonroot: bool
    ) -> None:
        self.source = source
        self.view = view
        self.nonces = nonces
        self.upgraded = upgraded
        self.nonroot = nonroot
        self.calls: list[xdr.SorobanAuthorizedFunction] = []
        self.trees: list[_Tree] = []

    def push(self, call: xdr.SorobanAuthorizedFunction) -> None:
        self.calls.append(call)
        for tree in self.trees:
            tree.matched.append(None)

    def pop(self) -> None:
        self.calls.pop()
        for tree in self.trees:
            tree.matched.pop()

    def require(self, address: str) -> None:
        node = xdr.SorobanAuthorizedInvocation(self.calls[-1], [])
        for tree in self.trees:
            above = tree.above()
            if tree.address == address and above is not None:
                above.sub_invocations.append(node)
                tree.matched[-1] = node
                return
        if len(self.calls) != 1 and not self.nonroot:
            raise _refused(
                Code.SCEC_INVALID_ACTION,
                "[recording authorization only] encountered authorization not tied to the root"
                " contract invocation for an address. Use `require_auth()` in the top invocation"
                " or enable non-root authorization.",
                address,
            )
        frames = [None] * (len(self.calls) - 1)
        self.trees.append(_Tree(address, node, None, [*frames, node]))

    def recorded(self) -> list[xdr.SorobanAuthorizationEntry]:
        """The entries to be signed; their nonces and signers join the footprint."""
        return [
            xdr.SorobanAuthorizationEntry(self._unsigned(tree.address), tree.root)
            for tree in self.trees
        ]

    def _unsigned(self, address: str) -> xdr.SorobanCredentials:
        if address == self.source:
            return xdr.SorobanCredentials(Credentials.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT)
        nonce = next(self.nonces)
        if address.startswith("G"):
            self.view.account(address)
        self.view.put_value(entries.nonce_key(address, nonce), scval.to_void(), live_until=0)
        unsigned = xdr.SorobanAddressCredentials(
            Address(address).to_xdr_sc_address(), xdr.Int64(nonce), xdr.Uint32(0), scval.to_void()
        )
        if self.upgraded:
            kind = Credentials.SOROBAN_CREDENTIALS_ADDRESS_V2
            return xdr.SorobanCredentials(kind, address_v2=unsigned)
        return xdr.SorobanCredentials(Credentials.SOROBAN_CREDENTIALS_ADDRESS, address=unsigned)


def check_signatures(view: View, entry: xdr.SorobanAuthorizationEntry, address: str) -> None:
    """What a classic account's `__check_auth` does: ed25519 over the hashed preimage."""
    credentials = credentials_of(entry)
    assert credentials is not None
    if not address.startswith("G"):
        raise _unauthenticated("contract accounts are not supported by the sandbox")
    account = view.account(address)
    if account is None:
        raise _unauthenticated("account entry is missing")
    preimage = build_authorization_preimage(
        entry, credentials.signature_expiration_ledger.uint32, network.PASSPHRASE
    )
    payload = authorization_payload_hash(preimage)
    signatures = _signatures(credentials.signature)
    keys = [key for key, _ in signatures]
    if keys != sorted(set(keys)):
        raise _unauthenticated("public keys are not ordered")
    weights = signers.weights(account)
    for key, signature in signatures:
        if key not in weights:
            raise _unauthenticated("signature doesn't belong to account")
        if not ed25519.verify(key, payload, signature):
            raise HostError(Kind.SCE_CRYPTO, Code.SCEC_INVALID_INPUT, "failed ED25519 verification")
    if sum(weights[key] for key in keys) < max(1, signers.medium_threshold(account)):
        raise _unauthenticated("signature weight is lower than threshold")


def _signatures(value: xdr.SCVal) -> list[tuple[bytes, bytes]]:
    """`Vec[Map{public_key, signature}]`, and nothing else."""
    if value.vec is None or len(value.vec.sc_vec) > signers.SIGNATURES_MAX:
        raise _unauthenticated("signatures are missing or too many")
    found = []
    for item in value.vec.sc_vec:
        fields = item.map.sc_map if item.map is not None else []
        pair = {
            field.key.sym.sc_symbol: field.val.bytes.sc_bytes
            for field in fields
            if field.key.sym is not None and field.val.bytes is not None
        }
        if len(fields) != 2 or set(pair) != {b"public_key", b"signature"}:
            raise _unauthenticated("a signature is malformed")
        found.append((pair[b"public_key"], pair[b"signature"]))
    return found


def _refused(code: Code, message: str, address: str) -> HostError:
    return HostError(Kind.SCE_AUTH, code, message, scval.to_address(address))


def _unauthenticated(message: str) -> HostError:
    authentication_error = 5  # Of the account contract built into the host.
    return HostError(Kind.SCE_CONTRACT, authentication_error, message)
