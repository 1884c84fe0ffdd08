"""What the endpoints of buying and of grants answer."""

from marketplace.explaining.problem import Explained

PURCHASES = [
    Explained(
        "invalid-request",
        400,
        "The request is not valid",
        "The body or a parameter is not what this endpoint takes. The detail names the field.",
        "Correct it; /openapi.json describes every endpoint. Nothing was changed.",
    ),
    Explained(
        "body-too-large",
        413,
        "The body is too large",
        "The body is larger than this address takes: a route may be guarded by its provider, and "
        "no request to the purchase endpoints needs more than 64 KiB.",
        "Send less; the detail says how much is taken, and the route's guards are in its 402.",
    ),
    Explained(
        "method-not-allowed",
        405,
        "This method is not allowed here",
        "The address exists, for another HTTP method.",
        "See the Allow header, or /openapi.json.",
    ),
    Explained(
        "not-acceptable",
        406,
        "This endpoint answers JSON only",
        "The Accept header excludes application/json.",
        "Accept application/json and application/problem+json.",
    ),
    Explained(
        "unsupported-media-type",
        415,
        "The body's media type is not supported",
        "Bodies are JSON.",
        "Send Content-Type: application/json.",
    ),
    Explained(
        "token-refused",
        401,
        "The access token is not accepted",
        "The token is missing, malformed, expired, revoked or not for this grant. The error "
        "parameter of WWW-Authenticate says which.",
        "Derive a new token from the grant. To revoke or to list tokens, it must live for "
        "60 seconds at most and carry act: manage.",
    ),
    Explained(
        "signature-refused",
        401,
        "The request is not signed by the service",
        "ApiCharge-Signature is missing, older than 300 seconds, or not made with the secret of "
        "the grant's service over time, method, path and the body's sha256.",
        "Sign the bytes that are sent, with the secret from the service's page in the admin.",
    ),
    Explained(
        "token-forbidden",
        403,
        "The access token may not do this",
        "The token is valid, but for another grant or another act.",
        "Use a token of this grant, with the act that the endpoint asks for.",
    ),
    Explained(
        "not-found",
        404,
        "There is no such thing",
        "No purchase, grant or address of this name is known here.",
        "Check the id. A purchase that was paid can be recovered with its saved quote.",
    ),
    Explained(
        "conflict",
        409,
        "The request conflicts with an earlier one",
        "Something happened to the purchase in between.",
        "Ask for its status and go on from there.",
    ),
    Explained(
        "request-in-flight",
        409,
        "The same request is being answered",
        "Another request with this Idempotency-Key has not been answered yet.",
        "Wait a moment and repeat it: the answer will be the same.",
    ),
    Explained(
        "already-authorized",
        409,
        "The purchase has another authorization",
        "A different valid authorization was accepted before. A purchase is paid once.",
        "Ask for the status. For another purchase, ask for a new instruction.",
    ),
    Explained(
        "purchase-ended",
        409,
        "The purchase has ended",
        "It expired, was rejected or failed. No money was taken.",
        "Ask for a new instruction. If you did pay, recover the grant with the saved quote.",
    ),
    Explained(
        "sales-stopped",
        409,
        "This is not sold at present",
        "Staff stopped the sales of this service or its provider, or has not approved it yet. A "
        "quote that was signed before buys nothing meanwhile. No money was taken.",
        "Come back later. Grants that were bought run on.",
    ),
    Explained(
        "unprocessable",
        422,
        "The request cannot be carried out",
        "It is well formed, but cannot be done. The detail says why.",
        "Follow the detail. Nothing was changed.",
    ),
    Explained(
        "idempotency-key-reused",
        422,
        "The Idempotency-Key belongs to another request",
        "The key was used by this buyer within 24 hours with another body.",
        "Use a new key for a new request, the same key only to repeat one exactly.",
    ),
    Explained(
        "quote-invalid",
        422,
        "This is not a quote of ours",
        "A field was changed, the signature does not verify, or it is for another network "
        "or contract.",
        "Fetch the quote again and send it as it is.",
    ),
    Explained(
        "quote-expired",
        422,
        "The quote has expired",
        "It is past its end, or has less than a minute left.",
        "Fetch a fresh quote. If you have paid already, recover the grant with the old one.",
    ),
    Explained(
        "authorization-invalid",
        422,
        "The authorization is not valid",
        "The signature or entry does not authorise exactly this purchase. It was not stored.",
        "Sign the hash of the preimage that the instruction gave, with the buyer's key.",
    ),
    Explained(
        "payment-not-found",
        422,
        "No payment for this quote and purchase was found",
        "The network shows no payment that fits, as far as it has been followed.",
        "Wait a few seconds and try again. Do not pay twice.",
    ),
    Explained(
        "cannot-pay",
        422,
        "The purchase would fail",
        "The network would refuse the payment, so it is not asked for. The detail says why.",
        "Follow the detail, then ask for a new instruction.",
    ),
    Explained(
        "no-account",
        422,
        "The buyer's account does not exist",
        "There is no such account on this network yet.",
        "Fund it first. On the sandbox, friendbot does so.",
    ),
    Explained(
        "no-trustline",
        422,
        "The buyer does not hold this asset",
        "The account has no trustline for the asset of the price.",
        "Add the trustline and the asset, or choose a plan in another asset. On the "
        "sandbox: friendbot with &asset=USDC.",
    ),
    Explained(
        "insufficient-balance",
        422,
        "The buyer's balance is too low",
        "The account holds less of the asset than the price.",
        "Add funds or choose a cheaper plan.",
    ),
    Explained(
        "over-spending-cap",
        422,
        "It is more than the buyer's account allows to be spent",
        "The buyer's account on this site has a limit for what is spent in 30 days, and this "
        "purchase would pass it.",
        "Change the limit under Spending in the account, wait, or choose a cheaper plan.",
    ),
    Explained(
        "payee-cannot-receive",
        422,
        "The provider cannot receive this asset",
        "The provider's account is missing, or has no trustline for the asset.",
        "Choose a plan in another asset, or tell the provider.",
    ),
    Explained(
        "login-refused",
        401,
        "The login is not accepted",
        "What was sent does not prove the account, proves another one, or has run out.",
        "Ask for a new challenge or text, sign it with the account's own key, and send it back.",
    ),
    Explained(
        "refund-refused",
        422,
        "The refund cannot be made",
        "Nothing was paid for this purchase, it was paid back already, or the transfer would fail "
        "on the network. The detail says which.",
        "Look the purchase up in the console; prepare a refund again when its cause is gone.",
    ),
    Explained(
        "too-many-purchases",
        429,
        "There are too many open purchases",
        "This buyer, or this network address, has as many open purchases as are allowed at a time.",
        "Finish one, or wait for as long as Retry-After says.",
    ),
    Explained(
        "too-many-requests",
        429,
        "This network asks too often",
        "Instructions and recoveries ask the payment network; a client network may have so many "
        "a minute. Nothing was changed.",
        "Wait as long as Retry-After says.",
    ),
    Explained(
        "network-unavailable",
        503,
        "The payment network does not answer",
        "The Stellar network could not be asked or told.",
        "Repeat after Retry-After. A purchase that was authorized goes on by itself.",
    ),
]
