"""A trial: a real grant of a free plan, to a key that is made for it and forgotten at once.

What is handed over is an access token of that grant. Nobody can make another one, so it ends with
the token, the plan's quota, or its time, whichever comes first.
"""

import secrets
from dataclasses import dataclass

from billing import authorizing, conf, granting, instructing
from billing.domain.errors import NotFound, TooMany
from billing.domain.freebies import DAY_SECONDS
from billing.instructing import Wish
from billing.models import GrantedToken
from billing.rails.port import SignatureOffered
from gateway.domain import ed25519, tokens
from gateway.domain.limits import parse_limits
from marketplace import quoting, throttling
from marketplace.domain import plans
from marketplace.trying.offering import trial_of

TRIALS_PER_NETWORK_DAY = 10
TOKEN_SECONDS_MAX = 3_600


@dataclass(frozen=True, slots=True)
class Trial:
    token: str
    expires_at: int
    words: str


def start(route_id: str, client_network: str, *, now_s: float) -> Trial:
    plan = trial_of(quoting.on_sale(route_id, to_members=True))
    if plan is None:
        raise NotFound("This route has no trial: its provider sells no free plan with a quota.")
    if not throttling.allows(
        "trial", client_network, limit=TRIALS_PER_NETWORK_DAY, window_s=DAY_SECONDS, now_s=now_s
    ):
        told = f"A network gets at most {TRIALS_PER_NETWORK_DAY} trials a day. Buy a plan instead."
        raise TooMany(told, retry_after_s=DAY_SECONDS)
    seed = secrets.token_bytes(32)
    quote = quoting.signed(plan, now_s)
    wish = Wish(quote, conf.account_of(seed), ed25519.public_key(seed), client_network)
    purchase = instructing.instruct(wish, now_s=now_s)
    signature = ed25519.sign(seed, bytes.fromhex(purchase.signing_hash))
    offered = SignatureOffered(signer=purchase.buyer, signature=signature)
    authorizing.authorize(purchase.pk, offered, now_s=now_s)
    granting.issue(purchase.pk, now_s=now_s)
    granted = GrantedToken.objects.get(purchase=purchase)
    lasts_s = min(plan.access_seconds, TOKEN_SECONDS_MAX)
    limits = ", ".join(limit.words() for limit in parse_limits(plan.limits))
    return Trial(
        token=_derived(granted.token, seed, expires_at=int(now_s) + lasts_s),
        expires_at=int(now_s) + lasts_s,
        words=f"{limits}, for {plans.show_duration(lasts_s)}",
    )


def _derived(granted: str, seed: bytes, *, expires_at: int) -> str:
    signing_input = tokens.client_signing_input(granted, expires_at=expires_at)
    return f"{granted}~{tokens.assemble(signing_input, ed25519.sign(seed, signing_input))}"
