//! Every way to be refused. A refused purchase changes nothing.

use ed25519_dalek::Signer;
use soroban_sdk::testutils::Ledger;
use soroban_sdk::xdr::{ScErrorCode, ScErrorType, ScVal};
use soroban_sdk::{Address, BytesN, Error as HostError};

use super::signing::{bytes, network_id, public};
use super::town::{open_account, trust, Code, Purchase, Town, NOW_S, WEALTH};
use crate::{Error, Quote};

type Change = fn(&Town, &mut Quote);

const AUTH: HostError =
    HostError::from_type_and_code(ScErrorType::Auth, ScErrorCode::InvalidAction);
const FORGED: HostError =
    HostError::from_type_and_code(ScErrorType::Crypto, ScErrorCode::InvalidInput);
const TRAP: HostError =
    HostError::from_type_and_code(ScErrorType::WasmVm, ScErrorCode::InvalidAction);

fn refused(town: &Town, outcome: Result<ScVal, HostError>, error: impl Into<HostError>) {
    assert_eq!(outcome, Err(error.into()));
    assert_eq!(town.events(), Vec::new());
    for person in [&town.buyer, &town.payee, &town.treasury] {
        assert_eq!(town.balance(&town.usdc, person), i128::from(WEALTH));
    }
}

#[test]
fn quote_that_breaks_a_rule_is_refused() {
    let rules: &[(Change, Error)] = &[
        (|_, quote| quote.amount = 0, Error::InvalidAmount),
        (|_, quote| quote.amount = -1, Error::InvalidAmount),
        (|_, quote| quote.amount = i128::MIN, Error::InvalidAmount),
        (|_, quote| quote.amount = 1 << 63, Error::InvalidAmount),
        (|_, quote| quote.amount = i128::MAX, Error::InvalidAmount),
        (|_, quote| quote.fee = -1, Error::InvalidAmount),
        (|_, quote| quote.fee = i128::MIN, Error::InvalidAmount),
        (|_, quote| quote.fee = 250_001, Error::FeeTooHigh),
        (|_, quote| quote.fee = i128::MAX, Error::FeeTooHigh),
        (
            |town, quote| quote.asset = town.contract.clone(),
            Error::TokenNotAllowed,
        ),
        (
            |town, quote| quote.payee = town.address(&town.buyer),
            Error::PayeeIsBuyer,
        ),
        (
            |town, quote| quote.payee = town.contract.clone(),
            Error::PayeeIsContract,
        ),
        (
            |town, quote| quote.treasury = town.contract.clone(),
            Error::PayeeIsContract,
        ),
        (|_, quote| quote.expires_at = NOW_S - 1, Error::QuoteExpired),
        (|_, quote| quote.expires_at = 0, Error::QuoteExpired),
        (
            |_, quote| quote.expires_at = NOW_S + 86_401,
            Error::QuoteTooLong,
        ),
        (|_, quote| quote.expires_at = u64::MAX, Error::QuoteTooLong),
    ];
    for (change, error) in rules {
        Code::both(|town| {
            let mut quote = town.quote();
            change(&town, &mut quote);
            refused(&town, town.buy(&town.purchase(quote)), *error);
        });
    }
}

#[test]
fn quote_is_valid_to_its_last_second_for_a_day_at_most_and_with_a_tenth_of_fee() {
    let edges: &[Change] = &[
        |_, quote| quote.expires_at = NOW_S,
        |_, quote| quote.expires_at = NOW_S + 86_400,
        |_, quote| quote.fee = 250_000,
    ];
    for change in edges {
        Code::both(|town| {
            let mut quote = town.quote();
            change(&town, &mut quote);
            town.buy(&town.purchase(quote)).unwrap();
        });
    }
}

#[test]
fn purchase_id_is_used_once_by_a_buyer() {
    Code::both(|town| {
        let first = town.purchase(town.quote());
        town.buy(&first).unwrap();
        let mut quote = town.quote();
        quote.amount = 1_000_000;
        let second = town.purchase(quote);
        let outcome = town.buy(&second);
        assert_eq!(outcome, Err(Error::AlreadyUsed.into()));
        let paid = i128::from(WEALTH) - town.balance(&town.usdc, &town.buyer);
        assert_eq!(paid, 2_500_000);
    });
}

#[test]
fn paused_contract_sells_nothing() {
    Code::both(|town| {
        let paused = vec![ScVal::Bool(true)];
        town.govern(&town.admin, "set_paused", paused).unwrap();
        refused(&town, town.buy(&town.purchase(town.quote())), Error::Paused);
    });
}

#[test]
fn unknown_signer_is_refused() {
    Code::both(|town| {
        let quote = town.quote();
        let purchase = Purchase {
            signer: public(&town.stranger),
            signature: town.stranger.sign(&town.digest(&quote)).to_bytes(),
            ..town.purchase(quote)
        };
        refused(&town, town.buy(&purchase), Error::UnknownSigner);
    });
}

#[test]
fn signature_of_another_key_is_refused() {
    Code::both(|town| {
        let quote = town.quote();
        let purchase = Purchase {
            signature: town.stranger.sign(&town.digest(&quote)).to_bytes(),
            ..town.purchase(quote)
        };
        refused(&town, town.buy(&purchase), FORGED);
    });
}

#[test]
fn signature_binds_every_field_of_the_quote() {
    let changes: &[Change] = &[
        |_, quote| quote.access_seconds += 1,
        |_, quote| quote.amount -= 1,
        |town, quote| quote.asset = town.eurc.clone(),
        |_, quote| quote.expires_at += 1,
        |_, quote| quote.fee -= 1,
        |town, quote| quote.payee = town.address(&town.stranger),
        |town, quote| quote.terms = BytesN::from_array(&town.env, &[4; 32]),
        |town, quote| quote.treasury = town.address(&town.stranger),
    ];
    for change in changes {
        Code::both(|town| {
            let mut purchase = town.purchase(town.quote());
            change(&town, &mut purchase.quote);
            refused(&town, town.buy(&purchase), FORGED);
        });
    }
}

#[test]
fn signature_binds_contract_and_network() {
    let elsewhere = Address::from_str;
    Code::both(|town| {
        let other = elsewhere(
            &town.env,
            "CA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAXE",
        );
        let quote = town.quote();
        town.env
            .register_at(&other, crate::ApiCharge, constructor(&town));
        let digest = town
            .env
            .as_contract(&other, || quote.digest(&town.env).to_array());
        town.env.ledger().set_network_id([1; 32]);
        let digests = [digest, town.digest(&quote)];
        town.env.ledger().set_network_id(network_id());
        for digest in digests {
            let purchase = Purchase {
                signature: town.signer.sign(&digest).to_bytes(),
                ..town.purchase(quote.clone())
            };
            refused(&town, town.buy(&purchase), FORGED);
        }
    });
}

fn constructor(town: &Town) -> (Address, BytesN<32>, soroban_sdk::Vec<Address>) {
    (
        town.address(&town.admin),
        BytesN::from_array(&town.env, &[1; 32]),
        soroban_sdk::Vec::new(&town.env),
    )
}

#[test]
fn nothing_is_looked_at_before_the_buyer_agreed() {
    Code::both(|town| {
        let mut quote = town.quote();
        quote.amount = 0;
        let purchase = town.purchase(quote);
        let outcome = town.invoke("purchase", town.arguments(&purchase), &[]);
        refused(&town, outcome, AUTH);
    });
}

#[test]
fn agreement_to_anything_else_is_no_agreement() {
    let others: &[fn(&mut Purchase)] = &[
        |purchase| purchase.access_key = [9; 32],
        |purchase| purchase.purchase_id = [9; 32],
        |purchase| purchase.signature[0] ^= 1,
        |purchase| purchase.quote.amount += 1,
    ];
    for change in others {
        Code::both(|town| {
            let purchase = town.purchase(town.quote());
            let mut other = purchase.clone();
            change(&mut other);
            let signed = town.agreement(&other).signed();
            let outcome = town.invoke("purchase", town.arguments(&purchase), &[signed]);
            refused(&town, outcome, AUTH);
        });
    }
}

#[test]
fn agreement_has_to_name_the_transfers() {
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        let mut agreement = town.agreement(&purchase);
        agreement.root.sub_invocations = Default::default();
        let outcome = town.invoke("purchase", town.arguments(&purchase), &[agreement.signed()]);
        refused(&town, outcome, AUTH);
    });
}

#[test]
fn agreement_signed_by_a_stranger_is_refused() {
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        let agreement = town.agreement(&purchase);
        let signature = town.stranger.sign(&agreement.to_sign()).to_bytes();
        for key in [&town.stranger, &town.buyer] {
            let forged = agreement.signed_with(key, signature);
            let outcome = town.invoke("purchase", town.arguments(&purchase), &[forged]);
            refused(&town, outcome, AUTH);
        }
    });
}

#[test]
fn agreement_ends_with_its_last_ledger() {
    let auth = |code| HostError::from_type_and_code(ScErrorType::Auth, code);
    Code::both(|town| {
        let purchase = town.purchase(town.quote());
        let mut agreement = town.agreement(&purchase);
        agreement.valid_until_ledger = town.env.ledger().sequence() - 1;
        let outcome = town.invoke("purchase", town.arguments(&purchase), &[agreement.signed()]);
        refused(&town, outcome, auth(ScErrorCode::InvalidInput));
        agreement.valid_until_ledger += 1;
        town.invoke("purchase", town.arguments(&purchase), &[agreement.signed()])
            .unwrap();
    });
}

#[test]
fn agreement_is_used_once() {
    let used = HostError::from_type_and_code(ScErrorType::Auth, ScErrorCode::ExistingValue);
    Code::both(|town| {
        let first = town.purchase(town.quote());
        let agreement = town.agreement(&first);
        let again = [agreement.signed()];
        town.invoke("purchase", town.arguments(&first), &again)
            .unwrap();
        let outcome = town.invoke("purchase", town.arguments(&first), &again);
        assert_eq!(outcome, Err(used));
        let paid = i128::from(WEALTH) - town.balance(&town.usdc, &town.buyer);
        assert_eq!(paid, 2_500_000);
    });
}

#[test]
fn asset_contracts_refusals_come_through() {
    const NO_TRUSTLINE: u32 = 13;
    const BALANCE: u32 = 10;
    Code::both(|town| {
        let mut quote = town.quote();
        quote.payee = town.address(&town.stranger);
        let outcome = town.buy(&town.purchase(quote));
        refused(&town, outcome, HostError::from_contract_error(NO_TRUSTLINE));
        let mut quote = town.quote();
        quote.amount = i128::from(WEALTH) + 1;
        let outcome = town.buy(&town.purchase(quote));
        refused(&town, outcome, HostError::from_contract_error(BALANCE));
    });
}

#[test]
fn arguments_of_another_form_trap() {
    let town = Town::new(Code::Wasm);
    let purchase = town.purchase(town.quote());
    for (place, value) in [(2, 31), (3, 63), (4, 0), (5, 33)] {
        let mut arguments = town.arguments(&purchase);
        arguments[place] = bytes(&vec![0; value]);
        refused(&town, town.invoke("purchase", arguments, &[]), TRAP);
    }
    let mut arguments = town.arguments(&purchase);
    let ScVal::Map(Some(quote)) = arguments[1].clone() else {
        panic!("a quote is a map");
    };
    let mut fields = quote.0.to_vec();
    fields.pop();
    arguments[1] = ScVal::Map(Some(soroban_sdk::xdr::ScMap(fields.try_into().unwrap())));
    assert!(town.invoke("purchase", arguments, &[]).is_err());
    assert!(town.invoke("purchase", Vec::new(), &[]).is_err());
    assert!(town.invoke("upgrade", Vec::new(), &[]).is_err());
}

#[test]
fn buyer_without_an_account_cannot_agree() {
    Code::both(|town| {
        let newcomer = super::signing::key("vector newcomer");
        let mut purchase = town.purchase(town.quote());
        purchase.buyer = newcomer.clone();
        let outcome = town.buy(&purchase);
        assert!(outcome.is_err());
        open_account(&town.env, &newcomer);
        trust(&town.env, &newcomer, b"USDC", WEALTH);
        town.buy(&purchase).unwrap();
    });
}
