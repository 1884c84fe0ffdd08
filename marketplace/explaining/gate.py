"""What the gate answers instead of the API."""

from marketplace.explaining.problem import Explained

GATE = [
    Explained(
        "payment-required",
        402,
        "This route is sold by the grant",
        "The call carried no access token. The answer lists what is on sale for this route.",
        "Choose a quote, ask for a purchase instruction, sign it, and repeat the call with the "
        "token that you are given. The apicharge command and the Python client do all of it.",
    ),
    Explained(
        "grant-expired",
        402,
        "The grant has ended",
        "The access time that was bought is over.",
        "Buy another grant. The quotes are in the answer.",
    ),
    Explained(
        "quota-exhausted",
        402,
        "The grant is used up",
        "A limit of the grant (calls, data or credits) has nothing left and does not renew.",
        "Buy another grant. What is left of each limit is at /apicharge/v1/grants/{id}.",
    ),
    Explained(
        "window-exhausted",
        429,
        "Used up until the next window",
        "A limit that renews has nothing left in its present window.",
        "Wait for as long as Retry-After says. Nothing has to be paid.",
    ),
    Explained(
        "rate-exceeded",
        429,
        "Too many calls in too short a time",
        "The grant admits so many calls in any window of time, and they were made.",
        "Wait for as long as Retry-After says. Nothing has to be paid.",
    ),
    Explained(
        "too-many-at-once",
        429,
        "Too many calls at a time",
        "As many calls of the grant are running as it allows.",
        "Wait until one of them has ended. Nothing has to be paid.",
    ),
    Explained(
        "outside-schedule",
        429,
        "The grant does not work at this hour",
        "The grant was sold for certain days and hours.",
        "Wait for as long as Retry-After says: then its hours begin.",
    ),
    Explained(
        "too-many-from-here",
        429,
        "Too many calls from one address",
        "The route, or this gateway, is guarded against more calls from one address: of calls "
        "without a valid token, and of grants that sell no rate or concurrency of their own.",
        "Wait for as long as Retry-After says. Nothing has to be paid.",
    ),
    Explained(
        "route-busy",
        429,
        "The route has as much to do as it takes",
        "The provider guards the route against more calls than this, from all callers together.",
        "Wait for as long as Retry-After says. Nothing was charged.",
    ),
    Explained(
        "invalid-token",
        401,
        "The token is not valid here",
        "The token is malformed, its signature does not verify, its key is unknown, or it was "
        "issued by another gateway.",
        "Use the granted access token exactly as it was given. The error parameter of "
        "WWW-Authenticate says what is wrong with it.",
    ),
    Explained(
        "token-revoked",
        401,
        "The token was revoked",
        "The owner of the grant revoked this token, or the whole grant.",
        "Derive a new token if the grant stands; otherwise buy another grant.",
    ),
    Explained(
        "token-expired",
        401,
        "The access token has expired",
        "The short-lived token that the client derived is past its end, or not valid yet by this "
        "server's clock. The grant itself stands.",
        "Derive a new access token from the grant. Do not pay again. The Date header tells the "
        "server's clock.",
    ),
    Explained(
        "out-of-scope",
        403,
        "The token is for something else",
        "The token is valid, but for another route, method or path.",
        "Use the grant that was bought for this route, or derive a token with a wider scope.",
    ),
    Explained(
        "route-not-found",
        404,
        "There is no such route",
        "Nothing is sold or served at this address.",
        "Look in the catalogue. Addresses begin with the gate's prefix and the service's slug.",
    ),
    Explained(
        "ambiguous-path",
        400,
        "The path can be read in two ways",
        "The path holds an encoded slash or backslash, a NUL, or dot segments. Servers differ in "
        "what they make of these, so the gate refuses them.",
        "Send the plain path.",
    ),
    Explained(
        "malformed-request",
        400,
        "The request cannot be passed on",
        "The request does not follow HTTP in a way that matters to whoever reads it next.",
        "Send well-formed headers, one `Host`, and a body of the length that was announced.",
    ),
    Explained(
        "request-stalled",
        408,
        "The request body did not arrive",
        "The gate waited for the rest of the request, and it did not come.",
        "Send the request again, on a better connection or in smaller parts.",
    ),
    Explained(
        "upstream-unreachable",
        502,
        "The API could not be reached",
        "The provider's server did not take the connection, or dropped it. Nothing was charged "
        "unless the plan says that every call counts.",
        "Try again later. The grant stands.",
    ),
    Explained(
        "upstream-invalid",
        502,
        "The API's answer cannot be passed on",
        "The provider's server answered something that is not HTTP, or broke off.",
        "Try again; tell the provider if it stays so.",
    ),
    Explained(
        "upstream-silent",
        504,
        "The API did not answer in time",
        "The provider's server took the request and stayed silent for longer than it may.",
        "Try again later. The grant stands.",
    ),
    Explained(
        "deadline-exceeded",
        408,
        "The call's own deadline has passed",
        "The call named a deadline (grpc-timeout) and the API was not done by then. Over gRPC "
        "this is the status DEADLINE_EXCEEDED.",
        "Name a later deadline, or none. The call counts, answered or not: it was the client who "
        "ended it.",
    ),
    Explained(
        "ledger-unavailable",
        503,
        "The quota cannot be counted now",
        "The gate serves only what it can count, and could not count at this moment.",
        "Repeat the call after Retry-After. Nothing was charged.",
    ),
    Explained(
        "keys-unavailable",
        503,
        "The token cannot be checked now",
        "The gate has no keys to check tokens with yet.",
        "Repeat the call after Retry-After. Nothing was charged.",
    ),
    Explained(
        "gate-closing",
        503,
        "This server is going away",
        "The process that you reached is being shut down.",
        "Repeat the call: another process answers it.",
    ),
    Explained(
        "gate-fault",
        500,
        "The gate failed",
        "Something broke that should not. Nothing was charged.",
        "Repeat the call; tell the operator if it stays so.",
    ),
]
