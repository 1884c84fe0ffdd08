"""Uploading code, and creating contracts from it or for a classic asset."""

import hashlib

from stellar_sdk import Asset, StrKey, scval, xdr

from billing.sandbox import assets, entries, machine, network
from billing.sandbox.host import CONSTRUCTOR, Host
from billing.sandbox.hosterrors import Code, HostError, Kind

CODE_BYTES_MAX = 128 * 1024  # The network's own limit.


def upload(code: bytes, host: Host) -> xdr.SCVal:
    """Code that is there already is not written again."""
    if len(code) > CODE_BYTES_MAX:
        raise HostError(Kind.SCE_BUDGET, Code.SCEC_EXCEEDED_LIMIT, "code is too large")
    machine.check(code)
    digest = hashlib.sha256(code).digest()
    key = entries.code_key(digest)
    if host.view.get(key) is None:
        host.view.put(key, entries.of_code(digest, code), _least_life(host))
    return scval.to_bytes(digest)


def create(function: xdr.HostFunction, host: Host) -> xdr.SCVal:
    if (older := function.create_contract) is not None:
        kind = xdr.SorobanAuthorizedFunctionType
        authorized = xdr.SorobanAuthorizedFunction(
            kind.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CREATE_CONTRACT_HOST_FN,
            create_contract_host_fn=older,
        )
        return _create(host, authorized, older, [])
    newer = function.create_contract_v2
    assert newer is not None  # There is no fourth kind.
    authorized = xdr.SorobanAuthorizedFunction(
        xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CREATE_CONTRACT_V2_HOST_FN,
        create_contract_v2_host_fn=newer,
    )
    return _create(host, authorized, newer, newer.constructor_args)


def _create(
    host: Host,
    authorized: xdr.SorobanAuthorizedFunction,
    wanted: xdr.CreateContractArgs | xdr.CreateContractArgsV2,
    args: list[xdr.SCVal],
) -> xdr.SCVal:
    preimage, executable = wanted.contract_id_preimage, wanted.executable
    if preimage.from_asset is not None:
        return _create_for_asset(preimage.from_asset, host)
    if preimage.from_address is None or executable.wasm_hash is None:
        raise HostError(
            Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "an asset's contract is made from its asset"
        )
    host.authorization.push(authorized)
    try:
        host.authorization.require(entries.address_of(preimage.from_address.address))
        contract = _contract_id(preimage)
        _put_instance(host, contract, entries.new_instance(executable), _least_life(host))
        _construct(host, contract, executable, args)
    finally:
        host.authorization.pop()
    return scval.to_address(contract)


def _construct(
    host: Host, contract: str, executable: xdr.ContractExecutable, args: list[xdr.SCVal]
) -> None:
    program = host.programs(executable, host.view)
    if program.defines(CONSTRUCTOR):
        host.construct(contract, args)
    elif args:
        raise HostError(
            Kind.SCE_CONTEXT, Code.SCEC_INVALID_INPUT, "the contract has no constructor"
        )


def _create_for_asset(named: xdr.Asset, host: Host) -> xdr.SCVal:
    try:
        asset = Asset.from_xdr_object(named)
    except ValueError as problem:
        raise HostError(Kind.SCE_VALUE, Code.SCEC_INVALID_INPUT, "invalid asset") from problem
    contract = asset.contract_id(network.PASSPHRASE)
    # Nothing renews it here, as the asset contract of a real node does.
    longest = host.closing.sequence + network.ENTRY_TTL_MAX_LEDGERS - 1
    _put_instance(host, contract, assets.instance_of(asset), longest)
    return scval.to_address(contract)


def _put_instance(host: Host, contract: str, instance: xdr.SCVal, live_until: int) -> None:
    key = entries.instance_key(contract)
    if host.view.value(key) is not None:
        raise HostError(Kind.SCE_STORAGE, Code.SCEC_EXISTING_VALUE, "contract already exists")
    host.view.put_value(key, instance, live_until)


def _least_life(host: Host) -> int:
    return host.closing.sequence + network.PERSISTENT_TTL_MIN_LEDGERS - 1


def _contract_id(preimage: xdr.ContractIDPreimage) -> str:
    hashed = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
        contract_id=xdr.HashIDPreimageContractID(xdr.Hash(network.NETWORK_ID), preimage),
    )
    return StrKey.encode_contract(hashlib.sha256(hashed.to_xdr_bytes()).digest())
