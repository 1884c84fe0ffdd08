//! A ledger with people on it, in front of the host that validators run.

use ed25519_dalek::{Signer, SigningKey};
use soroban_sdk::testutils::{EnvTestConfig, Events, Ledger};
use soroban_sdk::xdr::{
    self, AccountEntry, AccountEntryExt, AlphaNum4, Asset, AssetCode4, ContractEvent, ContractId,
    ContractIdPreimage, CreateContractArgs, Hash, HostFunction, LedgerEntry, LedgerEntryData,
    LedgerEntryExt, LedgerKey, LedgerKeyAccount, LedgerKeyTrustLine, ScAddress, ScVal,
    SequenceNumber, SorobanAuthorizationEntry, SorobanAuthorizedInvocation, Thresholds,
    TrustLineAsset, TrustLineEntry, TrustLineEntryExt, TrustLineFlags,
};
use soroban_sdk::{token, Address, BytesN, Env, Error, IntoVal, Symbol, TryFromVal, TryIntoVal};
use std::cell::Cell;
use std::rc::Rc;

use super::signing::{
    account, account_id, bytes, call, invocation, key, network_id, public, seed, xdr_of, Agreement,
};
use crate::{ApiCharge, Quote, SignedQuote};

pub const NOW_S: u64 = 1_790_000_000;
pub const SEQUENCE: u32 = 1_000;
const PERSISTENT_TTL_MIN: u32 = 2_073_600;
pub const WEALTH: i64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Code {
    Source,
    Wasm,
}

impl Code {
    pub fn both(test: impl Fn(Town)) {
        test(Town::new(Code::Source));
        test(Town::new(Code::Wasm));
    }
}

pub struct Town {
    pub env: Env,
    pub contract: Address,
    pub usdc: Address,
    pub eurc: Address,
    pub admin: SigningKey,
    pub signer: SigningKey,
    pub buyer: SigningKey,
    pub payee: SigningKey,
    pub treasury: SigningKey,
    pub stranger: SigningKey,
    nonce: Cell<i64>,
}

/// The arguments of one purchase.
#[derive(Clone)]
pub struct Purchase {
    pub buyer: SigningKey,
    pub quote: Quote,
    pub signer: [u8; 32],
    pub signature: [u8; 64],
    pub purchase_id: [u8; 32],
    pub access_key: [u8; 32],
}

impl Town {
    pub fn new(code: Code) -> Town {
        let env = Env::new_with_config(EnvTestConfig {
            capture_snapshot_at_drop: false,
        });
        env.ledger().with_mut(|ledger| {
            ledger.network_id = network_id();
            ledger.sequence_number = SEQUENCE;
            ledger.timestamp = NOW_S;
            ledger.min_temp_entry_ttl = 720;
            ledger.min_persistent_entry_ttl = PERSISTENT_TTL_MIN;
            ledger.max_entry_ttl = 3_110_400;
        });
        let people = ["admin", "quote vectors", "vector buyer", "vector provider"].map(key);
        let [admin, signer, buyer, payee] = people;
        let (treasury, stranger) = (key("vector treasury"), key("vector stranger"));
        for person in [&admin, &buyer, &payee, &treasury, &stranger] {
            open_account(&env, person);
        }
        let [usdc, eurc] = [b"USDC", b"EURC"].map(|code| asset_contract(&env, code));
        for person in [&buyer, &payee, &treasury] {
            trust(&env, person, b"USDC", WEALTH);
            trust(&env, person, b"EURC", 0);
        }
        let contract = address(&env, &contract_address());
        let tokens = soroban_sdk::vec![&env, usdc.clone(), eurc.clone()];
        let signed_by = BytesN::from_array(&env, &public(&signer));
        let args = (address(&env, &account(&admin)), signed_by, tokens);
        match code {
            Code::Source => env.register_at(&contract, ApiCharge, args),
            Code::Wasm => env.register_at(&contract, wasm().as_slice(), args),
        };
        // Registering wasm here, and only here, founds it with next to no life.
        let life = PERSISTENT_TTL_MIN - 1;
        env.as_contract(&contract, || {
            env.storage().instance().extend_ttl(life, life);
        });
        Town {
            env,
            contract,
            usdc,
            eurc,
            admin,
            signer,
            buyer,
            payee,
            treasury,
            stranger,
            nonce: Cell::new(17),
        }
    }

    pub fn address(&self, person: &SigningKey) -> Address {
        address(&self.env, &account(person))
    }

    pub fn quote(&self) -> Quote {
        Quote {
            access_seconds: 3_600,
            amount: 2_500_000,
            asset: self.usdc.clone(),
            expires_at: NOW_S + 600,
            fee: 25_000,
            payee: self.address(&self.payee),
            terms: BytesN::from_array(&self.env, &[5; 32]),
            treasury: self.address(&self.treasury),
        }
    }

    pub fn digest(&self, quote: &Quote) -> [u8; 32] {
        self.env
            .as_contract(&self.contract, || quote.digest(&self.env).to_array())
    }

    /// What the digest is of.
    pub fn envelope(&self, quote: &Quote) -> Vec<u8> {
        let signed = SignedQuote {
            contract: self.contract.clone(),
            domain: Symbol::new(&self.env, "apicharge_quote_v1"),
            network: BytesN::from_array(&self.env, &network_id()),
            quote: quote.clone(),
        };
        let value: soroban_sdk::Val = signed.into_val(&self.env);
        xdr_of(&ScVal::try_from_val(&self.env, &value).unwrap())
    }

    /// Of this quote, signed by the registered signer.
    pub fn purchase(&self, quote: Quote) -> Purchase {
        Purchase {
            buyer: self.buyer.clone(),
            signer: public(&self.signer),
            signature: self.signer.sign(&self.digest(&quote)).to_bytes(),
            quote,
            purchase_id: [7; 32],
            access_key: [6; 32],
        }
    }

    pub fn arguments(&self, purchase: &Purchase) -> Vec<ScVal> {
        vec![
            ScVal::Address(account(&purchase.buyer)),
            self.scval(&purchase.quote),
            bytes(&purchase.signer),
            bytes(&purchase.signature),
            bytes(&purchase.purchase_id),
            bytes(&purchase.access_key),
        ]
    }

    pub fn scval(&self, quote: &Quote) -> ScVal {
        let value: soroban_sdk::Val = quote.into_val(&self.env);
        ScVal::try_from_val(&self.env, &value).unwrap()
    }

    /// What the buyer has to sign.
    pub fn agreement(&self, purchase: &Purchase) -> Agreement {
        let quote = &purchase.quote;
        let shares = [
            (&quote.payee, quote.amount.saturating_sub(quote.fee)),
            (&quote.treasury, quote.fee),
        ];
        let below = shares
            .into_iter()
            .filter(|(_, amount)| *amount > 0)
            .map(|(to, amount)| self.transfer(purchase, to, amount))
            .collect();
        let call = call(&contract_address(), "purchase", self.arguments(purchase));
        self.agreed(&purchase.buyer, invocation(call, below))
    }

    pub fn agreed(&self, by: &SigningKey, root: SorobanAuthorizedInvocation) -> Agreement {
        self.nonce.set(self.nonce.get() + 1);
        Agreement {
            by: by.clone(),
            nonce: self.nonce.get(),
            valid_until_ledger: self.env.ledger().sequence() + 180,
            root,
        }
    }

    fn transfer(
        &self,
        purchase: &Purchase,
        to: &Address,
        amount: i128,
    ) -> SorobanAuthorizedInvocation {
        let args = vec![
            ScVal::Address(account(&purchase.buyer)),
            ScVal::Address(to.into()),
            amount.into(),
        ];
        let asset = ScAddress::from(&purchase.quote.asset);
        invocation(call(&asset, "transfer", args), Vec::new())
    }

    pub fn buy(&self, purchase: &Purchase) -> Result<ScVal, Error> {
        let signed = self.agreement(purchase).signed();
        self.invoke("purchase", self.arguments(purchase), &[signed])
    }

    /// As a transaction would: whatever fails leaves nothing behind.
    pub fn invoke(
        &self,
        function: &str,
        args: Vec<ScVal>,
        auth: &[SorobanAuthorizationEntry],
    ) -> Result<ScVal, Error> {
        self.env.set_auths(auth);
        let call = call(&contract_address(), function, args);
        let host = self.env.host();
        host.invoke_function(HostFunction::InvokeContract(call))
            .map_err(|failed| failed.error)
    }

    /// A call that the admin, or somebody else, signs for.
    pub fn govern(
        &self,
        by: &SigningKey,
        function: &str,
        args: Vec<ScVal>,
    ) -> Result<ScVal, Error> {
        let call = call(&contract_address(), function, args.clone());
        let agreement = self.agreed(by, invocation(call, Vec::new()));
        self.invoke(function, args, &[agreement.signed()])
    }

    pub fn balance(&self, asset: &Address, person: &SigningKey) -> i128 {
        token::TokenClient::new(&self.env, asset).balance(&self.address(person))
    }

    /// Of the last call, in their order.
    pub fn events(&self) -> Vec<ContractEvent> {
        self.env.events().all().events().to_vec()
    }

    /// Whatever of `env` a native caller may ask.
    pub fn asks<T: TryFromVal<Env, soroban_sdk::Val>>(
        &self,
        function: &str,
        args: Vec<ScVal>,
    ) -> T {
        let answer = self.invoke(function, args, &[]).unwrap();
        let value: soroban_sdk::Val = answer.try_into_val(&self.env).unwrap();
        value.try_into_val(&self.env).ok().unwrap()
    }
}

/// The committed wasm, or the one that `APICHARGE_WASM` names.
fn wasm() -> Vec<u8> {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/apicharge.wasm");
    let named = std::env::var("APICHARGE_WASM");
    std::fs::read(named.as_deref().unwrap_or(committed)).unwrap()
}

pub fn contract_address() -> ScAddress {
    ScAddress::Contract(ContractId(Hash(seed("contract"))))
}

pub fn address(env: &Env, raw: &ScAddress) -> Address {
    Address::try_from_val(env, raw).unwrap()
}

pub fn issuer(code: &[u8; 4]) -> SigningKey {
    key(&format!("issuer {}", std::str::from_utf8(code).unwrap()))
}

fn asset(code: &[u8; 4]) -> AlphaNum4 {
    AlphaNum4 {
        asset_code: AssetCode4(*code),
        issuer: account_id(&issuer(code)),
    }
}

pub fn open_account(env: &Env, person: &SigningKey) {
    let account_id = account_id(person);
    let key = LedgerKey::Account(LedgerKeyAccount {
        account_id: account_id.clone(),
    });
    let entry = AccountEntry {
        account_id,
        balance: 100_000_000,
        seq_num: SequenceNumber(0),
        num_sub_entries: 0,
        inflation_dest: None,
        flags: 0,
        home_domain: Default::default(),
        thresholds: Thresholds([1, 0, 0, 0]),
        signers: Default::default(),
        ext: AccountEntryExt::V0,
    };
    put(env, key, LedgerEntryData::Account(entry));
}

pub fn trust(env: &Env, person: &SigningKey, code: &[u8; 4], balance: i64) {
    let account_id = account_id(person);
    let asset = TrustLineAsset::CreditAlphanum4(asset(code));
    let key = LedgerKey::Trustline(LedgerKeyTrustLine {
        account_id: account_id.clone(),
        asset: asset.clone(),
    });
    let entry = TrustLineEntry {
        account_id,
        asset,
        balance,
        limit: i64::MAX,
        flags: TrustLineFlags::AuthorizedFlag as u32,
        ext: TrustLineEntryExt::V0,
    };
    put(env, key, LedgerEntryData::Trustline(entry));
}

fn put(env: &Env, key: LedgerKey, data: LedgerEntryData) {
    let entry = LedgerEntry {
        last_modified_ledger_seq: 0,
        data,
        ext: LedgerEntryExt::V0,
    };
    let host = env.host();
    host.add_ledger_entry(&Rc::new(key), &Rc::new(entry), None)
        .unwrap();
}

fn asset_contract(env: &Env, code: &[u8; 4]) -> Address {
    open_account(env, &issuer(code));
    let create = HostFunction::CreateContract(CreateContractArgs {
        contract_id_preimage: ContractIdPreimage::Asset(Asset::CreditAlphanum4(asset(code))),
        executable: xdr::ContractExecutable::StellarAsset,
    });
    match env.host().invoke_function(create).unwrap() {
        ScVal::Address(created) => address(env, &created),
        other => panic!("no address: {other:?}"),
    }
}
