import hashlib

import pytest
from stellar_sdk import Keypair

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
