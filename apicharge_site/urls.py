"""The console's addresses: admin, protocol endpoints, pages."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("marketplace.urls")),
    path("", include("billing.urls")),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
]
