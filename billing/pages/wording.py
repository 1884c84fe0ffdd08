"""What goes wrong in a purchase, said to the person who buys: what it means and how to go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise
Onward = Literal["again", "funds", "wait", "none"]


@dataclass(frozen=True, slots=True)
class Trouble:
    title: Words
    remedy: Words
    onward: Onward


NOTHING_TAKEN = _("Nothing was taken. Below is a new quote; look at its price before you sign.")
TROUBLES: Mapping[str, Trouble] = {
    "quote-expired": Trouble(_("That quote has run out"), NOTHING_TAKEN, "again"),
    "quote-invalid": Trouble(_("That quote is not on sale any more"), NOTHING_TAKEN, "again"),
    "no-account": Trouble(
        _("This account does not exist on the network yet"),
        _("A Stellar account begins to exist when it first receives lumens. Nothing was taken."),
        "funds",
    ),
    "no-trustline": Trouble(
        _("This account cannot hold the asset yet"),
        _(
            "Add the asset in your wallet first (a trustline to the issuer named in the quote), "
            "then come back. Nothing was taken."
        ),
        "funds",
    ),
    "insufficient-balance": Trouble(
        _("This account does not hold enough"),
        _("Top it up, choose a smaller plan, or pay from another account. Nothing was taken."),
        "funds",
    ),
    "over-spending-cap": Trouble(
        _("This is more than you allow to be spent"),
        _("You have set a limit under Spending in your account. Nothing was taken."),
        "again",
    ),
    "payee-cannot-receive": Trouble(
        _("The provider cannot receive this asset at present"),
        _("This is theirs to mend. Nothing was taken; try again later or choose another asset."),
        "again",
    ),
    "cannot-pay": Trouble(
        _("The network would refuse this payment"),
        _("Nothing was taken. What it says is below."),
        "again",
    ),
    "invalid-request": Trouble(
        _("Something in the form is not right"), _("Nothing was taken: correct it below."), "again"
    ),
    "authorization-invalid": Trouble(
        _("This signature does not fit"),
        _(
            "It has to be made over exactly the bytes below, by the account that buys, on the "
            "network named here. Nothing was taken: sign again."
        ),
        "again",
    ),
    "already-authorized": Trouble(
        _("This purchase was signed already"),
        _("It goes on with the signature that came first. Do not pay again."),
        "wait",
    ),
    "too-many-purchases": Trouble(
        _("This account has too many open purchases"),
        _("Sign one of them or let one run out (a quarter of an hour), then try again."),
        "again",
    ),
    "too-many-requests": Trouble(
        _("Too many attempts from your network"), _("Wait a minute, then try again."), "again"
    ),
    "network-unavailable": Trouble(
        _("The payment network does not answer"),
        _("Nothing was taken. Try again in a moment."),
        "again",
    ),
    "purchase-ended": Trouble(
        _("This purchase ran out before it was paid"),
        _("Its signature can no longer be used, and nothing was taken. Start a new one."),
        "again",
    ),
}
OTHER = Trouble(
    _("The purchase did not happen"), _("Nothing was taken. What was said is below."), "again"
)


def trouble(slug: str) -> Trouble:
    return TROUBLES.get(slug, OTHER)
