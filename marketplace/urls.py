from django.urls import path

from marketplace import pages
from marketplace.views import QuotesView

app_name = "marketplace"

urlpatterns = [
    path("", pages.catalogue, name="catalogue"),
    path("services/<slug:slug>/", pages.service, name="service"),
    path("services/<slug:slug>/routes/<slug:route_slug>/", pages.route, name="route"),
    path("problems/", pages.problems, name="problems"),
    path("problems/<slug:slug>/", pages.problem, name="problem"),
    path("problems/<slug:slug>", pages.problem),  # As the problem's `type` spells it.
    path("llms.txt", pages.llms, name="llms"),
    path("apicharge/v1/quotes", QuotesView.as_view(), name="quotes"),
]
