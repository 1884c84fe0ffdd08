from stellar_sdk import xdr

from billing.sandbox import entries, resources
from tests.billing.sandbox.town import person

KEYS = [entries.account_key(person(number).public_key) for number in range(1, 60)]


def declared(reads: int, writes: int, **sizes: int) -> xdr.SorobanResources:
    given = {"read_bytes": 0, "write_bytes": 0} | sizes
    return resources.of_footprint(KEYS[:reads], KEYS[:writes], **given)


def test_price_is_that_of_the_list() -> None:
    # 20,000 a call; 2,000,000 instructions; two reads, of which one writes; a written KiB.
    price = resources.price_stroops(declared(1, 1, write_bytes=1024))
    assert price == 20_000 + 5_000 + 2 * 6_250 + 10_000 + 11_800


def test_part_of_a_kib_is_rounded_up() -> None:
    one = resources.price_stroops(declared(0, 1, write_bytes=1))
    none = resources.price_stroops(declared(0, 1, write_bytes=0))
    assert one - none == 12


def test_fifty_writes_are_the_limit() -> None:
    assert resources.within_limits(declared(0, 50))
    assert not resources.within_limits(declared(0, 51))
