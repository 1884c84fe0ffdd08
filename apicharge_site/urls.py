"""The console's addresses: admin, protocol endpoints, pages."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("marketplace.urls")),
    path("", include("billing.urls")),
]
