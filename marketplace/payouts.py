"""The Stellar account that a provider is paid to."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from stellar_sdk import StrKey


def account(text: str) -> str:
    """`text` as an account, or a ValidationError that says what one looks like."""
    address = text.strip()
    if not StrKey.is_valid_ed25519_public_key(address):
        raise ValidationError(_("A Stellar account: G and 55 more characters."))
    return address
