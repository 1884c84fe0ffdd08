"""What billing refuses, as one tree. Each leaf carries its HTTP status and problem type (a slug).

BillingError
├── BadRequest 400                 the body is not what the endpoint takes
│   ├── BodyTooLarge 413
│   └── NotAcceptable 406, MethodNotAllowed 405, UnsupportedMediaType 415
├── TokenRefused 401 · SignatureRefused 401 · LoginRefused 401 · TokenForbidden 403
├── NotFound 404
├── Conflict 409
│   ├── RequestInFlight            the same Idempotency-Key is being answered right now
│   ├── AlreadyAuthorized          by another valid authorization
│   └── PurchaseEnded              expired, rejected or failed: nothing was taken
├── Unprocessable 422
│   ├── IdempotencyKeyReused · QuoteInvalid · QuoteExpired
│   ├── AuthorizationInvalid · PaymentNotFound
│   ├── RefundRefused
│   └── CannotPay                  and its kinds: the detail says what to do
├── TooMany 429
│   └── TooOften                   this client network asks more often than a buyer would
└── NetworkUnavailable 503
"""

from typing import ClassVar


class BillingError(Exception):
    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class BadRequest(BillingError):
    status, slug, title = 400, "invalid-request", "The request is not valid"


class BodyTooLarge(BadRequest):
    status, slug, title = 413, "body-too-large", "The body is too large"


class MethodNotAllowed(BadRequest):
    status, slug, title = 405, "method-not-allowed", "This method is not allowed here"


class UnsupportedMediaType(BadRequest):
    status, slug, title = 415, "unsupported-media-type", "The body's media type is not supported"


class TokenRefused(BillingError):
    status, slug, title = 401, "token-refused", "The access token is not accepted"

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class SignatureRefused(BillingError):
    status, slug, title = 401, "signature-refused", "The request is not signed by the service"


class LoginRefused(BillingError):
    status, slug, title = 401, "login-refused", "The login is not accepted"


class TokenForbidden(BillingError):
    status, slug, title = 403, "token-forbidden", "The access token may not do this"


class NotFound(BillingError):
    status, slug, title = 404, "not-found", "There is no such thing"


class Conflict(BillingError):
    status, slug, title = 409, "conflict", "The request conflicts with an earlier one"


class RequestInFlight(Conflict):
    slug, title = "request-in-flight", "The same request is being answered"


class AlreadyAuthorized(Conflict):
    slug, title = "already-authorized", "The purchase has another authorization"


class PurchaseEnded(Conflict):
    slug, title = "purchase-ended", "The purchase has ended"


class SalesStopped(Conflict):
    slug, title = "sales-stopped", "This is not sold at present"


class Unprocessable(BillingError):
    status, slug, title = 422, "unprocessable", "The request cannot be carried out"


class IdempotencyKeyReused(Unprocessable):
    slug, title = "idempotency-key-reused", "The Idempotency-Key belongs to another request"


class QuoteInvalid(Unprocessable):
    slug, title = "quote-invalid", "This is not a quote of ours"


class QuoteExpired(Unprocessable):
    slug, title = "quote-expired", "The quote has expired"


class AuthorizationInvalid(Unprocessable):
    slug, title = "authorization-invalid", "The authorization is not valid"


class PaymentNotFound(Unprocessable):
    slug, title = "payment-not-found", "No payment for this quote and purchase was found"


class CannotPay(Unprocessable):
    slug, title = "cannot-pay", "The purchase would fail"


class NoAccount(CannotPay):
    slug, title = "no-account", "The buyer's account does not exist"


class NoTrustline(CannotPay):
    slug, title = "no-trustline", "The buyer does not hold this asset"


class InsufficientBalance(CannotPay):
    slug, title = "insufficient-balance", "The buyer's balance is too low"


class OverCap(Unprocessable):
    slug, title = "over-spending-cap", "It is more than the buyer's account allows to be spent"


class PayeeCannotReceive(CannotPay):
    slug, title = "payee-cannot-receive", "The provider cannot receive this asset"


class RefundRefused(Unprocessable):
    slug, title = "refund-refused", "The refund cannot be made"


class TooMany(BillingError):
    status, slug, title = 429, "too-many-purchases", "There are too many open purchases"


class TooOften(TooMany):
    slug, title = "too-many-requests", "This network asks too often"


class NetworkUnavailable(BillingError):
    status, slug, title = 503, "network-unavailable", "The payment network does not answer"
