"""Results in the network's own XDR, with and without a fee bump around."""

import pytest
from stellar_sdk import xdr

from billing.sandbox import envelopes, results
from billing.sandbox.results import TxCode
from tests.billing.sandbox.test_envelopes import RAW

PLAIN = envelopes.read(RAW)


@pytest.mark.parametrize("code", list(TxCode))
def test_every_code_can_be_written_and_read(code: TxCode) -> None:
    if code.name.startswith("txFEE_BUMP_INNER"):
        return
    result = results.bumped(PLAIN, code, fee_charged=5)
    assert xdr.TransactionResult.from_xdr_bytes(result.to_xdr_bytes()) == result
    assert (result.result.code, result.fee_charged.int64) == (code, 5)
