"""What the account menu of every page shows."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.naming import name_of


def account(request: HttpRequest) -> dict[str, object]:
    return {"account_name": SimpleLazyObject(lambda: name_of(request.user))}
