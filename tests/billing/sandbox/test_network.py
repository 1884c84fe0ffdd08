"""The sandbox is the chain that the marketplace sells on, and no other."""

from stellar_sdk import Keypair

from billing.sandbox import network
from marketplace.domain import chains


def test_issuers_and_contract_are_those_that_quotes_name() -> None:
    chain = chains.sandbox()
    for code, asset in chain.assets.items():
        assert network.ISSUERS[code].public_key == asset.issuer
        assert network.ASSETS[code].contract_id(network.PASSPHRASE) == asset.sac
    assert (chain.contract, chain.passphrase) == (network.CONTRACT, network.PASSPHRASE)


def test_seeds_are_those_that_everybody_can_derive() -> None:
    seed = "9013c9ba48a0c489e76af3aa0a3d6daabb0d58779ae57de3f3362a70d969aa0c"
    assert chains.sandbox_seed("friendbot").hex() == seed
    derived = Keypair.from_raw_ed25519_seed(chains.sandbox_seed("friendbot"))
    assert derived.public_key == network.FRIENDBOT.public_key


def test_nothing_is_what_it_is_on_a_real_network() -> None:
    real = {issuer for issuers in chains.ISSUERS.values() for issuer in issuers.values()}
    assert real.isdisjoint(keypair.public_key for keypair in network.ISSUERS.values())
