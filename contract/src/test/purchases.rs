//! What a purchase pays, tells and remembers.

use soroban_sdk::xdr::{ContractEventBody, ScVal};

use super::signing::{account, bytes, public, symbol};
use super::town::{Code, Town, WEALTH};

fn names_of(town: &Town) -> Vec<ScVal> {
    let first = |body| match body {
        ContractEventBody::V0(body) => body.topics[0].clone(),
    };
    let events = town.events().into_iter();
    events.map(|event| first(event.body)).collect()
}

fn named(names: &[&str]) -> Vec<ScVal> {
    let names = names.iter();
    names.map(|name| ScVal::Symbol(symbol(name))).collect()
}

#[test]
fn price_is_split_between_payee_and_treasury() {
    Code::both(|town| {
        town.buy(&town.purchase(town.quote())).unwrap();
        let wealth = i128::from(WEALTH);
        assert_eq!(
            names_of(&town),
            named(&["transfer", "transfer", "purchased"])
        );
        assert_eq!(town.balance(&town.usdc, &town.buyer), wealth - 2_500_000);
        assert_eq!(town.balance(&town.usdc, &town.payee), wealth + 2_475_000);
        assert_eq!(town.balance(&town.usdc, &town.treasury), wealth + 25_000);
    });
}

#[test]
fn no_fee_means_one_transfer() {
    Code::both(|town| {
        let mut quote = town.quote();
        quote.fee = 0;
        town.buy(&town.purchase(quote)).unwrap();
        assert_eq!(names_of(&town), named(&["transfer", "purchased"]));
        assert_eq!(town.balance(&town.usdc, &town.treasury), i128::from(WEALTH));
    });
}

#[test]
fn payee_may_be_its_own_treasury() {
    Code::both(|town| {
        let mut quote = town.quote();
        quote.treasury = quote.payee.clone();
        town.buy(&town.purchase(quote)).unwrap();
        let paid = town.balance(&town.usdc, &town.payee) - i128::from(WEALTH);
        assert_eq!(paid, 2_500_000);
    });
}

#[test]
fn contract_holds_nothing_before_and_after() {
    Code::both(|town| {
        town.buy(&town.purchase(town.quote())).unwrap();
        let token = soroban_sdk::token::TokenClient::new(&town.env, &town.usdc);
        assert_eq!(token.balance(&town.contract), 0);
    });
}

#[test]
fn answer_is_the_digest_of_the_quote() {
    Code::both(|town| {
        let answer = town.buy(&town.purchase(town.quote()));
        assert_eq!(answer, Ok(bytes(&town.digest(&town.quote()))));
    });
}

#[test]
fn newer_credentials_do_as_well() {
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        let signed = town.agreement(&purchase).signed_v2();
        town.invoke("purchase", town.arguments(&purchase), &[signed])
            .unwrap();
    });
}

#[test]
fn used_purchase_id_is_the_buyers_own() {
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        let asked = |who| vec![ScVal::Address(account(who)), bytes(&purchase.purchase_id)];
        assert!(!town.asks::<bool>("is_used", asked(&town.buyer)));
        town.buy(&purchase).unwrap();
        assert!(town.asks::<bool>("is_used", asked(&town.buyer)));
        assert!(!town.asks::<bool>("is_used", asked(&town.stranger)));
    });
}

#[test]
fn id_seen_on_its_way_is_not_burnt_by_a_stranger() {
    Code::both(|town| {
        super::town::trust(&town.env, &town.stranger, b"USDC", WEALTH);
        let mut copied = town.purchase(town.quote());
        copied.buyer = town.stranger.clone();
        town.buy(&copied).unwrap();
        town.buy(&town.purchase(town.quote())).unwrap();
    });
}

#[test]
fn quote_may_be_used_by_anybody_any_number_of_times() {
    Code::both(|town| {
        for number in 0..3 {
            let mut purchase = town.purchase(town.quote());
            purchase.purchase_id = [number; 32];
            town.buy(&purchase).unwrap();
        }
    });
}

#[test]
fn instructions_are_a_small_part_of_what_a_transaction_may_use() {
    let town = Town::new(Code::Wasm);
    town.buy(&town.purchase(town.quote())).unwrap();
    let used = town.env.cost_estimate().resources();
    assert!(used.instructions < 4_000_000, "{used:?}");
    assert!(used.write_entries <= 5, "{used:?}");
}

#[test]
fn constructor_sets_what_it_is_given() {
    Code::both(|town| {
        let signer = bytes(&public(&town.signer));
        assert!(town.asks::<bool>("is_signer", vec![signer]));
        assert!(!town.asks::<bool>("is_signer", vec![bytes(&[1; 32])]));
        for token in [&town.usdc, &town.eurc] {
            assert!(town.asks::<bool>("is_token", vec![ScVal::Address(token.into())]));
        }
        assert!(!town.asks::<bool>("is_paused", Vec::new()));
        let admin: soroban_sdk::Address = town.asks("admin", Vec::new());
        assert_eq!(admin, town.address(&town.admin));
    });
}
