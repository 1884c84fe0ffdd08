"""contract.json: what the contract does on the network's own host.

The tests in contract/ write the file; server, client and sandbox are held to it.
"""

import json
from pathlib import Path
from typing import Any

KNOWN: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text())
SOLD: list[dict[str, Any]] = KNOWN["vectors"]
PAID = [vector for vector in SOLD if "preimage_xdr" in vector]
CALLS: list[dict[str, Any]] = KNOWN["calls"]
