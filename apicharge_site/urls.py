"""The console's addresses: admin, accounts, protocol endpoints, pages."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("account/", include("billing.account.urls")),
    path("", include("marketplace.urls")),
    path("", include("billing.urls")),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
]

handler429 = "accounts.refusing.too_often"
