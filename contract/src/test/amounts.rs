//! Whatever a quote asks for: it is refused for a reason, or paid to the unit.

use proptest::prelude::*;

use super::town::{trust, Code, Town};
use crate::Error;

/// Small, large, and just beside what is allowed.
fn amounts() -> impl Strategy<Value = i128> {
    let bound = i128::from(i64::MAX);
    prop_oneof![
        Just(0),
        Just(1),
        Just(bound),
        Just(bound + 1),
        1..1_000_i128,
        1..=bound,
        any::<i128>(),
    ]
}

/// A fee for this amount: near a tenth of it, or anything.
fn fees(amount: i128) -> impl Strategy<Value = i128> {
    let tenth = amount / 10;
    prop_oneof![
        Just(0),
        Just(tenth),
        Just(tenth.saturating_add(1)),
        0..=tenth.max(0),
        any::<i128>(),
    ]
}

/// Said in another way than the contract says it.
fn expected(amount: i128, fee: i128) -> Result<(u64, u64), Error> {
    let (Ok(amount), true) = (u64::try_from(amount), fee >= 0) else {
        return Err(Error::InvalidAmount);
    };
    if amount == 0 || amount > i64::MAX as u64 {
        return Err(Error::InvalidAmount);
    }
    match u64::try_from(fee) {
        Ok(fee) if u128::from(fee) * 10 <= u128::from(amount) => Ok((amount - fee, fee)),
        _ => Err(Error::FeeTooHigh),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn quote_is_refused_for_a_reason_or_paid_to_the_unit(
        (amount, fee) in amounts().prop_flat_map(|amount| (Just(amount), fees(amount)))
    ) {
        let town = Town::new(Code::Source);
        trust(&town.env, &town.buyer, b"USDC", i64::MAX);
        trust(&town.env, &town.payee, b"USDC", 0);
        trust(&town.env, &town.treasury, b"USDC", 0);
        let mut quote = town.quote();
        (quote.amount, quote.fee) = (amount, fee);
        let outcome = town.buy(&town.purchase(quote)).map(|_| ());
        let (payee, treasury) = match expected(amount, fee) {
            Ok(shares) => {
                prop_assert_eq!(outcome, Ok(()));
                shares
            }
            Err(error) => {
                prop_assert_eq!(outcome, Err(error.into()));
                (0, 0)
            }
        };
        let left = i128::from(i64::MAX) - i128::from(payee) - i128::from(treasury);
        prop_assert_eq!(town.balance(&town.usdc, &town.buyer), left);
        prop_assert_eq!(town.balance(&town.usdc, &town.payee), i128::from(payee));
        prop_assert_eq!(town.balance(&town.usdc, &town.treasury), i128::from(treasury));
    }
}
