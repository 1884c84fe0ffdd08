import pytest

from gateway.domain.limits import is_quota, parse_limits
from marketplace.domain import plans
from marketplace.domain.templates import BY_KEY, TEMPLATES, Template


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.key)
def test_template_can_be_sold_as_it_is(template: Template) -> None:
    assert plans.parse_amount(template.price) >= 0
    assert [limit.terms() for limit in parse_limits([*template.limits])]
    assert template.access_seconds >= 60


def test_what_is_free_ends_by_itself_and_unlimited_has_no_quota() -> None:
    assert any(map(is_quota, parse_limits([*BY_KEY["trial"].limits])))
    assert not any(map(is_quota, parse_limits([*BY_KEY["day"].limits])))
