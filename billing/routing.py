"""The addresses of live pages."""

from django.urls import path

from billing.pages.progress import Progress

LIVE_PAGES = [
    path("live/purchases/<str:purchase_id>/<str:secret>/", Progress.as_asgi()),
]
