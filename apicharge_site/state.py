"""What lives under APICHARGE_HOME: made on first use, readable by its owner alone."""

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from apicharge_site import vaults
from gateway.domain.guards import Pace

DNS_PORT = 53
SQLITE_BUSY_SECONDS = 5
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MAIL_SECONDS = 10


class Misconfigured(ImproperlyConfigured):
    """The message says which setting to change."""


def files(name: str, given: Sequence[str]) -> list[Path]:
    """Paths of files that can be read."""
    paths = [Path(each).absolute() for each in given]
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise Misconfigured(f"{name}: there is no file {missing[0]}.")
    return paths


def directory(home: Path) -> Path:
    missing = [place for place in (home, *home.parents) if not place.exists()]
    for place in reversed(missing):  # `mkdir(parents=True)` would give the mode to the last alone.
        place.mkdir(mode=0o700, exist_ok=True)
    return home


def secret_file(path: Path, length_bytes: int = 32) -> str:
    """The hex secret kept in `path`. Written whole by whichever process comes first."""
    directory(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(length_bytes))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # Another process was first: its secret is the one.
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"{path} can be read by others; run: chmod 600 {path}")
    return path.read_text().strip()


class Secret:
    """A key that does not show itself in logs, error pages or `repr`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the chain, and the key of its first."""

    chain: Path
    key: Path


def certificate(chain: str, key: str) -> Certificate | None:
    """What TLS is served with; None leaves TLS to a proxy before us."""
    if bool(chain) is not bool(key):
        raise Misconfigured("APICHARGE_TLS_CERT and APICHARGE_TLS_KEY: both, or neither.")
    return Certificate(Path(chain), Path(key)) if chain else None


def seed(home: Path, name: str, env: environ.Env, *, production: bool) -> Secret:
    """An ed25519 seed: APICHARGE_<NAME>_KEY, or in the file that …_KEY_FILE names, or what the
    program of …_KEY_COMMAND prints, or made here."""
    variable = f"APICHARGE_{name.upper()}_KEY"
    value = env.str(variable, default="")
    file = env.str(f"{variable}_FILE", default="")
    command = env.str(f"{variable}_COMMAND", default="")
    if not value and file:
        value = Path(file).read_text().strip()
    if not value and command:
        try:
            value = vaults.fetch(command)
        except vaults.VaultFailed as problem:
            raise Misconfigured(f"{variable}_COMMAND: {problem}.") from None
    if not value and production:
        raise Misconfigured(
            f"Set {variable}, {variable}_FILE or {variable}_COMMAND: 32 bytes in hex."
        )
    value = value or secret_file(home / "keys" / name)
    if re.fullmatch(r"[0-9a-f]{64}", value) is None:
        raise Misconfigured(f"{variable} must be 32 bytes in lower-case hex.")
    return Secret(value)


def public_keys(variable: str, given: list[str]) -> tuple[bytes, ...]:
    """ed25519 public keys that the environment lists."""
    if odd := [text for text in given if re.fullmatch(r"[0-9a-f]{64}", text) is None]:
        raise Misconfigured(f"{variable}: {odd[0]!r} is not a public key of 64 hex digits.")
    return tuple(map(bytes.fromhex, given))


def shared_token(variable: str, env: environ.Env) -> Secret | None:
    """What a caller has to show, from the environment or the file that …_FILE names."""
    value, file = env.str(variable, default=""), env.str(f"{variable}_FILE", default="")
    if not value and file:
        value = Path(file).read_text().strip()
    if not value:
        return None
    if re.fullmatch(r"[!-~]{16,256}", value) is None:
        raise Misconfigured(f"{variable} must be 16 to 256 printable characters without spaces.")
    return Secret(value)


def pace(variable: str, given: str) -> Pace | None:
    """`COUNT/SECONDS`; empty: none."""
    if not given:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})", given)
    if found is None:
        raise Misconfigured(f"{variable} must be calls/seconds, such as 3000/60, or empty.")
    return Pace(count=int(found[1]), window_s=int(found[2]))


def resolvers(given: Sequence[str]) -> list[tuple[str, int]]:
    """Addresses of name servers, each with its port: 9.9.9.9, 9.9.9.9:53 or [2620:fe::fe]:53."""
    found = []
    for text in given:
        try:
            place = urlsplit(f"//{text}")
            address, port = str(ip_address(place.hostname or "")), place.port
        except ValueError:
            address, port = "", 0
        if not address or port == 0 or place.path:
            raise Misconfigured(f"APICHARGE_DNS_RESOLVERS has {text!r}, which is no address.")
        found.append((address, port or DNS_PORT))
    return found


def seeds_given(env: environ.Env) -> list[str]:
    """The signing keys that the environment names, for a role that must have none."""
    names = [f"APICHARGE_{name}_KEY" for name in ("QUOTE", "GRANT", "CHANNEL")]
    given = [name + suffix for name in names for suffix in ("", "_FILE", "_COMMAND")]
    return [name for name in given if env.str(name, default="")]


def secret_key(home: Path, given: str, production: bool) -> str:
    if given:
        return given
    if production:
        raise Misconfigured("Set APICHARGE_SECRET_KEY to 50 or more random characters.")
    return secret_file(home / "keys" / "django")


def mails(url: str, sender: str, origin: str, *, required: bool) -> dict[str, object]:
    """Django's settings for the server that `url` names; without one, mails are printed."""
    if required and not url:
        raise Misconfigured(
            "Set APICHARGE_MAIL to the server that mails are sent by, as "
            "smtp+tls://user:password@host:587, or to consolemail:// to have them printed."
        )
    config: dict[str, object] = environ.Env.email_url_config(url or "consolemail://")
    host = urlsplit(origin).hostname or "localhost"
    return {
        **config,
        "EMAIL_TIMEOUT": MAIL_SECONDS,
        "DEFAULT_FROM_EMAIL": sender or f"ApiCharge <no-reply@{host}>",
    }


def database(home: Path, url: str) -> dict[str, Any]:
    """PostgreSQL by URL, else one SQLite file in WAL mode."""
    if url:
        config: dict[str, Any] = environ.Env.db_url_config(url)
        if "postgresql" in config["ENGINE"]:
            config["CONN_HEALTH_CHECKS"] = True
            config["OPTIONS"] = {
                **config.get("OPTIONS", {}),
                "pool": {"min_size": 1, "max_size": 8},
            }
            return config
    else:
        config = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(directory(home) / "apicharge.sqlite3"),
        }
    config["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_SECONDS,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    return config


def rpc_url(network: str, given: str, *, sandbox_port: int, allow_http: bool) -> str:
    """The network's node: the one that is given, or where one is known; pubnet's you choose.

    What a node says is what grants are issued on, so on its way nobody may change it.
    """
    known = {
        "sandbox": f"http://127.0.0.1:{sandbox_port}",
        "local": "http://127.0.0.1:8000/rpc",
        "testnet": "https://soroban-testnet.stellar.org",
    }
    url = given or known.get(network, "")
    if not url:
        raise Misconfigured("Set APICHARGE_RPC_URL to a Stellar RPC of pubnet.")
    where = urlsplit(url)
    if where.scheme not in {"http", "https"} or not where.hostname:
        raise Misconfigured(f"APICHARGE_RPC_URL must be an http(s) address, not {url!r}.")
    if where.scheme == "http" and where.hostname not in LOOPBACK and not allow_http:
        raise Misconfigured(
            "APICHARGE_RPC_URL must be https: who is on the way could report payments that nobody "
            "made. APICHARGE_RPC_ALLOW_HTTP=1 where the way is your own."
        )
    return url
