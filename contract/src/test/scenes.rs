//! Calls that the vectors tell whole: the ledger before, the call, and what came of it.

use ed25519_dalek::Signer;
use soroban_sdk::xdr::{ScMap, ScVal, SorobanAuthorizationEntry};

use super::signing::{account, bytes, invocation, public, symbol};
use super::town::{contract_address, Purchase, Town, NOW_S, WEALTH};
use crate::Quote;

type Call = (&'static str, Vec<ScVal>, Vec<SorobanAuthorizationEntry>);

pub struct Scene {
    pub label: &'static str,
    /// What happens before, and the call.
    pub play: fn(&Town) -> Call,
}

pub const SCENES: &[Scene] = &[
    Scene {
        label: "paid",
        play: |town| bought(town, town.purchase(town.quote())),
    },
    Scene {
        label: "paid without a fee",
        play: |town| quoted(town, |_, quote| quote.fee = 0),
    },
    Scene {
        label: "paid with newer credentials",
        play: |town| {
            let purchase = town.purchase(town.quote());
            let signed = town.agreement(&purchase).signed_v2();
            ("purchase", town.arguments(&purchase), vec![signed])
        },
    },
    Scene {
        label: "Paused",
        play: |town| {
            let paused = vec![ScVal::Bool(true)];
            town.govern(&town.admin, "set_paused", paused).unwrap();
            bought(town, town.purchase(town.quote()))
        },
    },
    Scene {
        label: "InvalidAmount",
        play: |town| quoted(town, |_, quote| quote.amount = 1 << 63),
    },
    Scene {
        label: "FeeTooHigh",
        play: |town| quoted(town, |_, quote| quote.fee = 250_001),
    },
    Scene {
        label: "TokenNotAllowed",
        play: |town| quoted(town, |town, quote| quote.asset = town.contract.clone()),
    },
    Scene {
        label: "QuoteExpired",
        play: |town| quoted(town, |_, quote| quote.expires_at = NOW_S - 1),
    },
    Scene {
        label: "QuoteTooLong",
        play: |town| quoted(town, |_, quote| quote.expires_at = NOW_S + 86_401),
    },
    Scene {
        label: "UnknownSigner",
        play: |town| {
            let signer = public(&town.stranger);
            let purchase = town.purchase(town.quote());
            bought(town, Purchase { signer, ..purchase })
        },
    },
    Scene {
        label: "AlreadyUsed",
        play: |town| {
            town.buy(&town.purchase(town.quote())).unwrap();
            bought(town, town.purchase(town.quote()))
        },
    },
    Scene {
        label: "PayeeIsBuyer",
        play: |town| quoted(town, |town, quote| quote.payee = town.address(&town.buyer)),
    },
    Scene {
        label: "PayeeIsContract",
        play: |town| quoted(town, |town, quote| quote.treasury = town.contract.clone()),
    },
    Scene {
        label: "NoAdminProposed",
        play: |_| ("accept_admin", vec![], vec![]),
    },
    Scene {
        label: "forged quote",
        play: |town| {
            let purchase = town.purchase(town.quote());
            let signature = town.stranger.sign(&town.digest(&purchase.quote)).to_bytes();
            bought(
                town,
                Purchase {
                    signature,
                    ..purchase
                },
            )
        },
    },
    Scene {
        label: "no authorization",
        play: |town| {
            let purchase = town.purchase(town.quote());
            ("purchase", town.arguments(&purchase), vec![])
        },
    },
    Scene {
        label: "authorization of a stranger",
        play: |town| {
            let purchase = town.purchase(town.quote());
            let agreement = town.agreement(&purchase);
            let signature = town.stranger.sign(&agreement.to_sign()).to_bytes();
            let forged = agreement.signed_with(&town.stranger, signature);
            ("purchase", town.arguments(&purchase), vec![forged])
        },
    },
    Scene {
        label: "authorization used before",
        play: |town| {
            let (function, arguments, auth) = bought(town, town.purchase(town.quote()));
            town.invoke(function, arguments.clone(), &auth).unwrap();
            (function, arguments, auth)
        },
    },
    Scene {
        label: "authorization expired",
        play: |town| {
            let purchase = town.purchase(town.quote());
            let mut agreement = town.agreement(&purchase);
            agreement.valid_until_ledger = super::town::SEQUENCE - 1;
            (
                "purchase",
                town.arguments(&purchase),
                vec![agreement.signed()],
            )
        },
    },
    Scene {
        label: "authorization without its transfers",
        play: |town| {
            let purchase = town.purchase(town.quote());
            let mut agreement = town.agreement(&purchase);
            agreement.root.sub_invocations = Default::default();
            (
                "purchase",
                town.arguments(&purchase),
                vec![agreement.signed()],
            )
        },
    },
    Scene {
        label: "payee without a trustline",
        play: |town| {
            quoted(town, |town, quote| {
                quote.payee = town.address(&town.stranger)
            })
        },
    },
    Scene {
        label: "balance too low",
        play: |town| quoted(town, |_, quote| quote.amount = i128::from(WEALTH) + 1),
    },
    Scene {
        label: "pause",
        play: |town| governed(town, "set_paused", vec![ScVal::Bool(true)]),
    },
    Scene {
        label: "new signer",
        play: |town| governed(town, "set_signer", vec![bytes(&[1; 32]), ScVal::Bool(true)]),
    },
    Scene {
        label: "token withdrawn",
        play: |town| {
            let token = ScVal::Address((&town.usdc).into());
            governed(town, "set_token", vec![token, ScVal::Bool(false)])
        },
    },
    Scene {
        label: "admin proposed",
        play: |town| {
            let heir = ScVal::Address(account(&town.stranger));
            governed(town, "propose_admin", vec![heir])
        },
    },
];

/// Calls of another form than the contract's. Only wasm refuses them as the network does.
pub const MALFORMED: &[Scene] = &[
    Scene {
        label: "constructor again",
        play: |town| {
            let admin = ScVal::Address(account(&town.stranger));
            (
                "__constructor",
                vec![admin, bytes(&[1; 32]), ScVal::Vec(Some(Default::default()))],
                vec![],
            )
        },
    },
    Scene {
        label: "unknown function",
        play: |_| ("upgrade", vec![bytes(&[1; 32])], vec![]),
    },
    Scene {
        label: "argument missing",
        play: |town| malformed(town, |arguments| arguments.truncate(5)),
    },
    Scene {
        label: "bytes too short",
        play: |town| malformed(town, |arguments| arguments[4] = bytes(&[1; 31])),
    },
    Scene {
        label: "bytes for an address",
        play: |town| malformed(town, |arguments| arguments[0] = bytes(&[1; 32])),
    },
    Scene {
        label: "quote without a field",
        play: |town| {
            malformed(town, |arguments| {
                arguments[1] = without_a_field(&arguments[1])
            })
        },
    },
    Scene {
        label: "quote with another field",
        play: |town| {
            malformed(town, |arguments| {
                let ScVal::Map(Some(quote)) = arguments[1].clone() else {
                    panic!("a quote is a map");
                };
                let mut fields = quote.0.to_vec();
                fields[7].key = ScVal::Symbol(symbol("zreasury"));
                arguments[1] = ScVal::Map(Some(ScMap(fields.try_into().unwrap())));
            })
        },
    },
    Scene {
        label: "number for a quote",
        play: |town| malformed(town, |arguments| arguments[1] = ScVal::U32(1)),
    },
];

fn malformed(town: &Town, change: impl Fn(&mut Vec<ScVal>)) -> Call {
    let (function, mut arguments, auth) = bought(town, town.purchase(town.quote()));
    change(&mut arguments);
    (function, arguments, auth)
}

pub fn without_a_field(quote: &ScVal) -> ScVal {
    let ScVal::Map(Some(quote)) = quote.clone() else {
        panic!("a quote is a map");
    };
    let mut fields = quote.0.to_vec();
    fields.pop();
    ScVal::Map(Some(ScMap(fields.try_into().unwrap())))
}

fn quoted(town: &Town, change: impl Fn(&Town, &mut Quote)) -> Call {
    let mut quote = town.quote();
    change(town, &mut quote);
    bought(town, town.purchase(quote))
}

fn bought(town: &Town, purchase: Purchase) -> Call {
    let signed = town.agreement(&purchase).signed();
    ("purchase", town.arguments(&purchase), vec![signed])
}

fn governed(town: &Town, function: &'static str, arguments: Vec<ScVal>) -> Call {
    let call = super::signing::call(&contract_address(), function, arguments.clone());
    let agreement = town.agreed(&town.admin, invocation(call, vec![]));
    (function, arguments, vec![agreement.signed()])
}
