"""The demo's content: one provider, one member of staff, two services with prices to choose from.

Seeded once per database. The addresses of the upstreams are set anew at each start, because the
demo's file server takes whatever port is free.
"""

from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from stellar_sdk import Keypair

from apicharge_site import state
from marketplace import pricing, publishing
from marketplace.models import Category, Provider, Route, RouteQuote, Service, Upstream

PROVIDER, STAFF = "provider", "staff"
RPC, FILES = "stellar-rpc", "files"
# What the demo's own upstreams need, and nothing wider.
UPSTREAM_NETWORK = "127.0.0.1/32"

HOUR, DAY = 3600, 86_400
CENT = 100_000  # Base units: seven decimals.
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Login:
    name: str
    password: str


def logins(home: Path) -> list[Login]:
    """Passwords are made per state directory: no demo anywhere shares one."""
    keys = home / "keys"
    return [Login(name, state.secret_file(keys / f"demo-{name}", 6)) for name in (PROVIDER, STAFF)]


def payout(home: Path) -> Keypair:
    """The account that the demo's buyers pay. Its secret key is the provider's, not the site's."""
    return Keypair.from_raw_ed25519_seed(
        bytes.fromhex(state.secret_file(home / "keys" / "demo-payout"))
    )


def is_wanted() -> bool:
    """A catalogue in which nobody has done anything yet is the one to fill."""
    return not Provider.objects.exists()


def is_seeded() -> bool:
    return Provider.objects.filter(slug="demo").exists()


@transaction.atomic
def seed(home: Path) -> None:
    provider_login, staff_login = logins(home)
    owner = User.objects.create_user(
        provider_login.name, password=provider_login.password, is_staff=True
    )
    User.objects.create_superuser(staff_login.name, password=staff_login.password)
    provider = Provider.objects.create(
        owner=owner,
        name="Demo Provider",
        slug="demo",
        payout_address=payout(home).public_key,
        about="Sells two small APIs on the sandbox network.",
    )
    _seed_rpc(provider)
    _seed_files(provider)


@transaction.atomic
def point(slug: str, url: str) -> None:
    """Send a seeded service's calls to `url`, if the service is still there."""
    upstream = Upstream.objects.filter(service__slug=slug, service__provider__slug="demo").first()
    if upstream is not None and upstream.url != url:
        upstream.url = url
        upstream.save()
        publishing.publish([upstream.service_id])


def _seed_rpc(provider: Provider) -> None:
    service = Service.objects.create(
        provider=provider,
        category=Category.objects.get_or_create(name="Blockchain", slug="blockchain")[0],
        name="Stellar RPC",
        slug=RPC,
        tagline="A Soroban RPC node, by the call.",
        description=(
            "JSON-RPC of a Stellar node. Any Stellar SDK works with it: set the address and send "
            "the token in the header `apicharge`."
        ),
        state=Service.State.PUBLISHED,
        tags=["soroban", "json-rpc", "node"],
        regions=[Service.Region.EUROPE, Service.Region.NORTH_AMERICA],
    )
    Upstream.objects.create(service=service, url="http://127.0.0.1:8001")
    route = Route.objects.create(
        service=service, slug="rpc", name="JSON-RPC", path="/", methods=["POST"]
    )
    _sell(route, "Trial", 0, 600, [_calls(20)])
    _sell(route, "Hour pass", 25 * CENT, HOUR, [_calls(1_000)])
    _sell(route, "Day pass", 200 * CENT, DAY, [_calls(50_000), _data("both", 500 * MEGABYTE)])


def _seed_files(provider: Provider) -> None:
    service = Service.objects.create(
        provider=provider,
        category=Category.objects.get_or_create(name="Files and streams", slug="files")[0],
        name="Files",
        slug=FILES,
        tagline="Files of any size, uploads and an event stream.",
        description=(
            "`GET /files/1000000.bin` is a file of that many bytes, `GET /stream` sends an event "
            "every half second, `POST /upload` counts what it is sent."
        ),
        state=Service.State.PUBLISHED,
        tags=["download", "upload", "streaming"],
        protocols=[Service.Protocol.REST, Service.Protocol.SSE],
        regions=[Service.Region.EUROPE],
    )
    Upstream.objects.create(service=service, url="http://127.0.0.1:8003")
    download = Route.objects.create(
        service=service,
        slug="download",
        name="Download",
        path="/files",
        methods=["GET", "HEAD"],
    )
    _sell(download, "One megabyte", 10 * CENT, HOUR, [_data("down", MEGABYTE)])
    _sell(download, "Hour pass", 50 * CENT, HOUR, [_calls(100), _data("down", 100 * MEGABYTE)])
    _sell(download, "Credits", 100 * CENT, DAY, [{"kind": "credits", "credits": 500}])
    upload = Route.objects.create(
        service=service, slug="upload", name="Upload", path="/upload", methods=["POST", "PUT"]
    )
    _sell(upload, "Ten megabytes", 20 * CENT, HOUR, [_data("up", 10 * MEGABYTE)])
    stream = Route.objects.create(
        service=service, slug="stream", name="Event stream", path="/stream", methods=["GET"]
    )
    _sell(stream, "Ten minutes", 5 * CENT, 600, [_calls(10)], asset="EURC")


def _calls(count: int) -> dict[str, object]:
    return {"kind": "calls", "count": count}


def _data(direction: str, size: int) -> dict[str, object]:
    return {"kind": "data", "direction": direction, "bytes": size}


def _sell(
    route: Route,
    name: str,
    amount: int,
    access_seconds: int,
    limits: list[dict[str, object]],
    *,
    asset: str = "USDC",
) -> None:
    draft = RouteQuote(
        route=route,
        name=name,
        amount=amount,
        asset=asset,
        access_seconds=access_seconds,
        limits=limits,
    )
    pricing.publish(pricing.save_draft(draft), timezone.now())
