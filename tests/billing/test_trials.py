import time

import pytest

from billing import trials
from billing.domain.errors import NotFound, TooMany
from billing.models import Purchase
from gateway.domain import tokens
from gateway.models import GrantLedger, VerifyingKey
from marketplace.models import RouteQuote
from tests.marketplace import shop

pytestmark = pytest.mark.django_db
HERE = "192.0.2.0/24"


def trial_plan(**fields: object) -> RouteQuote:
    route = shop.route(shop.service(shop.provider()))
    shop.price(route, "Paid")
    limits = [{"kind": "calls", "count": 20}]
    return shop.price(route, "Trial", amount=0, access_seconds=600, limits=limits, **fields)


def start(network: str = HERE) -> trials.Trial:
    return trials.start("weather/forecast", network, now_s=time.time())


def test_a_trial_is_a_real_grant_that_nobody_can_use_anew() -> None:
    trial_plan()
    trial = start()
    assert trial.words == "20 calls, for 10 minutes"
    keys = {key.kid: bytes.fromhex(key.public_key) for key in VerifyingKey.objects.all()}
    token = tokens.read(trial.token, keys)
    assert isinstance(token, tokens.AccessToken)
    assert token.grant.route == "weather/forecast"
    assert GrantLedger.objects.get().grant_id == token.grant.id
    assert Purchase.objects.get().buyer == token.grant.buyer
    assert token.client_expires_at == trial.expires_at
    other = start()
    assert tokens.read(other.token, keys) != token


def test_a_token_does_not_outlive_the_page_by_much() -> None:
    plan = trial_plan()
    shop.pricing.retire(plan, shop.NOW)
    shop.price(plan.route, "Long", amount=0, access_seconds=30 * 86_400)
    trial = start()
    assert trial.expires_at <= time.time() + trials.TOKEN_SECONDS_MAX


def test_a_network_gets_a_few_trials_a_day() -> None:
    trial_plan()
    for _ in range(trials.TRIALS_PER_NETWORK_DAY):
        start()
    with pytest.raises(TooMany, match="trials a day"):
        start()
    assert start("198.51.100.0/24").token


def test_only_a_free_plan_with_a_quota_is_tried() -> None:
    shop.stall()
    with pytest.raises(NotFound, match="no trial"):
        start()
    with pytest.raises(NotFound):
        trials.start("no/where", HERE, now_s=time.time())
