use soroban_sdk::{contractevent, Address, BytesN};

/// One purchase, paid. All that a seller needs to know in order to deliver.
#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Purchased {
    #[topic]
    pub buyer: Address,
    #[topic]
    pub payee: Address,
    #[topic]
    pub digest: BytesN<32>,
    pub access_key: BytesN<32>,
    pub amount: i128,
    pub asset: Address,
    pub fee: i128,
    pub purchase_id: BytesN<32>,
    pub terms: BytesN<32>,
    pub treasury: Address,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PauseSet {
    pub paused: bool,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignerSet {
    #[topic]
    pub signer: BytesN<32>,
    pub accepted: bool,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSet {
    #[topic]
    pub token: Address,
    pub allowed: bool,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdminProposed {
    #[topic]
    pub admin: Address,
}

#[contractevent]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdminSet {
    #[topic]
    pub admin: Address,
}
