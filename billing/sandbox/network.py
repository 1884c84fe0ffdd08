"""What is fixed about the sandbox network.

Everything that has an id of its own derives it from a public label, so that every sandbox has the
same issuers and the same contract, and none of them is one that exists elsewhere.
"""

from stellar_sdk import Asset, Keypair

from marketplace.domain import chains

CHAIN = chains.sandbox()
PASSPHRASE = CHAIN.passphrase
NETWORK_ID = CHAIN.network_id
CONTRACT = CHAIN.contract
PROTOCOL = 27

FRIENDBOT = Keypair.from_raw_ed25519_seed(chains.sandbox_seed("friendbot"))
ADMIN = Keypair.from_raw_ed25519_seed(chains.sandbox_seed("admin"))
ISSUERS = {
    code: Keypair.from_raw_ed25519_seed(chains.sandbox_seed(f"issuer {code}"))
    for code in CHAIN.assets
}
ASSETS = {code: Asset(code, issuer.public_key) for code, issuer in ISSUERS.items()}
NATIVE = Asset.native()
NATIVE_CONTRACT = NATIVE.contract_id(PASSPHRASE)

TOTAL_STROOPS = 10**18
BASE_FEE_STROOPS = 100
BASE_RESERVE_STROOPS = 5_000_000
OPERATIONS_MAX = 100  # Of a classic transaction.
INT64_MAX = 2**63 - 1

GENESIS_SEQUENCE = 2
RETENTION_LEDGERS = 120_960  # Seven days of five-second ledgers, as public nodes keep.
ENTRY_TTL_MAX_LEDGERS = 3_110_400
TEMPORARY_TTL_MIN_LEDGERS = 720
PERSISTENT_TTL_MIN_LEDGERS = 2_073_600
