"""Checks that providers hold the domains that they name: when they say so, and every day since.

By a record of the DNS, or by a file on the domain's web server: either will do.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q

from gateway.addresses import Policy
from marketplace import fetching, naming
from marketplace.fetching import Unfetched
from marketplace.models import DomainProof, Provider, Standing

Fetch = Callable[[str, Policy, int], bytes]
FILE_BYTES_MAX = 4_096
EVERY = timedelta(days=1)
AT_ONCE = 20
BEGUN_WITHIN_S = 20.0
"""In one go: each may take as long as a question to the DNS and a fetch may, and the next go comes
after a minute."""


def check(proof: DomainProof, now: datetime, fetch: Fetch = fetching.fetch) -> bool:
    """Blocks on the network, so never within a transaction."""
    problem = _problem(proof, fetch)
    changes: dict[str, object] = {"checked_at": now, "problem": problem[:200]}
    if not problem:
        changes["proven_at"] = now
    # A domain that was changed meanwhile is not the one that was looked at.
    DomainProof.objects.filter(pk=proof.pk, domain=proof.domain).update(**changes)
    proof.refresh_from_db()
    note(proof.provider)
    return not problem


def note(provider: Provider) -> None:
    """The catalogue can be narrowed to proven domains, and its rows have to know them."""
    proof = DomainProof.objects.filter(provider=provider).first()
    verified = proof is not None and proof.holds
    rows = Standing.objects.filter(service__provider=provider).exclude(verified=verified)
    rows.update(verified=verified)


def check_due(now: datetime, fetch: Fetch = fetching.fetch) -> int:
    """How many were checked; who does not answer delays others like it, and no other work."""
    due = Q(checked_at=None) | Q(checked_at__lt=now - EVERY)
    found = DomainProof.objects.filter(due).order_by(F("checked_at").asc(nulls_first=True))
    until, checked = time.monotonic() + BEGUN_WITHIN_S, 0
    for proof in found.select_related("provider")[:AT_ONCE]:
        if time.monotonic() >= until:
            break
        check(proof, now, fetch)
        checked += 1
    return checked


def _problem(proof: DomainProof, fetch: Fetch) -> str:
    """Nothing where either says the line; else what is wrong with both."""
    in_dns = _record_problem(proof)
    in_file = in_dns and _file_problem(proof, fetch)
    return in_file and f"{in_dns} {in_file}"


def _record_problem(proof: DomainProof) -> str:
    try:
        texts = naming.texts(proof.record)
    except naming.Unanswered as exc:
        return str(exc)
    if any(text.strip() == proof.line for text in texts):
        return ""
    return "A TXT record is there, but does not say it." if texts else "There is no TXT record."


def _file_problem(proof: DomainProof, fetch: Fetch) -> str:
    policy = Policy.of(settings.UPSTREAM_NETWORKS, settings.OWN_ADDRESSES)
    try:
        read = fetch(proof.address, policy, FILE_BYTES_MAX)
    except Unfetched as exc:
        return str(exc)
    lines = (line.strip() for line in read.decode("utf-8", "replace").splitlines())
    return "" if proof.line in lines else "The file is there, but does not say the line."
