"""What is sold: providers, their services, the routes of a service and the price of each."""

from marketplace.models.configurations import Configuration
from marketplace.models.demand import PlanDemand
from marketplace.models.documents import ApiDocument
from marketplace.models.offering import Service, ServiceQuerySet, Upstream
from marketplace.models.prices import ACCESS_SECONDS_MAX, Quote, RouteQuote
from marketplace.models.proofs import DomainProof
from marketplace.models.providers import SLUG, Category, PayoutChange, Provider
from marketplace.models.reviews import Review, ReviewReport, ServiceNote
from marketplace.models.routes import Route
from marketplace.models.standing import CheapestPrice, MeasuredDay, Standing, Turn, Words
from marketplace.models.suspensions import Suspension

__all__ = ["ACCESS_SECONDS_MAX", "SLUG", "ApiDocument", "Category", "CheapestPrice"]
__all__ += ["Configuration", "DomainProof", "MeasuredDay", "PayoutChange", "PlanDemand"]
__all__ += ["Provider", "Quote"]
__all__ += ["Review", "ReviewReport", "Route", "RouteQuote", "Service", "ServiceNote"]
__all__ += ["ServiceQuerySet", "Standing", "Suspension", "Turn", "Upstream", "Words"]
