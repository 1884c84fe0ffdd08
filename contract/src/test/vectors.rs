//! What server, client and sandbox are held to: tests/vectors/contract.json, written here only.
//!
//! `APICHARGE_WRITE_VECTORS=1 cargo test vectors` writes the file anew; otherwise it has to agree, for
//! the source and for the wasm. A call in it carries the whole ledger that it ran on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use serde_json::{json, Map, Value};
use soroban_sdk::testutils::Ledger;
use soroban_sdk::xdr::{
    ContractEventBody, ContractExecutable, HostFunction, LedgerEntryData, LedgerKey, ScAddress,
    ScVal, WriteXdr,
};
use soroban_sdk::{Address, BytesN};

use super::scenes::{Scene, MALFORMED, SCENES};
use super::signing::{account, key, public, seed, sha256, xdr_of, Agreement, PASSPHRASE};
use super::town::{contract_address, trust, Code, Purchase, Town, NOW_S};
use crate::{Error, Quote};

const NONCE: i64 = i64::MIN + 7;
const VALID_UNTIL_LEDGER: u32 = 1_180;

/// A quote as the marketplace says it.
struct Sold {
    label: &'static str,
    name: &'static str,
    /// RFC 8785: sorted, without spaces.
    terms: &'static str,
    code: &'static [u8; 4],
    amount: i64,
    fee: i64,
    treasury: &'static str,
    expires_at: u64,
}

const SOLD: &[Sold] = &[
    Sold {
        label: "plain",
        name: "Hour pass",
        terms: r#"{"access_seconds":3600,"adjustable":false,"charge":"success","limits":[{"count":1000,"kind":"calls","window_seconds":null}],"meter":null,"route":"weather/forecast","starts":"purchase"}"#,
        code: b"USDC",
        amount: 2_500_000,
        fee: 0,
        treasury: "vector provider",
        expires_at: NOW_S,
    },
    Sold {
        label: "wide",
        name: "Månad — 月",
        terms: r#"{"access_seconds":9007199254740991,"adjustable":true,"charge":"always","limits":[{"bytes":10000000,"direction":"down","kind":"data","window_seconds":null},{"count":5,"kind":"calls","window_seconds":86400}],"meter":{"kind":"openai","note":"naïve \"quoted\" \\ back"},"route":"files/download","starts":"first_use"}"#,
        code: b"EURC",
        amount: i64::MAX,
        fee: i64::MAX / 100,
        treasury: "vector treasury",
        expires_at: (1 << 53) - 1,
    },
    Sold {
        label: "free",
        name: "Trial",
        terms: r#"{"access_seconds":3600,"adjustable":false,"charge":"success","limits":[],"meter":null,"route":"weather/forecast","starts":"purchase"}"#,
        code: b"USDC",
        amount: 0,
        fee: 0,
        treasury: "vector provider",
        expires_at: NOW_S,
    },
];

pub fn hex(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(value: &impl WriteXdr) -> String {
    value
        .to_xdr_base64(soroban_sdk::xdr::Limits::none())
        .unwrap()
}

fn strkey(address: impl Into<ScAddress>) -> String {
    address.into().to_string()
}

fn of(person: &SigningKey) -> String {
    strkey(account(person))
}

impl Sold {
    fn asset<'a>(&self, town: &'a Town) -> &'a Address {
        match self.code {
            b"USDC" => &town.usdc,
            _ => &town.eurc,
        }
    }

    fn quote(&self, town: &Town, terms: &Value) -> Quote {
        Quote {
            access_seconds: terms["access_seconds"].as_u64().unwrap(),
            amount: self.amount.into(),
            asset: self.asset(town).clone(),
            expires_at: self.expires_at,
            fee: self.fee.into(),
            payee: town.address(&town.payee),
            terms: BytesN::from_array(&town.env, &sha256(self.terms.as_bytes())),
            treasury: town.address(&key(self.treasury)),
        }
    }

    /// As `GET /apicharge/v1/quotes` says it.
    fn document(&self, town: &Town, purchase: &Purchase, terms: Value) -> Value {
        let issuer = super::town::issuer(self.code);
        let price = json!({
            "amount": self.amount.to_string(),
            "asset": std::str::from_utf8(self.code).unwrap(),
            "issuer": of(&issuer),
            "sac": strkey(self.asset(town)),
        });
        let mut document = terms;
        for (member, value) in [
            ("name", json!(self.name)),
            ("price", price),
            ("payee", json!(of(&town.payee))),
            ("fee", json!(self.fee.to_string())),
            ("treasury", json!(of(&key(self.treasury)))),
            ("expires_at", json!(self.expires_at)),
            ("terms", json!(hex(&sha256(self.terms.as_bytes())))),
            ("digest", json!(hex(&town.digest(&purchase.quote)))),
            ("signature", json!(hex(&purchase.signature))),
        ] {
            document[member] = value;
        }
        document
    }

    fn vector(&self, code: Code) -> Value {
        let town = Town::new(code);
        town.env.ledger().set_timestamp(self.expires_at);
        trust(&town.env, &town.buyer, self.code, i64::MAX);
        trust(&town.env, &town.payee, self.code, 0);
        trust(&town.env, &town.treasury, self.code, 0);
        let terms: Value = serde_json::from_str(self.terms).unwrap();
        assert_eq!(serde_json::to_string(&terms).unwrap(), self.terms);
        let purchase = vector_purchase(&town, self.quote(&town, &terms));
        let mut vector = json!({
            "label": self.label,
            "terms_jcs": self.terms,
            "quote": self.document(&town, &purchase, terms),
            "quote_xdr": hex(&xdr_of(&town.scval(&purchase.quote))),
            "envelope_xdr": hex(&town.envelope(&purchase.quote)),
        });
        let paid = paid(&town, &purchase);
        vector.as_object_mut().unwrap().extend(paid);
        vector
    }
}

fn vector_purchase(town: &Town, quote: Quote) -> Purchase {
    let mut purchase = town.purchase(quote);
    purchase.purchase_id = std::array::from_fn(|place| place as u8);
    purchase.access_key = std::array::from_fn(|place| 32 + place as u8);
    purchase
}

/// What the buyer signs, and what the chain says to it.
fn paid(town: &Town, purchase: &Purchase) -> Map<String, Value> {
    let agreement = Agreement {
        nonce: NONCE,
        valid_until_ledger: VALID_UNTIL_LEDGER,
        ..town.agreement(purchase)
    };
    let signed = agreement.signed();
    let outcome = town.invoke(
        "purchase",
        town.arguments(purchase),
        std::slice::from_ref(&signed),
    );
    let Ok(returned) = outcome else {
        assert_eq!(purchase.quote.amount, 0);
        return Map::new();
    };
    let events = town.events();
    let ContractEventBody::V0(purchased) = events.last().unwrap().body.clone();
    let mut members = Map::new();
    for (member, value) in [
        ("preimage_xdr", json!(base64(&agreement.preimage()))),
        ("authorization_to_sign", json!(hex(&agreement.to_sign()))),
        ("entry_xdr", json!(base64(&agreement.unsigned()))),
        ("signature", json!(hex(&agreement.signature()))),
        ("signed_entry_xdr", json!(base64(&signed))),
        ("returned", json!(base64(&returned))),
        ("events", events.iter().map(base64).collect()),
        (
            "event_topics",
            purchased.topics.iter().map(base64).collect(),
        ),
        ("event_data", json!(base64(&purchased.data))),
    ] {
        members.insert(member.into(), value);
    }
    members
}

type Entries = BTreeMap<String, Value>;

/// The ledger, but for the code: which one runs is for the reader to say.
fn ledger(town: &Town) -> Entries {
    let stored = town.env.host().get_stored_entries().unwrap();
    let mut entries = Entries::new();
    for (key, entry) in stored {
        if let (Some((entry, live_until)), false) =
            (entry, matches!(*key, LedgerKey::ContractCode(_)))
        {
            let mut data = entry.data.clone();
            forget_code(&mut data);
            let row = json!({"data": base64(&data), "live_until": live_until});
            entries.insert(base64(&*key), row);
        }
    }
    entries
}

fn forget_code(data: &mut LedgerEntryData) {
    if let LedgerEntryData::ContractData(data) = data {
        if let ScVal::ContractInstance(instance) = &mut data.val {
            if let ContractExecutable::Wasm(hash) = &mut instance.executable {
                *hash = Default::default();
            }
        }
    }
}

/// Entries that are other than before; null where there is none any more.
fn changed(before: &Entries, after: &Entries) -> Entries {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let gone = gone.map(|key| (key.clone(), Value::Null));
    let rows = after.iter();
    let other = rows.filter(|(key, row)| before.get(*key) != Some(row));
    let other = other.map(|(key, row)| (key.clone(), row.clone()));
    other.chain(gone).collect()
}

fn scene(scene: &Scene, code: Code, founded: &Entries) -> Value {
    let town = Town::new(code);
    let (function, arguments, auth) = (scene.play)(&town);
    let before = ledger(&town);
    let call = super::signing::call(&contract_address(), function, arguments.clone());
    let outcome = town.invoke(function, arguments, &auth);
    let mut document = json!({
        "label": scene.label,
        "name": function,
        "entries": changed(founded, &before),
        "function": base64(&HostFunction::InvokeContract(call)),
        "auth": auth.iter().map(base64).collect::<Vec<_>>(),
        "written": changed(&before, &ledger(&town)),
    });
    match outcome {
        Ok(returned) => {
            document["returned"] = json!(base64(&returned));
            document["events"] = town.events().iter().map(base64).collect();
        }
        Err(error) => document["error"] = json!(format!("{error:?}")),
    }
    document
}

fn errors() -> Value {
    let all = [
        Error::Paused,
        Error::InvalidAmount,
        Error::FeeTooHigh,
        Error::TokenNotAllowed,
        Error::QuoteExpired,
        Error::QuoteTooLong,
        Error::UnknownSigner,
        Error::AlreadyUsed,
        Error::PayeeIsBuyer,
        Error::PayeeIsContract,
        Error::NoAdminProposed,
    ];
    let named = all.iter();
    named
        .map(|error| (format!("{error:?}"), json!(*error as u32)))
        .collect()
}

fn document(code: Code) -> Value {
    let town = Town::new(code);
    let founded = ledger(&town);
    let labels = ["issuer USDC", "issuer EURC", "friendbot"];
    let accounts: Map<String, Value> = labels
        .map(|label| (label.into(), json!(of(&key(label)))))
        .into_iter()
        .collect();
    json!({
        "passphrase": PASSPHRASE,
        "contract": strkey(contract_address()),
        "seed": hex(&seed("quote vectors")),
        "signer": hex(&public(&town.signer)),
        "accounts": accounts,
        "buyer": of(&town.buyer),
        "buyer_seed": hex(&seed("vector buyer")),
        "nonce": NONCE.to_string(),
        "valid_until_ledger": VALID_UNTIL_LEDGER,
        "purchase_id": hex(&std::array::from_fn::<u8, 32, _>(|place| place as u8)),
        "access_key": hex(&std::array::from_fn::<u8, 32, _>(|place| 32 + place as u8)),
        "vectors": SOLD.iter().map(|sold| sold.vector(code)).collect::<Vec<_>>(),
        "errors": errors(),
        "sequence": super::town::SEQUENCE,
        "closed_at": NOW_S,
        "entries": founded,
        "malformed": MALFORMED.iter().map(|each| scene(each, Code::Wasm, &founded)).collect::<Vec<_>>(),
        "calls": SCENES.iter().map(|each| scene(each, code, &founded)).collect::<Vec<_>>(),
    })
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/contract.json")
}

#[test]
fn vectors_are_what_source_and_wasm_do() {
    let [source, wasm] = [Code::Source, Code::Wasm].map(|code| {
        let mut text = serde_json::to_string_pretty(&document(code)).unwrap();
        text.push('\n');
        text
    });
    if std::env::var_os("APICHARGE_WRITE_VECTORS").is_some() {
        std::fs::write(path(), &source).unwrap();
    }
    let known = std::fs::read_to_string(path()).unwrap();
    assert!(
        source == known,
        "the source does not agree with the vectors"
    );
    assert!(wasm == known, "the wasm does not agree with the vectors");
}
