from django.urls import path

from marketplace import joining, pages, paying_out, presenting, reviewing, storefront
from marketplace.belonging import for_whoever_may as may
from marketplace.catalogue import catalogue
from marketplace.sitemaps import robots, sitemap, sitemap_index
from marketplace.trying import page
from marketplace.views import QuotesView, configuration_schema

app_name = "marketplace"

urlpatterns = [
    path("", catalogue, name="catalogue"),
    path("services/<slug:slug>/", presenting.service, name="service"),
    path("services/<slug:slug>/reviews/", may(reviewing.reviews), name="reviews"),
    path(
        "services/<slug:slug>/reviews/<int:pk>/report/", may(reviewing.report), name="report-review"
    ),
    path("services/<slug:slug>/try/", may(page.page), name="try"),
    path("services/<slug:slug>/reference/", may(presenting.reference), name="reference"),
    path(
        "services/<slug:slug>/openapi.json", may(presenting.service_openapi), name="service-openapi"
    ),
    path("services/<slug:slug>/routes/<slug:route_slug>/", may(pages.route), name="route"),
    path("sell/", joining.sell, name="sell"),
    path("sell/payout/", paying_out.payout, name="payout"),
    path("sell/payout/stop/", paying_out.stop, name="payout-stop"),
    path("sell/payout/cancel/<str:token>/", paying_out.cancel, name="payout-cancel"),
    path("providers/<slug:slug>/", storefront.provider, name="provider"),
    path("problems/", pages.problems, name="problems"),
    path("problems/<slug:slug>/", pages.problem, name="problem"),
    path("problems/<slug:slug>", pages.problem),  # As the problem's `type` spells it.
    path("llms.txt", pages.llms, name="llms"),
    path("robots.txt", robots, name="robots"),
    path("sitemap.xml", sitemap_index, name="sitemaps"),
    path("sitemap-<int:part>.xml", sitemap, name="sitemap"),
    path("schemas/configuration.json", configuration_schema, name="configuration-schema"),
    path("apicharge/v1/quotes", QuotesView.as_view(), name="quotes"),
]
