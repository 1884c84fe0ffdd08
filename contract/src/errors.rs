use soroban_sdk::contracterror;

/// `Error(Contract, #n)`. Servers and clients know these numbers: none is ever given a new meaning.
///
/// 9 stays free: a signature that does not verify ends in the host's `Error(Crypto, InvalidInput)`.
#[contracterror]
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
#[repr(u32)]
pub enum Error {
    /// Purchases are paused.
    Paused = 1,
    /// Not 0 < amount < 2^63, or the fee is negative.
    InvalidAmount = 2,
    /// The fee is above the cap.
    FeeTooHigh = 3,
    /// The asset is not one that may be paid with here.
    TokenNotAllowed = 4,
    /// The quote is not valid any more.
    QuoteExpired = 5,
    /// The quote is valid for longer than a quote may be.
    QuoteTooLong = 6,
    /// Nobody here vouches for this signer's quotes.
    UnknownSigner = 7,
    /// This buyer has used this purchase id.
    AlreadyUsed = 8,
    /// The buyer would pay himself.
    PayeeIsBuyer = 10,
    /// The contract would be paid; it never holds funds.
    PayeeIsContract = 11,
    /// No admin is proposed.
    NoAdminProposed = 12,
}
