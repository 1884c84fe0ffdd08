use soroban_sdk::{contracttype, xdr::ToXdr, Address, BytesN, Env, Symbol};

use crate::Error;

/// What keeps these bytes from being anything else that the same key may have signed.
const DOMAIN: &str = "apicharge_quote_v1";
const FEE_CAP_BPS: i128 = 1_000;
const BPS: i128 = 10_000;
pub const QUOTE_TTL_MAX_S: u64 = 24 * 3600;
/// A classic asset's balance is an int64; no quote asks for more.
const AMOUNT_MAX: i128 = i64::MAX as i128;

/// What one purchase costs and buys. It binds no buyer: who authorizes the purchase is the buyer.
#[contracttype]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quote {
    pub access_seconds: u64,
    /// All that the buyer pays, the fee included.
    pub amount: i128,
    pub asset: Address,
    /// Unix seconds; the last at which the quote may be used.
    pub expires_at: u64,
    pub fee: i128,
    pub payee: Address,
    /// The hash of all that is sold.
    pub terms: BytesN<32>,
    pub treasury: Address,
}

/// What the signer of quotes signs the hash of.
#[contracttype]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedQuote {
    pub contract: Address,
    pub domain: Symbol,
    pub network: BytesN<32>,
    pub quote: Quote,
}

impl Quote {
    /// Of the parsed quote, written anew: bytes of the caller's are never hashed.
    pub fn digest(&self, env: &Env) -> BytesN<32> {
        let signed = SignedQuote {
            contract: env.current_contract_address(),
            domain: Symbol::new(env, DOMAIN),
            network: env.ledger().network_id(),
            quote: self.clone(),
        };
        env.crypto().sha256(&signed.to_xdr(env)).to_bytes()
    }

    pub fn check_amounts(&self) -> Result<(), Error> {
        if self.amount <= 0 || self.amount > AMOUNT_MAX || self.fee < 0 {
            return Err(Error::InvalidAmount);
        }
        // Neither side can overflow: the fee is at most the amount, the amount is below 2^63.
        if self.fee > self.amount || self.fee * BPS > self.amount * FEE_CAP_BPS {
            return Err(Error::FeeTooHigh);
        }
        Ok(())
    }

    pub fn check_parties(&self, buyer: &Address, contract: &Address) -> Result<(), Error> {
        if self.payee == *buyer {
            return Err(Error::PayeeIsBuyer);
        }
        if self.payee == *contract || self.treasury == *contract {
            return Err(Error::PayeeIsContract);
        }
        Ok(())
    }

    pub fn check_times(&self, now: u64) -> Result<(), Error> {
        if now > self.expires_at {
            return Err(Error::QuoteExpired);
        }
        if self.expires_at - now > QUOTE_TTL_MAX_S {
            return Err(Error::QuoteTooLong);
        }
        Ok(())
    }
}
