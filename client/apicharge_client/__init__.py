"""Buy time-bound access to HTTP APIs behind an ApiCharge gateway, and call them.

from apicharge_client import ApiChargeAuth, Budget, Buyer, Store, key_from_environment

buyer = Buyer(Store(home), key_from_environment(os.environ), Budget.of("USDC:2.5"))
httpx.get(url, auth=ApiChargeAuth(buyer))
"""

from apicharge_client.auth import ApiChargeAuth
from apicharge_client.buying import Buyer
from apicharge_client.errors import ApiChargeError
from apicharge_client.keys import Key
from apicharge_client.keys import from_environment as key_from_environment
from apicharge_client.keys import from_file as key_from_file
from apicharge_client.money import Budget
from apicharge_client.pins import Expected
from apicharge_client.steps import run
from apicharge_client.store import Store, default_home

__all__ = [
    "ApiChargeAuth",
    "ApiChargeError",
    "Budget",
    "Buyer",
    "Expected",
    "Key",
    "Store",
    "default_home",
    "key_from_environment",
    "key_from_file",
    "run",
]
