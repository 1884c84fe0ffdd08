"""Billing's settings as one typed object, and the rail that they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings

from billing.rails.port import Rail
from billing.rails.stellar import StellarRail
from billing.rails.stellar.deploying import Deploying
from billing.rails.stellar.envelopes import address_of
from billing.rails.stellar.founding import Founding
from marketplace import quoting
from marketplace.domain import chains
from marketplace.domain.chains import Chain


class NoKey(RuntimeError):
    """This process holds no signing keys, so it neither sells nor grants."""


@dataclass(frozen=True, slots=True)
class Conf:
    origin: str
    chain: Chain
    rpc_url: str
    expired_kept_s: int
    channels: int
    explorer: str
    announces: bool
    """Processes share a Channels layer, so that one hears what another did."""


def conf() -> Conf:
    return Conf(
        origin=settings.ORIGIN,
        chain=settings.CHAIN,
        rpc_url=settings.RPC_URL,
        expired_kept_s=settings.EXPIRED_KEPT_DAYS * 86_400,
        channels=settings.CHANNELS,
        explorer=settings.EXPLORER,
        announces=bool(settings.REDIS_URL),
    )


@cache
def rail_at(rpc_url: str) -> Rail:
    return StellarRail(
        settings.CHAIN,
        rpc_url,
        quote_signers=quoting.signer_public_keys(),
        channel_key=_seed("CHANNEL_KEY_SEED"),
        inclusion_fee_max=settings.INCLUSION_FEE_MAX,
    )


def founding() -> Founding:
    """What prepares the network itself; only a real rail has it."""
    return _stellar().founding()


def deploying() -> Deploying:
    return _stellar().deploying((settings.BASE_DIR / "contract" / "apicharge.wasm").read_bytes())


def _stellar() -> StellarRail:
    chosen = rail()
    assert isinstance(chosen, StellarRail)
    return chosen


def rail() -> Rail:
    return _chosen[-1] if _chosen else rail_at(settings.RPC_URL)


@contextmanager
def paying_by(other: Rail) -> Iterator[None]:
    """Another rail for a while."""
    _chosen.append(other)
    try:
        yield
    finally:
        _chosen.remove(other)


_chosen: list[Rail] = []


def login_seed() -> bytes:
    return chains.login_seed(_seed("CHANNEL_KEY_SEED"), settings.CHAIN.name)


def login_address() -> str:
    return account_of(login_seed())


def account_of(seed: bytes) -> str:
    """The account that this key alone is the master of."""
    return address_of(seed)


def domain() -> str:
    return urlsplit(conf().origin).netloc


def grant_seed() -> bytes:
    return _seed("GRANT_KEY_SEED")


def _seed(name: str) -> bytes:
    secret = getattr(settings, name)
    if secret is None:
        raise NoKey(f"{name} is not set in this process.")
    return bytes.fromhex(secret.reveal())
