import hashlib

import pytest
from stellar_sdk import Account, InvokeHostFunction, Keypair, StrKey, TransactionBuilder, xdr

from marketplace.domain import chains
from tests.vectors.contract import KNOWN

# Published by Circle and by stellar.expert, not derived here.
PUBLISHED_SACS = {
    ("pubnet", "USDC"): "CCW67TSZV3SSS2HXMBQ5JFGCKJNXKZM7UQUWUZPUTHXSTZLEO7SJMI75",
    ("testnet", "USDC"): "CBIELTK6YBZJU5UP2WWQEUCYKLPU6AUNZ2BQ4WWFEIE3USCIHMXQDAMA",
    ("pubnet", "EURC"): "CDTKPWPLOURQA2SGTKTUQOWRCBZEORB4BWBOMJ3D3ZTQQSGE5F6JBQLV",
    ("testnet", "EURC"): "CCUUDM434BMZMYWYDITHFXHDMIVTGGD6T2I5UKNX5BSLXLW7HVR4MCGZ",
}


@pytest.mark.parametrize(("network", "code"), PUBLISHED_SACS)
def test_asset_contract_is_the_published_one(network: str, code: str) -> None:
    chain = chains.chain(network, contract=KNOWN["contract"])
    assert chain.assets[code].sac == PUBLISHED_SACS[network, code]


@pytest.mark.parametrize("code", ["USDC", "EURC"])
def test_sandbox_issuer_is_never_circles(code: str) -> None:
    asset = chains.sandbox().assets[code]
    assert asset.issuer == KNOWN["accounts"][f"issuer {code}"]
    assert asset.issuer not in {issuers[code] for issuers in chains.ISSUERS.values()}


def test_sandbox_contract_and_seeds_are_those_of_the_fixed_labels() -> None:
    assert chains.sandbox().contract == KNOWN["contract"]
    seed = hashlib.sha256(b"apicharge sandbox friendbot").digest()
    assert chains.sandbox_seed("friendbot") == seed
    account = Keypair.from_raw_ed25519_seed(seed).public_key
    assert account == KNOWN["accounts"]["friendbot"]


def test_sandbox_answers_stock_testnet_clients() -> None:
    chain = chains.sandbox()
    assert chain.passphrase == "Test SDF Network ; September 2015"
    expected = "cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472"
    assert chain.network_id.hex() == expected
    assert chain.is_sandbox


@pytest.mark.parametrize(
    ("name", "contract"),
    [
        ("testnet", ""),
        ("local", ""),
        ("pubnet", chains.ISSUERS["pubnet"]["USDC"]),
        ("sandbox", KNOWN["contract"]),
        ("mainnet", KNOWN["contract"]),
        ("", ""),
    ],
)
def test_unusable_network_is_refused(name: str, contract: str) -> None:
    with pytest.raises(chains.ChainError):
        chains.chain(name, contract)


def test_assets_of_a_chain_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        chains.sandbox().assets["USDC"] = None  # type: ignore[index]


def test_contract_of_a_real_network_is_the_one_that_its_operator_deploys() -> None:
    """The id is what the network itself derives: of the SDK's own preimage."""
    chain = chains.chain("testnet", channel_key=bytes(32))
    operator = Keypair.from_raw_ed25519_seed(chains.operator_seed(bytes(32), "testnet"))
    builder = TransactionBuilder(Account(operator.public_key, 0), chain.passphrase)
    builder.append_create_contract_op("00" * 32, operator.public_key, None, chains.CONTRACT_SALT)
    builder.set_timeout(60)
    call = builder.build().transaction.operations[0]
    assert isinstance(call, InvokeHostFunction)
    made = call.host_function.create_contract_v2 or call.host_function.create_contract
    assert made is not None
    preimage = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID,
        contract_id=xdr.HashIDPreimageContractID(
            xdr.Hash(chain.network_id), made.contract_id_preimage
        ),
    )
    digest = hashlib.sha256(preimage.to_xdr_bytes()).digest()
    assert chain.contract == StrKey.encode_contract(digest)


def test_named_contract_goes_before_the_operators() -> None:
    chain = chains.chain("testnet", KNOWN["contract"], channel_key=bytes(32))
    assert chain.contract == KNOWN["contract"]


def test_operator_and_contract_differ_by_network_and_key() -> None:
    made = [
        chains.chain(name, channel_key=key * 32)
        for name in ("local", "testnet", "pubnet")
        for key in (b"a", b"b")
    ]
    assert len({chain.contract for chain in made}) == len(made)


def test_local_network_has_play_money_of_its_own() -> None:
    local, sandbox = chains.chain("local", channel_key=bytes(32)), chains.sandbox()
    assert local.passphrase == "Standalone Network ; February 2017"
    assert local.is_play
    for code in ("USDC", "EURC"):
        assert local.assets[code].issuer == sandbox.assets[code].issuer
        assert local.assets[code].sac != sandbox.assets[code].sac


def test_more_assets_are_named_by_code_and_issuer() -> None:
    issuer = KNOWN["accounts"]["friendbot"]
    chain = chains.chain("sandbox", more=chains.more_assets([f"GOLD:{issuer}"]))
    assert set(chain.assets) == {"USDC", "EURC", "GOLD"}
    assert chain.assets["GOLD"].issuer == issuer


@pytest.mark.parametrize(
    "given",
    [["GOLD"], ["GOLD:x"], [":{g}"], ["USDC:{g}"], ["GOLD:{g}", "GOLD:{g}"], ["TOOLONGACODE1:{g}"]],
)
def test_asset_that_cannot_be_is_refused(given: list[str]) -> None:
    issuer = KNOWN["accounts"]["friendbot"]
    with pytest.raises(chains.ChainError):
        chains.more_assets([each.format(g=issuer) for each in given])


def test_token_without_an_issuer_is_named_by_its_contract() -> None:
    chain = chains.chain("sandbox", more=chains.more_assets([f"TOKEN:{KNOWN['contract']}"]))
    token = chain.assets["TOKEN"]
    assert (token.issuer, token.sac) == (KNOWN["contract"], KNOWN["contract"])
    assert token.is_token
    assert not chain.assets["USDC"].is_token
