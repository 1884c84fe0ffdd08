import hashlib

from stellar_sdk import xdr

from billing.sandbox import headers


def test_header_commits_to_its_content_and_to_the_one_before() -> None:
    previous = bytes(range(32))
    made = headers.header(
        sequence=7, closed_at=1234, previous=previous, tx_set=b"set", tx_results=b"results"
    )
    read = xdr.LedgerHeader.from_xdr_bytes(made.to_xdr_bytes())
    assert read.previous_ledger_hash.hash == previous
    assert read.scp_value.tx_set_hash.hash == hashlib.sha256(b"set").digest()
    assert read.tx_set_result_hash.hash == hashlib.sha256(b"results").digest()
    assert (read.ledger_seq.uint32, read.ledger_version.uint32) == (7, 27)
    assert read.scp_value.close_time.time_point.uint64 == 1234
