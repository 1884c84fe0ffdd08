"""What this machine holds: grants, purchases under way, pins. Readable by its owner alone.

One file per (origin, route), written whole (a new file renamed over the old one), and one lock
beside it: whoever buys holds the lock, so two calls at once never pay twice. A purchase is kept
from before its signature leaves until its outcome is known.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from apicharge_client.documents import Document
from apicharge_client.errors import BadDocument, StoreProblem
from apicharge_client.pins import Pin

HOME = "APICHARGE_CLIENT_HOME"
PATHS_MAX = 100  # Addresses remembered per route.
GRANTS_MAX = 20  # The latest; ended ones are for looking at.


@dataclass(frozen=True, slots=True)
class Grant:
    id: str
    route: str
    name: str
    price: str
    token: str = field(repr=False)  # granted access token
    access_seed: str = field(repr=False)  # hex
    expires_at: int
    bought_at: int
    ended: bool = False

    def usable(self, now_s: float) -> bool:
        return not self.ended and now_s < self.expires_at


@dataclass(frozen=True, slots=True)
class Pending:
    """Signed, outcome unknown. `quote` is the document itself: with it a grant can be recovered."""

    id: str
    gateway: str
    quote: dict[str, object]
    buyer: str
    signature: str
    access_seed: str = field(repr=False)
    signed_at: int

    @property
    def quote_expires_at(self) -> int:
        """After it the contract takes no payment for this quote."""
        return Document(self.quote, "the stored quote").integer("expires_at")


@dataclass(frozen=True, slots=True)
class Held:
    """All that is held for one route at one origin."""

    origin: str
    route: str
    gateway: str = ""
    grants: tuple[Grant, ...] = ()
    pending: Pending | None = None
    paths: tuple[str, ...] = ()

    def usable(self, now_s: float) -> Grant | None:
        return next((grant for grant in reversed(self.grants) if grant.usable(now_s)), None)

    def waiting(self, pending: Pending) -> "Held":
        return replace(self, pending=pending)

    def settled(self) -> "Held":
        return replace(self, pending=None)

    def granted(self, grant: Grant) -> "Held":
        grants = (*(known for known in self.grants if known.id != grant.id), grant)
        return replace(self, grants=grants[-GRANTS_MAX:], pending=None)

    def ended(self, grant_id: str) -> "Held":
        grants = tuple(
            replace(grant, ended=True) if grant.id == grant_id else grant for grant in self.grants
        )
        return replace(self, grants=grants)

    def at_path(self, path: str) -> "Held":
        others = tuple(known for known in self.paths if known != path)
        return replace(self, paths=(*others, path)[-PATHS_MAX:])

    def not_at_path(self, path: str) -> "Held":
        return replace(self, paths=tuple(known for known in self.paths if known != path))


def default_home(environ: Mapping[str, str]) -> Path:
    if stated := environ.get(HOME):
        return Path(stated)
    config = environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return Path(config) / "apicharge"


class Store:
    def __init__(self, home: Path) -> None:
        self.home = home

    def held(self, origin: str, route: str) -> Held:
        path = self._path(origin, route)
        return self._read(path) if path.exists() else Held(origin, route)

    def all(self) -> list[Held]:
        return [self._read(path) for path in sorted((self.home / "grants").glob("*.json"))]

    def at(self, origin: str, path: str) -> Held | None:
        """What is held for an address that a gateway once said belongs to a route."""
        here = (held for held in self.all() if held.origin == origin and path in held.paths)
        return next(here, None)

    def change(self, origin: str, route: str, edit: Callable[[Held], Held]) -> Held:
        """Write what `edit` makes of what is held now. Short: it does not wait for the network."""
        with self._writing():
            held = edit(self.held(origin, route))
            self._write(self._path(origin, route), asdict(held))
        return held

    @contextlib.contextmanager
    def lock(self, origin: str, route: str) -> Iterator[bool]:
        """Held by one at a time, on this machine; yields False when somebody else has it."""
        with self._locking(self._path(origin, route).with_suffix(".lock")) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = True
            except BlockingIOError:
                mine = False
            yield mine

    def pin(self, gateway: str) -> Pin | None:
        pins = self._pins()
        return Pin.from_json(pins.object(gateway)) if gateway in pins.members else None

    def keep_pin(self, gateway: str, pin: Pin) -> None:
        with self._writing():
            self._write(self.home / "pins.json", {**self._pins().members, gateway: pin.to_json()})

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._locking(self.home / "grants" / "writing") as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _locking(self, path: Path) -> Iterator[int]:
        self._directory(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _pins(self) -> Document:
        path = self.home / "pins.json"
        return self._document(path) if path.exists() else Document({}, "no pins")

    def _path(self, origin: str, route: str) -> Path:
        name = hashlib.sha256(f"{origin}\n{route}".encode()).hexdigest()[:32]
        return self.home / "grants" / f"{name}.json"

    def _read(self, path: Path) -> Held:
        try:
            return _held(self._document(path))
        except (BadDocument, TypeError) as exc:
            raise StoreProblem(f"{exc}: {path.name} is not as this client writes it.") from exc

    @staticmethod
    def _document(path: Path) -> Document:
        try:
            return Document.parse(path.read_bytes(), str(path))
        except OSError as exc:
            raise StoreProblem(f"{path} cannot be read: {exc.strerror}.") from exc

    def _write(self, path: Path, document: Mapping[str, object]) -> None:
        self._directory(path.parent)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _directory(self, path: Path) -> None:
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise StoreProblem(f"{path} cannot be made: {exc.strerror}.") from exc


def _held(document: Document) -> Held:
    pending = document.members.get("pending")
    paths = document.members.get("paths")
    return Held(
        origin=document.text("origin"),
        route=document.text("route"),
        gateway=str(document.members.get("gateway") or ""),
        grants=tuple(Grant(**item.members) for item in document.objects("grants")),  # type: ignore[arg-type]
        pending=Pending(**Document.of(pending, "pending").members) if pending else None,  # type: ignore[arg-type]
        paths=tuple(str(path) for path in paths) if isinstance(paths, list) else (),
    )
