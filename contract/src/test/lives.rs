//! Nothing that is in use lapses, and nothing is kept for longer than it is needed.

use soroban_sdk::testutils::storage::{Instance, Persistent, Temporary};
use soroban_sdk::testutils::{Deployer, Ledger};
use soroban_sdk::BytesN;

use super::signing::public;
use super::town::{Code, Town};
use crate::state::Key;

const DAY: u32 = 17_280;

/// Ledgers left of the instance, the signer and the token.
fn left(town: &Town) -> [u32; 3] {
    let signer = BytesN::from_array(&town.env, &public(&town.signer));
    let token = Key::Token(town.usdc.clone());
    town.env.as_contract(&town.contract, || {
        let storage = town.env.storage();
        let persistent = storage.persistent();
        [
            storage.instance().get_ttl(),
            persistent.get_ttl(&Key::Signer(signer)),
            persistent.get_ttl(&token),
        ]
    })
}

fn buy(town: &Town, number: u8) {
    let mut quote = town.quote();
    quote.expires_at = town.env.ledger().timestamp() + 600;
    let mut purchase = town.purchase(quote);
    purchase.purchase_id = [number; 32];
    town.buy(&purchase).unwrap();
}

fn pass(town: &Town, ledgers: u32) {
    town.env
        .ledger()
        .with_mut(|ledger| ledger.sequence_number += ledgers);
}

#[test]
fn purchase_renews_what_it_needs_in_the_last_month() {
    Code::both(|town| {
        for round in 0..2 {
            buy(&town, 3 * round);
            let before = left(&town);
            let soonest = *before.iter().min().unwrap();
            pass(&town, soonest - 30 * DAY - 1);
            buy(&town, 3 * round + 1);
            let passed = soonest - 30 * DAY - 1;
            assert_eq!(left(&town), before.map(|ledgers| ledgers - passed));
            pass(&town, 1);
            buy(&town, 3 * round + 2);
            let again = |ledgers| match ledgers == soonest {
                true => 90 * DAY,
                false => ledgers - passed - 1,
            };
            assert_eq!(left(&town), before.map(again));
        }
    });
}

#[test]
fn code_lives_as_long_as_its_instance() {
    let town = Town::new(Code::Wasm);
    let code = town.env.deployer().get_contract_code_ttl(&town.contract);
    pass(&town, code - 30 * DAY);
    buy(&town, 0);
    let code = town.env.deployer().get_contract_code_ttl(&town.contract);
    assert_eq!(code, 90 * DAY);
}

#[test]
fn used_purchase_id_outlives_every_quote() {
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        town.buy(&purchase).unwrap();
        let id = BytesN::from_array(&town.env, &purchase.purchase_id);
        let key = Key::Used(town.address(&town.buyer), id);
        let ttl = town.env.as_contract(&town.contract, || {
            town.env.storage().temporary().get_ttl(&key)
        });
        // A quote lives for 86,400 s at most, and a ledger takes a second at least.
        assert_eq!(ttl, 2 * 86_400);
    });
}

#[test]
fn failed_purchase_keeps_no_purchase_id() {
    Code::both(|town| {
        let mut quote = town.quote();
        quote.payee = town.address(&town.stranger);
        let purchase = town.purchase(quote);
        town.buy(&purchase).unwrap_err();
        town.buy(&town.purchase(town.quote())).unwrap();
    });
}
