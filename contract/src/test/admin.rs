//! Who may change what, and how it is told.

use ed25519_dalek::{Signer, SigningKey};
use soroban_sdk::xdr::{
    ContractEventBody, ContractEventV0, ScErrorCode, ScErrorType, ScMap, ScVal,
};
use soroban_sdk::{Address, Error as HostError};

use super::signing::{account, bytes, public, symbol};
use super::town::{Code, Purchase, Town};
use crate::Error;

const AUTH: HostError =
    HostError::from_type_and_code(ScErrorType::Auth, ScErrorCode::InvalidAction);

fn address_of(person: &SigningKey) -> ScVal {
    ScVal::Address(account(person))
}

/// The one event of the last call.
fn told(town: &Town) -> (Vec<ScVal>, ScVal) {
    let events = town.events();
    assert_eq!(events.len(), 1);
    let ContractEventBody::V0(ContractEventV0 { topics, data }) = events[0].body.clone();
    (topics.to_vec(), data)
}

fn event(name: &str, subject: Option<ScVal>, field: Option<(&str, bool)>) -> (Vec<ScVal>, ScVal) {
    let name = ScVal::Symbol(symbol(name));
    let fields: Vec<(ScVal, ScVal)> = field
        .map(|(name, value)| (ScVal::Symbol(symbol(name)), ScVal::Bool(value)))
        .into_iter()
        .collect();
    let data = ScVal::Map(Some(ScMap::sorted_from(fields).unwrap()));
    ([name].into_iter().chain(subject).collect(), data)
}

#[test]
fn only_the_admin_governs() {
    Code::both(|town| {
        let calls = [
            ("set_paused", vec![ScVal::Bool(true)]),
            ("set_signer", vec![bytes(&[1; 32]), ScVal::Bool(true)]),
            (
                "set_token",
                vec![address_of(&town.buyer), ScVal::Bool(true)],
            ),
            ("propose_admin", vec![address_of(&town.stranger)]),
        ];
        for (function, arguments) in calls {
            let outcome = town.govern(&town.stranger, function, arguments.clone());
            assert_eq!(outcome, Err(AUTH), "{function}");
            assert_eq!(
                town.invoke(function, arguments, &[]),
                Err(AUTH),
                "{function}"
            );
            assert_eq!(town.events(), Vec::new());
        }
    });
}

#[test]
fn pause_ends() {
    Code::both(|town| {
        for paused in [true, true, false] {
            let arguments = vec![ScVal::Bool(paused)];
            town.govern(&town.admin, "set_paused", arguments).unwrap();
            assert_eq!(
                told(&town),
                event("pause_set", None, Some(("paused", paused)))
            );
            assert_eq!(town.asks::<bool>("is_paused", Vec::new()), paused);
        }
        town.buy(&town.purchase(town.quote())).unwrap();
    });
}

#[test]
fn signers_rotate_without_a_gap() {
    Code::both(|town| {
        let new = super::signing::key("vector signer");
        let signer = bytes(&public(&new));
        let quote = town.quote();
        let purchase = Purchase {
            signer: public(&new),
            signature: new.sign(&town.digest(&quote)).to_bytes(),
            ..town.purchase(quote)
        };
        assert_eq!(town.buy(&purchase), Err(Error::UnknownSigner.into()));
        let accept = vec![signer.clone(), ScVal::Bool(true)];
        town.govern(&town.admin, "set_signer", accept).unwrap();
        let told_of_it = event("signer_set", Some(signer), Some(("accepted", true)));
        assert_eq!(told(&town), told_of_it);
        town.buy(&purchase).unwrap();
        let old = town.purchase(town.quote());
        let retire = vec![bytes(&old.signer), ScVal::Bool(false)];
        town.govern(&town.admin, "set_signer", retire.clone())
            .unwrap();
        assert_eq!(town.buy(&old), Err(Error::UnknownSigner.into()));
        town.govern(&town.admin, "set_signer", retire).unwrap();
    });
}

#[test]
fn tokens_come_and_go() {
    Code::both(|town| {
        let token = ScVal::Address((&town.usdc).into());
        let forbid = vec![token.clone(), ScVal::Bool(false)];
        town.govern(&town.admin, "set_token", forbid).unwrap();
        let told_of_it = event("token_set", Some(token.clone()), Some(("allowed", false)));
        assert_eq!(told(&town), told_of_it);
        let purchase = town.purchase(town.quote());
        assert_eq!(town.buy(&purchase), Err(Error::TokenNotAllowed.into()));
        let allow = vec![token, ScVal::Bool(true)];
        town.govern(&town.admin, "set_token", allow).unwrap();
        town.buy(&purchase).unwrap();
    });
}

#[test]
fn admin_changes_in_two_steps() {
    Code::both(|town| {
        let heir = address_of(&town.stranger);
        let proposed = vec![heir.clone()];
        town.govern(&town.admin, "propose_admin", proposed).unwrap();
        assert_eq!(
            told(&town),
            event("admin_proposed", Some(heir.clone()), None)
        );
        let admin: Address = town.asks("admin", Vec::new());
        assert_eq!(admin, town.address(&town.admin));
        let outcome = town.govern(&town.admin, "accept_admin", Vec::new());
        assert_eq!(outcome, Err(AUTH));
        town.govern(&town.stranger, "accept_admin", Vec::new())
            .unwrap();
        assert_eq!(told(&town), event("admin_set", Some(heir), None));
        let pause = vec![ScVal::Bool(true)];
        let outcome = town.govern(&town.admin, "set_paused", pause.clone());
        assert_eq!(outcome, Err(AUTH));
        town.govern(&town.stranger, "set_paused", pause).unwrap();
    });
}

#[test]
fn later_proposal_replaces_an_earlier_one_and_each_is_accepted_once() {
    Code::both(|town| {
        let accept = |who| town.govern(who, "accept_admin", Vec::new());
        assert_eq!(accept(&town.stranger), Err(Error::NoAdminProposed.into()));
        for heir in [&town.stranger, &town.treasury] {
            let proposed = vec![address_of(heir)];
            town.govern(&town.admin, "propose_admin", proposed).unwrap();
        }
        assert_eq!(accept(&town.stranger), Err(AUTH));
        accept(&town.treasury).unwrap();
        assert_eq!(accept(&town.treasury), Err(Error::NoAdminProposed.into()));
    });
}
