"""The pages of a purchase, everything under /apicharge/v1/ but the quotes, and the key set."""

from django.urls import path

from billing.api import consuming, grants, logins, purchases, refunds
from billing.api.waiting import as_waiting_view
from billing.pages import (
    checkout,
    faucet,
    going_back,
    purchase,
    receipt,
    reviews,
    trials,
    vouchers,
    wallets,
)
from marketplace.belonging import for_whoever_may as may

PURCHASE = "apicharge/v1/purchases/<str:purchase_id>"
GRANT = "apicharge/v1/grants/<str:grant_id>"
PAGE = "purchases/<str:purchase_id>/<str:secret>/"

app_name = "billing"

urlpatterns = [
    path("accounts/wallet/", wallets.log_in, name="wallet-login"),
    path("accounts/wallets/", wallets.own, name="wallets"),
    path("accounts/wallets/add/", wallets.add, name="wallet-add"),
    path("accounts/wallets/<int:wallet_id>/remove/", wallets.remove, name="wallet-remove"),
    path("services/<slug:slug>/trial/", may(trials.trial), name="trial"),
    path("checkout/friendbot", faucet.friendbot, name="friendbot"),
    path("checkout/funds/", checkout.funds, name="funds"),
    path("checkout/<slug:slug>/<slug:route_slug>/", may(checkout.checkout), name="checkout"),
    path("vouchers/", vouchers.redeem, name="vouchers"),
    path(PAGE, purchase.page, name="purchase"),
    path(f"{PAGE}sign", purchase.sign, name="sign"),
    path(f"{PAGE}instruction.json", purchase.instruction, name="instruction"),
    path("services/<slug:slug>/review/", may(reviews.review), name="review"),
    path(f"{PAGE}hand-over", going_back.hand_over, name="hand-over"),
    path(f"{PAGE}receipt/", receipt.page, name="receipt"),
    path(f"{PAGE}receipt.json", receipt.as_json, name="receipt-json"),
    path(f"{PAGE}receipt.pdf", receipt.as_pdf, name="receipt-pdf"),
    path("apicharge/v1/purchases", purchases.Purchases.as_view()),
    path(PURCHASE, purchases.PurchaseStatus.as_view()),
    path(f"{PURCHASE}/authorization", as_waiting_view(purchases.Authorization)),
    path(f"{PURCHASE}/sep7", purchases.Sep7Callback.as_view()),
    path(f"{PURCHASE}/recover", purchases.Recovery.as_view()),
    path("apicharge/v1/refunds/<str:refund_id>/sep7", refunds.RefundCallback.as_view()),
    path(GRANT, grants.GrantUsage.as_view()),
    path(f"{GRANT}/consume", consuming.Consumption.as_view()),
    path(f"{GRANT}/revoke", grants.Revocation.as_view()),
    path("apicharge/v1/auth", logins.Sep10.as_view()),
    path("apicharge/v1/auth/text", logins.Sep53.as_view()),
    path(".well-known/stellar.toml", logins.stellar_toml),
    path(".well-known/jwks.json", grants.Jwks.as_view()),
]
