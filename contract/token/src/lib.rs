//! A SEP-41 token that is no classic asset: what purchases in a foreign token are tested with.
//!
//! Play money. The admin mints, and may freeze a holder; a frozen one neither sends nor receives.

#![cfg_attr(not(test), no_std)]

#[cfg(test)]
mod test;

use soroban_sdk::{
    contract, contracterror, contractevent, contractimpl, contracttype, panic_with_error,
    token::TokenInterface, Address, Env, MuxedAddress, String,
};

const LEDGERS_KEPT: u32 = 1_555_200; // 90 days.
const LEDGERS_LEFT: u32 = 518_400; // 30 days.

#[contracterror]
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u32)]
pub enum Error {
    InvalidAmount = 1,
    BalanceTooLow = 2,
    AllowanceTooLow = 3,
    Frozen = 4,
}

#[contracttype]
#[derive(Clone)]
pub struct About {
    pub admin: Address,
    pub decimals: u32,
    pub name: String,
    pub symbol: String,
}

#[contracttype]
#[derive(Clone)]
pub struct Allowance {
    pub amount: i128,
    pub until: u32,
}

#[contracttype]
enum Key {
    About,
    Balance(Address),
    Frozen(Address),
    Allowance(Address, Address),
}

#[contractevent(data_format = "single-value")]
pub struct Transfer {
    #[topic]
    pub from: Address,
    #[topic]
    pub to: Address,
    pub amount: i128,
}

#[contractevent(data_format = "single-value")]
pub struct Mint {
    #[topic]
    pub to: Address,
    pub amount: i128,
}

#[contractevent(data_format = "single-value")]
pub struct Burn {
    #[topic]
    pub from: Address,
    pub amount: i128,
}

#[contractevent(data_format = "vec")]
pub struct Approve {
    #[topic]
    pub from: Address,
    #[topic]
    pub spender: Address,
    pub amount: i128,
    pub until: u32,
}

#[contract]
pub struct Token;

#[contractimpl]
impl Token {
    pub fn __constructor(env: Env, admin: Address, decimals: u32, name: String, symbol: String) {
        let about = About {
            admin,
            decimals,
            name,
            symbol,
        };
        env.storage().instance().set(&Key::About, &about);
    }

    pub fn mint(env: Env, to: Address, amount: i128) {
        about(&env).admin.require_auth();
        give(&env, &to, amount);
        Mint { to, amount }.publish(&env);
    }

    pub fn freeze(env: Env, holder: Address, frozen: bool) {
        about(&env).admin.require_auth();
        env.storage()
            .persistent()
            .set(&Key::Frozen(holder), &frozen);
    }
}

#[contractimpl]
impl TokenInterface for Token {
    fn allowance(env: Env, from: Address, spender: Address) -> i128 {
        allowed(&env, from, spender).amount
    }

    fn approve(env: Env, from: Address, spender: Address, amount: i128, until: u32) {
        from.require_auth();
        positive(&env, amount);
        let key = Key::Allowance(from.clone(), spender.clone());
        let allowance = Allowance { amount, until };
        env.storage().temporary().set(&key, &allowance);
        let left = until.saturating_sub(env.ledger().sequence());
        if amount > 0 && left > 0 {
            env.storage().temporary().extend_ttl(&key, left, left);
        }
        Approve {
            from,
            spender,
            amount,
            until,
        }
        .publish(&env);
    }

    fn balance(env: Env, id: Address) -> i128 {
        held(&env, &id)
    }

    fn transfer(env: Env, from: Address, to: MuxedAddress, amount: i128) {
        from.require_auth();
        move_it(&env, from, to.address(), amount);
    }

    fn transfer_from(env: Env, spender: Address, from: Address, to: Address, amount: i128) {
        spender.require_auth();
        spend(&env, from.clone(), spender, amount);
        move_it(&env, from, to, amount);
    }

    fn burn(env: Env, from: Address, amount: i128) {
        from.require_auth();
        take(&env, &from, amount);
        Burn { from, amount }.publish(&env);
    }

    fn burn_from(env: Env, spender: Address, from: Address, amount: i128) {
        spender.require_auth();
        spend(&env, from.clone(), spender, amount);
        take(&env, &from, amount);
        Burn { from, amount }.publish(&env);
    }

    fn decimals(env: Env) -> u32 {
        about(&env).decimals
    }

    fn name(env: Env) -> String {
        about(&env).name
    }

    fn symbol(env: Env) -> String {
        about(&env).symbol
    }
}

fn about(env: &Env) -> About {
    env.storage()
        .instance()
        .extend_ttl(LEDGERS_LEFT, LEDGERS_KEPT);
    env.storage().instance().get(&Key::About).unwrap()
}

fn held(env: &Env, id: &Address) -> i128 {
    let key = Key::Balance(id.clone());
    env.storage().persistent().get(&key).unwrap_or(0)
}

fn hold(env: &Env, id: &Address, amount: i128) {
    let key = Key::Balance(id.clone());
    env.storage().persistent().set(&key, &amount);
    env.storage()
        .persistent()
        .extend_ttl(&key, LEDGERS_LEFT, LEDGERS_KEPT);
}

fn allowed(env: &Env, from: Address, spender: Address) -> Allowance {
    let nothing = Allowance {
        amount: 0,
        until: 0,
    };
    let key = Key::Allowance(from, spender);
    let found: Allowance = env
        .storage()
        .temporary()
        .get(&key)
        .unwrap_or(nothing.clone());
    if found.until < env.ledger().sequence() {
        return nothing;
    }
    found
}

fn spend(env: &Env, from: Address, spender: Address, amount: i128) {
    let mut allowance = allowed(env, from.clone(), spender.clone());
    if allowance.amount < amount {
        panic_with_error!(env, Error::AllowanceTooLow);
    }
    allowance.amount -= amount;
    let key = Key::Allowance(from, spender);
    env.storage().temporary().set(&key, &allowance);
}

fn move_it(env: &Env, from: Address, to: Address, amount: i128) {
    take(env, &from, amount);
    give(env, &to, amount);
    Transfer { from, to, amount }.publish(env);
}

fn take(env: &Env, from: &Address, amount: i128) {
    positive(env, amount);
    thawed(env, from);
    let left = held(env, from) - amount;
    if left < 0 {
        panic_with_error!(env, Error::BalanceTooLow);
    }
    hold(env, from, left);
}

fn give(env: &Env, to: &Address, amount: i128) {
    positive(env, amount);
    thawed(env, to);
    hold(env, to, held(env, to) + amount);
}

fn positive(env: &Env, amount: i128) {
    if amount < 0 {
        panic_with_error!(env, Error::InvalidAmount);
    }
}

fn thawed(env: &Env, id: &Address) {
    let key = Key::Frozen(id.clone());
    if env.storage().persistent().get(&key).unwrap_or(false) {
        panic_with_error!(env, Error::Frozen);
    }
}
