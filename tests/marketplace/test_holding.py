"""What was sold, or may just have been, keeps its route."""

import pytest

from marketplace import holding, quoting
from tests.marketplace import shop


@pytest.mark.django_db
def test_quote_that_was_paid_in_its_last_second_holds_its_route_until_it_is_granted() -> None:
    sold = shop.stall()
    quote = quoting.signed(sold, shop.NOW_S)
    granted_by = quote.expires_at + holding.SETTLING_SECONDS
    for now_s in (shop.NOW_S, quote.expires_at + 1, granted_by - 1):
        held = holding.hold([sold.route], now_s)
        assert held is not None
        assert (held.grants, held.quotes, held.until_s) == (0, 1, granted_by)
    assert holding.hold([sold.route], granted_by) is None
