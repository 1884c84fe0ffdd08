//! Buys access to an API: the buyer pays the provider, and the chain says so.
//!
//! A marketplace signs quotes off chain. `purchase` checks a quote and its signature, moves the money
//! straight from the buyer to the payee and the treasury, and emits `purchased`, on which the
//! marketplace grants access. The contract never holds funds, and nobody can change its code: a new
//! version is another contract, with another id, for which old quotes are not valid.
//!
//! The admin may pause purchases and choose who signs quotes and what they are paid in. The fee cap
//! and the life of a quote are constants, so the admin cannot touch what a buyer has agreed to.

#![cfg_attr(not(test), no_std)]

mod errors;
mod events;
mod quote;
mod state;
#[cfg(test)]
mod test;

use soroban_sdk::{contract, contractimpl, contractmeta, token, Address, BytesN, Env, Vec};

pub use errors::Error;
use events::{AdminProposed, AdminSet, PauseSet, Purchased, SignerSet, TokenSet};
pub use quote::{Quote, SignedQuote};
use state::Key;

contractmeta!(
    key = "Description",
    val = "Buys access to an API: a signed quote is paid to the provider, and the chain says so"
);

#[contract]
pub struct ApiCharge;

#[contractimpl]
impl ApiCharge {
    pub fn __constructor(env: Env, admin: Address, signer: BytesN<32>, tokens: Vec<Address>) {
        state::set_admin(&env, &admin);
        state::set_paused(&env, false);
        state::list(&env, &Key::Signer(signer), true);
        for token in tokens {
            state::list(&env, &Key::Token(token), true);
        }
    }

    /// Pays `quote`, signed by `signer`, and answers with its digest.
    ///
    /// The buyer authorizes every argument. What the buyer's signature has to cover below this call
    /// is `transfer` of the asset to the payee and, if there is a fee, to the treasury.
    pub fn purchase(
        env: Env,
        buyer: Address,
        quote: Quote,
        signer: BytesN<32>,
        signature: BytesN<64>,
        purchase_id: BytesN<32>,
        access_key: BytesN<32>,
    ) -> Result<BytesN<32>, Error> {
        buyer.require_auth();
        if state::is_paused(&env) {
            return Err(Error::Paused);
        }
        check_quote(&env, &buyer, &quote)?;
        let digest = quote.digest(&env);
        check_signature(&env, &signer, &digest, &signature)?;
        state::use_once(&env, &buyer, &purchase_id)?;
        state::keep_alive(&env);
        pay(&env, &buyer, &quote);
        Purchased {
            buyer,
            payee: quote.payee,
            digest: digest.clone(),
            access_key,
            amount: quote.amount,
            asset: quote.asset,
            fee: quote.fee,
            purchase_id,
            terms: quote.terms,
            treasury: quote.treasury,
        }
        .publish(&env);
        Ok(digest)
    }

    pub fn set_paused(env: Env, paused: bool) {
        require_admin(&env);
        state::set_paused(&env, paused);
        PauseSet { paused }.publish(&env);
    }

    /// Accept quotes of this key, beside those already accepted; or no longer.
    pub fn set_signer(env: Env, signer: BytesN<32>, accepted: bool) {
        require_admin(&env);
        state::list(&env, &Key::Signer(signer.clone()), accepted);
        SignerSet { signer, accepted }.publish(&env);
    }

    pub fn set_token(env: Env, token: Address, allowed: bool) {
        require_admin(&env);
        state::list(&env, &Key::Token(token.clone()), allowed);
        TokenSet { token, allowed }.publish(&env);
    }

    /// The first of two steps; a later proposal replaces an earlier one.
    pub fn propose_admin(env: Env, admin: Address) {
        require_admin(&env);
        state::propose_admin(&env, &admin);
        AdminProposed { admin }.publish(&env);
    }

    /// The second step, by the proposed admin.
    pub fn accept_admin(env: Env) -> Result<(), Error> {
        let admin = state::proposed_admin(&env).ok_or(Error::NoAdminProposed)?;
        admin.require_auth();
        state::set_admin(&env, &admin);
        state::keep_alive(&env);
        AdminSet { admin }.publish(&env);
        Ok(())
    }

    pub fn admin(env: Env) -> Address {
        state::admin(&env)
    }

    pub fn is_paused(env: Env) -> bool {
        state::is_paused(&env)
    }

    pub fn is_signer(env: Env, signer: BytesN<32>) -> bool {
        state::is_listed(&env, &Key::Signer(signer))
    }

    pub fn is_token(env: Env, token: Address) -> bool {
        state::is_listed(&env, &Key::Token(token))
    }

    pub fn is_used(env: Env, buyer: Address, purchase_id: BytesN<32>) -> bool {
        state::is_used(&env, &buyer, &purchase_id)
    }
}

fn require_admin(env: &Env) {
    state::admin(env).require_auth();
    state::keep_alive(env);
}

fn check_quote(env: &Env, buyer: &Address, quote: &Quote) -> Result<(), Error> {
    quote.check_amounts()?;
    let token = Key::Token(quote.asset.clone());
    if !state::is_listed(env, &token) {
        return Err(Error::TokenNotAllowed);
    }
    quote.check_parties(buyer, &env.current_contract_address())?;
    quote.check_times(env.ledger().timestamp())?;
    state::keep_listed(env, &token);
    Ok(())
}

fn check_signature(
    env: &Env,
    signer: &BytesN<32>,
    digest: &BytesN<32>,
    signature: &BytesN<64>,
) -> Result<(), Error> {
    let key = Key::Signer(signer.clone());
    if !state::is_listed(env, &key) {
        return Err(Error::UnknownSigner);
    }
    env.crypto()
        .ed25519_verify(signer, &digest.clone().into(), signature);
    state::keep_listed(env, &key);
    Ok(())
}

fn pay(env: &Env, buyer: &Address, quote: &Quote) {
    let token = token::TokenClient::new(env, &quote.asset);
    token.transfer(buyer, &quote.payee, &(quote.amount - quote.fee));
    if quote.fee > 0 {
        token.transfer(buyer, &quote.treasury, &quote.fee);
    }
}
