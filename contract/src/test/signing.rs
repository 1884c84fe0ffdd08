//! Authorization as wallets do it, byte for byte.

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use soroban_sdk::xdr::{
    AccountId, Hash, HashIdPreimage, HashIdPreimageSorobanAuthorization,
    HashIdPreimageSorobanAuthorizationWithAddress, InvokeContractArgs, Limits, PublicKey,
    ScAddress, ScMap, ScMapEntry, ScSymbol, ScVal, ScVec, SorobanAddressCredentials,
    SorobanAuthorizationEntry, SorobanAuthorizedFunction, SorobanAuthorizedInvocation,
    SorobanCredentials, Uint256, WriteXdr,
};

pub const PASSPHRASE: &str = "Test SDF Network ; September 2015";

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub fn network_id() -> [u8; 32] {
    sha256(PASSPHRASE.as_bytes())
}

pub fn xdr_of(value: &impl WriteXdr) -> Vec<u8> {
    value.to_xdr(Limits::none()).unwrap()
}

/// The key behind a public label: it guards play money.
pub fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(label))
}

pub fn seed(label: &str) -> [u8; 32] {
    sha256(&[b"apicharge sandbox ".as_slice(), label.as_bytes()].concat())
}

pub fn public(key: &SigningKey) -> [u8; 32] {
    key.verifying_key().to_bytes()
}

pub fn account_id(key: &SigningKey) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(public(key))))
}

pub fn account(key: &SigningKey) -> ScAddress {
    ScAddress::Account(account_id(key))
}

pub fn symbol(text: &str) -> ScSymbol {
    text.try_into().unwrap()
}

pub fn bytes(raw: &[u8]) -> ScVal {
    ScVal::Bytes(raw.to_vec().try_into().unwrap())
}

pub fn call(contract: &ScAddress, function: &str, args: Vec<ScVal>) -> InvokeContractArgs {
    InvokeContractArgs {
        contract_address: contract.clone(),
        function_name: symbol(function),
        args: args.try_into().unwrap(),
    }
}

pub fn invocation(
    call: InvokeContractArgs,
    below: Vec<SorobanAuthorizedInvocation>,
) -> SorobanAuthorizedInvocation {
    SorobanAuthorizedInvocation {
        function: SorobanAuthorizedFunction::ContractFn(call),
        sub_invocations: below.try_into().unwrap(),
    }
}

/// One tree of calls that one account agrees to.
#[derive(Clone)]
pub struct Agreement {
    pub by: SigningKey,
    pub nonce: i64,
    pub valid_until_ledger: u32,
    pub root: SorobanAuthorizedInvocation,
}

impl Agreement {
    pub fn preimage(&self) -> HashIdPreimage {
        HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
            network_id: Hash(network_id()),
            nonce: self.nonce,
            signature_expiration_ledger: self.valid_until_ledger,
            invocation: self.root.clone(),
        })
    }

    pub fn to_sign(&self) -> [u8; 32] {
        sha256(&xdr_of(&self.preimage()))
    }

    pub fn signature(&self) -> [u8; 64] {
        self.by.sign(&self.to_sign()).to_bytes()
    }

    pub fn unsigned(&self) -> SorobanAuthorizationEntry {
        self.entry(SorobanCredentials::Address(self.credentials(ScVal::Void)))
    }

    pub fn signed(&self) -> SorobanAuthorizationEntry {
        self.signed_with(&self.by, self.signature())
    }

    pub fn signed_with(&self, key: &SigningKey, signature: [u8; 64]) -> SorobanAuthorizationEntry {
        let signatures = signatures(key, &signature);
        self.entry(SorobanCredentials::Address(self.credentials(signatures)))
    }

    /// With credentials of the newer kind, whose preimage names the account too.
    pub fn signed_v2(&self) -> SorobanAuthorizationEntry {
        let preimage = HashIdPreimage::SorobanAuthorizationWithAddress(
            HashIdPreimageSorobanAuthorizationWithAddress {
                network_id: Hash(network_id()),
                nonce: self.nonce,
                signature_expiration_ledger: self.valid_until_ledger,
                address: account(&self.by),
                invocation: self.root.clone(),
            },
        );
        let signature = self.by.sign(&sha256(&xdr_of(&preimage))).to_bytes();
        let credentials = self.credentials(signatures(&self.by, &signature));
        self.entry(SorobanCredentials::AddressV2(credentials))
    }

    fn credentials(&self, signature: ScVal) -> SorobanAddressCredentials {
        SorobanAddressCredentials {
            address: account(&self.by),
            nonce: self.nonce,
            signature_expiration_ledger: self.valid_until_ledger,
            signature,
        }
    }

    fn entry(&self, credentials: SorobanCredentials) -> SorobanAuthorizationEntry {
        SorobanAuthorizationEntry {
            credentials,
            root_invocation: self.root.clone(),
        }
    }
}

fn signatures(key: &SigningKey, signature: &[u8]) -> ScVal {
    let field = |name: &str, raw: &[u8]| ScMapEntry {
        key: ScVal::Symbol(symbol(name)),
        val: bytes(raw),
    };
    let fields = [
        field("public_key", &public(key)),
        field("signature", signature),
    ];
    let one = ScVal::Map(Some(ScMap(fields.try_into().unwrap())));
    ScVal::Vec(Some(ScVec(vec![one].try_into().unwrap())))
}
