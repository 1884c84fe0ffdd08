import pytest
from django.contrib.auth.models import User
from django.test import Client

from marketplace.models import Category
from tests.marketplace import shop
from tests.marketplace.admin.people import People


@pytest.fixture
def people(db: None) -> People:
    """Alba, who sells; Bruno, who sells too and must see nothing of it; staff; a stranger."""
    category = Category.objects.create(name="Weather", slug="weather")
    alba = shop.provider("Alba")
    bruno = shop.provider("Bruno")
    sold = shop.price(shop.route(shop.service(alba, "alba-weather", category=category), "alba-day"))
    shop.draft(sold.route, "Alba draft")
    theirs = shop.price(shop.route(shop.service(bruno, "bruno-files"), "bruno-get"))
    staff = User.objects.create_superuser("staff")
    clients = {}
    for name, user in {"alba": alba.owner, "bruno": bruno.owner, "staff": staff}.items():
        clients[name] = Client()
        clients[name].force_login(user)
    return People(alba, bruno, sold, theirs, clients["alba"], clients["bruno"], clients["staff"])
