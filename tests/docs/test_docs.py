"""What the documentation must name: every endpoint, problem type and setting; and its examples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apicharge_client import keys, store
from apicharge_client.arguments import GATEWAY
from django.urls import URLPattern, URLResolver, get_resolver

from billing.api.problems import all_slugs
from gateway.domain.errors import PROBLEMS
from gateway.domain.tokens import AccessToken, read

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))
WRITTEN = "\n".join(path.read_text() for path in PAGES)
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
VECTORS = ROOT / "tests" / "vectors"
PARAMETER = {"purchase_id": "{id}", "grant_id": "{jti}", "refund_id": "{id}"}
READ_AT = re.compile(r'(?:env\.\w+|os\.environ\.get|environ\.get)\(\s*"([A-Z_]+)"')
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE"}


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for entry in patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, address)
        else:
            yield re.sub(r"<\w+:(\w+)>", lambda m: PARAMETER.get(m[1], m[0]), f"/{address}")


def settings_read() -> set[str]:
    apps = ("apicharge_site", "gateway", "accounts", "marketplace", "billing")
    sources = (path.read_text() for app in apps for path in (ROOT / app).rglob("*.py"))
    return {name for source in sources for name in READ_AT.findall(source)} - NOT_SETTINGS


ENDPOINTS = sorted(
    address
    for address in addresses(get_resolver().url_patterns)
    if address.startswith(("/apicharge/v1", "/.well-known"))
)


def test_endpoints_are_found() -> None:
    assert len(ENDPOINTS) >= 9
    assert "/apicharge/v1/purchases/{id}/authorization" in ENDPOINTS


@pytest.mark.parametrize("address", ENDPOINTS)
def test_endpoint_has_its_heading(address: str) -> None:
    heading = rf"^### `(GET|POST) {re.escape(address)}(\[[^`]*)?`$"
    assert re.search(heading, PROTOCOL, re.MULTILINE)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.slug)
def test_problem_of_the_gate_is_in_the_table(problem: object) -> None:
    slug, status = problem.slug, problem.status  # type: ignore[attr-defined]
    assert f"| `{slug}` | {status} |" in PROTOCOL


@pytest.mark.parametrize("slug", all_slugs())
def test_problem_of_billing_is_in_the_table(slug: str) -> None:
    assert f"| `{slug}` | " in PROTOCOL


def test_settings_are_found() -> None:
    assert {"APICHARGE_ORIGIN", "DATABASE_URL", "UPSTREAM_NETWORKS"} <= settings_read()


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_setting_is_described(name: str) -> None:
    assert f"`{name}`" in WRITTEN


@pytest.mark.parametrize("name", [keys.KEY, keys.KEY_FILE, store.HOME, GATEWAY])
def test_setting_of_the_client_is_described(name: str) -> None:
    assert name in (ROOT / "client" / "README.md").read_text()


def test_quote_of_the_protocol_is_the_vector() -> None:
    vectors = json.loads((VECTORS / "contract.json").read_text())
    example = next(
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL)
        if '"signer"' in block
    )
    assert example["quotes"] == [vectors["vectors"][0]["quote"]]
    assert (example["signer"], example["contract"]) == (vectors["signer"], vectors["contract"])
    assert vectors["vectors"][0]["terms_jcs"] in PROTOCOL


def test_token_of_the_protocol_is_the_vector_and_valid() -> None:
    vectors = json.loads((VECTORS / "tokens.json").read_text())
    found = re.search(r"((?:^    [\w.~-]{20,}\n)+)", PROTOCOL, re.MULTILINE)
    assert found is not None
    token = re.sub(r"\s", "", found[1])
    assert token == vectors["accepted"]["plain"]
    issuer_keys = {kid: bytes.fromhex(key) for kid, key in vectors["keys"].items()}
    assert isinstance(read(token, issuer_keys), AccessToken)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_documentation_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
