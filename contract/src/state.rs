//! What the contract remembers, and for how long.
//!
//! The instance holds the admin and the pause. Signers and tokens are entries of their own, so that
//! purchases read only theirs. A used purchase id is temporary: it has to outlive the quote, not more,
//! since the quote cannot be used after it expires.

use soroban_sdk::{contracttype, Address, BytesN, Env};

use crate::quote::QUOTE_TTL_MAX_S;
use crate::Error;

/// At five seconds a ledger.
const LEDGERS_PER_DAY: u32 = 17_280;
const LIVE_AT_LEAST: u32 = 30 * LEDGERS_PER_DAY;
const LIVE_AGAIN_FOR: u32 = 90 * LEDGERS_PER_DAY;
/// Twice what is needed at one second a ledger.
const USED_TTL: u32 = 2 * QUOTE_TTL_MAX_S as u32;

#[contracttype]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    Admin,
    ProposedAdmin,
    Paused,
    Signer(BytesN<32>),
    Token(Address),
    Used(Address, BytesN<32>),
}

pub fn admin(env: &Env) -> Address {
    // There is one from the constructor on.
    env.storage().instance().get(&Key::Admin).unwrap()
}

pub fn set_admin(env: &Env, admin: &Address) {
    env.storage().instance().set(&Key::Admin, admin);
    env.storage().instance().remove(&Key::ProposedAdmin);
}

pub fn proposed_admin(env: &Env) -> Option<Address> {
    env.storage().instance().get(&Key::ProposedAdmin)
}

pub fn propose_admin(env: &Env, admin: &Address) {
    env.storage().instance().set(&Key::ProposedAdmin, admin);
}

pub fn is_paused(env: &Env) -> bool {
    env.storage().instance().get(&Key::Paused).unwrap_or(false)
}

pub fn set_paused(env: &Env, paused: bool) {
    env.storage().instance().set(&Key::Paused, &paused);
}

/// Whether a signer or token is on its list.
pub fn is_listed(env: &Env, key: &Key) -> bool {
    env.storage().persistent().has(key)
}

pub fn list(env: &Env, key: &Key, listed: bool) {
    if listed {
        env.storage().persistent().set(key, &true);
        keep_listed(env, key);
    } else {
        env.storage().persistent().remove(key);
    }
}

/// A signer or token in use does not lapse.
pub fn keep_listed(env: &Env, key: &Key) {
    env.storage()
        .persistent()
        .extend_ttl(key, LIVE_AT_LEAST, LIVE_AGAIN_FOR);
}

/// A contract in use does not lapse: neither its instance nor its code.
pub fn keep_alive(env: &Env) {
    env.storage()
        .instance()
        .extend_ttl(LIVE_AT_LEAST, LIVE_AGAIN_FOR);
}

pub fn is_used(env: &Env, buyer: &Address, purchase_id: &BytesN<32>) -> bool {
    let key = Key::Used(buyer.clone(), purchase_id.clone());
    env.storage().temporary().has(&key)
}

pub fn use_once(env: &Env, buyer: &Address, purchase_id: &BytesN<32>) -> Result<(), Error> {
    let key = Key::Used(buyer.clone(), purchase_id.clone());
    let used = env.storage().temporary();
    if used.has(&key) {
        return Err(Error::AlreadyUsed);
    }
    used.set(&key, &true);
    used.extend_ttl(&key, USED_TTL, USED_TTL);
    Ok(())
}
