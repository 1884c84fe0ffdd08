"""A Stellar network in a box, for development and tests.

One process is the whole network: a ledger that closes by the clock, the JSON-RPC of a Stellar RPC
node, and friendbot. What passes the wire is real (XDR, signatures, sequence numbers, authorization
trees, fees, events), so unmodified Stellar SDKs work against it; what it holds is play money.

It never needs Django: `python -m billing.sandbox` runs it, `manage.py sandbox` only adds settings.
"""
