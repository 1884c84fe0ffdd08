"""Everything under /account/: what buyers see of what they bought."""

from django.urls import path

from billing.account import acts, caps, entering, notices, pages, receipts

app_name = "dashboard"
GRANT = "grants/<str:grant_id>/"

urlpatterns = [
    path("", pages.overview, name="overview"),
    path("live/", pages.overview_live, name="overview-live"),
    path("token/", entering.by_token, name="by-token"),
    path("wallet/", entering.by_wallet, name="by-wallet"),
    path("purchases/<str:purchase_id>/", entering.by_purchase, name="by-purchase"),
    path("leave/", entering.leave, name="leave"),
    path("receipts/", receipts.listed, name="receipts"),
    path("receipts.csv", receipts.sheet, name="receipts-csv"),
    path("spending/", receipts.spending, name="spending"),
    path("spending/cap/", caps.change, name="spending-cap"),
    path("notices/", notices.settings, name="notices"),
    path("notices/webhooks/", notices.add, name="add-webhook"),
    path("notices/webhooks/<int:pk>/", notices.webhook, name="webhook"),
    path("notices/webhooks/<int:pk>/<slug:act>/", notices.change, name="change-webhook"),
    path(GRANT, pages.grant, name="grant"),
    path(f"{GRANT}live/", pages.grant_live, name="grant-live"),
    path(f"{GRANT}usage/<str:by>/", pages.usage, name="usage"),
    path(f"{GRANT}claim/", pages.claim, name="claim"),
    path(f"{GRANT}revoke/", acts.revoke, name="revoke"),
    path(f"{GRANT}refund/", acts.refund, name="refund"),
    path(f"{GRANT}refund/withdraw/", acts.take_back, name="take-back"),
    path(f"{GRANT}gifts/<int:gift_id>/", acts.take_gift, name="take-gift"),
    path(f"{GRANT}report/", acts.report, name="report"),
]
