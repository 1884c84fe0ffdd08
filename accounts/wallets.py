"""Stellar accounts of users. Whoever calls this has seen the proof that somebody holds one."""

import secrets

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from accounts import second_factor
from accounts.models import Wallet


class Taken(Exception):
    """It logs somebody else in."""


class OnlyWayIn(Exception):
    """Without it nobody could log in to the account."""


def log_in(request: HttpRequest, address: str) -> HttpResponse:
    """As whoever the wallet belongs to, a new account if nobody's; a second factor comes on top."""
    user = _user_of(address)
    record_authentication(request, user, second_factor.WALLET)
    response: HttpResponse = perform_login(request, user)
    return response


def bind(user: User, address: str) -> None:
    wallet, _ = Wallet.objects.get_or_create(address=address, defaults={"user": user})
    if wallet.user_id != user.pk:
        raise Taken


@transaction.atomic
def unbind(wallet: Wallet) -> None:
    user = User.objects.select_for_update().get(pk=wallet.user_id)
    others = Wallet.objects.filter(user=user).exclude(pk=wallet.pk)
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    if not (user.has_usable_password() or others.exists() or passkeys.exists()):
        raise OnlyWayIn
    wallet.delete()


def _user_of(address: str) -> User:
    found = Wallet.objects.select_related("user")
    wallet = found.filter(address=address).first()
    if wallet is not None:
        return wallet.user
    try:
        return _opened_by(address)
    except IntegrityError:  # Another login of the same wallet was first.
        return found.get(address=address).user


@transaction.atomic
def _opened_by(address: str) -> User:
    """Always a new account: the one that it opened before may have taken the wallet away."""
    is_taken = User.objects.filter(username=address).exists()
    user = User(username=f"{address}-{secrets.token_hex(4)}" if is_taken else address)
    user.set_unusable_password()
    user.save()
    Wallet.objects.create(address=address, user=user)
    return user
