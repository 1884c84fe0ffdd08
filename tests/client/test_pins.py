import pytest
from apicharge_client.documents import Document
from apicharge_client.errors import BadDocument, NotTrusted
from apicharge_client.pins import PUBLIC_ISSUERS, Expected, Pin, first_seen, matched

from tests.client.instructions import CONTRACT, ISSUER, PASSPHRASE, SAC, STRANGER, signed_quote

PUBLIC = "Public Global Stellar Network ; September 2015"
NOTHING = Expected()


def document(**changes: object) -> Document:
    members = {
        "signer": "ab" * 32,
        "contract": CONTRACT,
        "passphrase": PASSPHRASE,
        "quotes": [signed_quote()],
    }
    return Document({**members, **changes}, "quotes")


def priced(asset: str, issuer: str) -> list[dict[str, object]]:
    return [{"price": {"asset": asset, "issuer": issuer}}]


PIN = first_seen(document(), NOTHING)


def test_first_use_records_signer_contract_network_and_issuers() -> None:
    assert Pin("ab" * 32, CONTRACT, PASSPHRASE, {"USDC": ISSUER}) == PIN
    assert PIN.sac("USDC") == SAC
    assert Pin.from_json(Document(PIN.to_json(), "pin")) == PIN


def test_same_gateway_matches() -> None:
    assert matched(PIN, document(), NOTHING) == PIN


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": "cd" * 32},
        {"contract": SAC},
        {"passphrase": PUBLIC},
        {"quotes": priced("USDC", STRANGER)},
    ],
)
def test_anything_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(NotTrusted):
        matched(PIN, document(**changes), NOTHING)


def test_new_asset_is_added_to_the_pin() -> None:
    pin = matched(PIN, document(quotes=priced("EURC", STRANGER)), NOTHING)
    assert pin.assets == {"USDC": ISSUER, "EURC": STRANGER}


def test_stated_signer_replaces_the_recorded_one() -> None:
    pin = matched(PIN, document(signer="cd" * 32), Expected(signer="cd" * 32))
    assert pin.signer == "cd" * 32


@pytest.mark.parametrize("stated", [Expected(signer="cd" * 32), Expected(contract=SAC)])
def test_stated_signer_and_contract_must_be_met(stated: Expected) -> None:
    with pytest.raises(NotTrusted, match="as stated"):
        first_seen(document(), stated)
    with pytest.raises(NotTrusted, match="as stated"):
        matched(PIN, document(), stated)


def test_public_networks_issuers_are_known() -> None:
    pin = first_seen(
        document(passphrase=PUBLIC, quotes=priced("USDC", PUBLIC_ISSUERS["USDC"])), NOTHING
    )
    assert pin.assets["USDC"] == "GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN"


@pytest.mark.parametrize("asset", [("USDC", STRANGER), ("GOLD", STRANGER)])
def test_public_network_has_no_other_issuers(asset: tuple[str, str]) -> None:
    with pytest.raises(NotTrusted):
        first_seen(document(passphrase=PUBLIC, quotes=priced(*asset)), NOTHING)


@pytest.mark.parametrize(
    "changes",
    [
        {"quotes": priced("US DC", ISSUER)},
        {"signer": "xy"},
        {"contract": ISSUER},
        {"passphrase": ""},
        {"quotes": priced("USDC", "G")},
    ],
)
def test_malformed_document_makes_no_pin(changes: dict[str, object]) -> None:
    with pytest.raises(BadDocument):
        first_seen(document(**changes), NOTHING)
