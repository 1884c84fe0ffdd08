from billing.domain import receipts
from billing.domain.receipts import Names, Paid
from gateway.domain import jws
from tests.billing.buying import person, quote_for

GRANT = {"jti": "ab" * 32, "nbf": 100, "exp": 3_700}
NAMES = Names("Weather", "Alba", ["10 calls"], 3)


def test_receipt_says_what_was_sold_and_where_it_was_paid() -> None:
    quote = quote_for(person("payee").address)
    paid = Paid("testnet", "C…", "cd" * 32, 77, 90)
    told = receipts.document(
        issuer="https://gw.example", buyer="G…", quote=quote, names=NAMES, grant=GRANT, paid=paid
    )
    assert (told["id"], told["from"], told["until"]) == ("ab" * 32, 100, 3_700)
    assert told["price"]["amount"] == "2500000"  # type: ignore[index]
    assert told["payment"] == {
        "network": "testnet",
        "contract": "C…",
        "transaction": "cd" * 32,
        "ledger": 77,
        "at": 90,
    }


def test_receipt_is_a_jws_of_its_own_type() -> None:
    quote = quote_for(person("payee").address, amount=0)
    told = receipts.document(
        issuer="https://gw.example", buyer="G…", quote=quote, names=NAMES, grant=GRANT, paid=None
    )
    assert told["payment"] is None
    frame = jws.parse(jws.assemble(receipts.signing_input(told, "k1"), b"\0" * 64))
    assert receipts.is_receipt(frame, "k1")
    assert not receipts.is_receipt(frame, "k2")
