"""Who is looking at /account/, and which grants are theirs.

A grant is shown to the user who bought or claimed it, or whose wallet did, to whoever has proven to
be its buyer's account, and to whoever has shown that they hold its key. The last two need no
account of the site: the session remembers the proof, and no address of a page carries one. A
purchase's id is public, and so is a granted token that is bound to a key: neither shows anybody
anything here.
"""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Least
from django.http import HttpRequest

from accounts.models import Wallet
from billing import conf, keys, logging_in
from billing.domain.errors import TokenRefused
from billing.domain.logins import TOKEN_SECONDS
from billing.domain.purchases import State
from billing.models import Purchase
from gateway.domain import tokens
from gateway.domain.tokens import Reason, Refused
from gateway.models import GrantLedger, Revocation

HELD = "account.held"
HELD_MAX = 50
WALLET = "account.wallet"

ACTIVE, WAITING, OVER = "active", "waiting", "over"


@dataclass(frozen=True, slots=True)
class Viewer:
    """`wallets` are the user's own and the one that this session `proved`."""

    user: User | None = None
    wallets: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    proved: str = ""

    @property
    def is_nobody(self) -> bool:
        return self.user is None and not self.wallets and not self.held

    def sees(self) -> Q:
        """Values, not subqueries: each part of it is looked up in its own index."""
        seen = Q(pk__in=self.held) | Q(buyer__in=self.wallets)
        return seen if self.user is None else seen | Q(owner=self.user)

    def owns(self, purchase: Purchase) -> bool:
        """May end it, ask for its money back: not who only holds its key."""
        mine = self.user is not None and purchase.owner_id == self.user.pk
        return mine or purchase.buyer in self.wallets


def viewer(request: HttpRequest, *, now_s: float) -> Viewer:
    user = request.user if isinstance(request.user, User) else None
    own = Wallet.objects.filter(user=user).values_list("address", flat=True) if user else ()
    wallet = request.session.get(WALLET)
    proved = str(wallet[0]) if wallet and wallet[1] > now_s else ""
    wallets = {*own, proved} - {""}
    held = tuple(request.session.get(HELD, ()))
    return Viewer(user, tuple(sorted(wallets)), held, proved)


def purchases(who: Viewer) -> QuerySet[Purchase]:
    """What was paid for, and granted."""
    if who.is_nobody:
        return Purchase.objects.none()
    return Purchase.objects.filter(who.sees(), state=State.GRANTED)


def grants(who: Viewer, *, now_s: float) -> QuerySet[Purchase]:
    """With `ends_at` and `standing` (active, waiting for its first use, over) of each."""
    ledger = GrantLedger.objects.filter(pk=OuterRef("pk"))
    whole = Cast("expires_at", FloatField())
    used = F("first_used_at") + Cast("access_seconds", FloatField())
    ends = Case(
        When(first_used_at=None, then=whole),
        When(access_seconds=None, then=whole),
        default=Least(whole, used),
        output_field=FloatField(),
    )
    revoked = Revocation.objects.filter(grant=OuterRef("pk"), token="")
    unused = ledger.filter(starts_first_use=True, first_used_at=None)
    return purchases(who).annotate(
        ends_at=Subquery(ledger.annotate(ends=ends).values("ends")),
        revoked=Exists(revoked),
        standing=Case(
            When(Exists(revoked), then=Value(OVER)),
            When(ends_at__lte=now_s, then=Value(OVER)),
            When(Exists(unused), then=Value(WAITING)),
            default=Value(ACTIVE),
            output_field=CharField(),
        ),
    )


def show_token(request: HttpRequest, presented: str, *, now_s: float) -> str:
    """The grant of an access token, remembered as this session's. Raises TokenRefused."""
    token = tokens.read(presented.strip(), keys.verifying())
    if isinstance(token, Refused):
        raise TokenRefused(token.detail, reason=token.reason.value)
    grant = token.grant
    refused = tokens.admit_holder(token, issuer=conf.conf().origin, grant_id=grant.id, now_s=now_s)
    if refused is not None:
        raise TokenRefused(refused.detail, reason=refused.reason.value)
    revoked = Revocation.objects.filter(grant=grant.id, token=token.client_id)
    if token.client_id and revoked.exists():
        raise TokenRefused("This token was revoked.", reason=Reason.REVOKED.value)
    hold(request, grant.id)
    return grant.id


def hold(request: HttpRequest, grant_id: str) -> None:
    held = [each for each in request.session.get(HELD, []) if each != grant_id]
    request.session[HELD] = [grant_id, *held][:HELD_MAX]


def prove_wallet(request: HttpRequest, text: str, signature: bytes, *, now_s: float) -> str:
    """The account that signed a text of ours (SEP-53), remembered for an hour."""
    token = logging_in.by_text(text, signature, now_s=now_s)
    account = logging_in.logged_in(token, now_s=now_s)
    request.session.cycle_key()
    request.session[WALLET] = [account, int(now_s) + TOKEN_SECONDS]
    return account


def claim(who: Viewer, purchase: Purchase) -> bool:
    """Bind a grant to the account of the site, for good. Not one that is another's."""
    unclaimed = Purchase.objects.filter(pk=purchase.pk, owner=None)
    return who.user is not None and bool(unclaimed.update(owner=who.user))


def forget(request: HttpRequest) -> None:
    for name in (HELD, WALLET):
        request.session.pop(name, None)
