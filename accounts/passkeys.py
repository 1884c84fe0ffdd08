"""A key that logs in alone is what most people want of one."""

from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _


class AddPasskey(AddWebAuthnForm):
    passwordless = forms.BooleanField(
        label=_("Log in with this key alone"),
        required=False,
        initial=True,
        help_text=_("Without a password. The key then asks for a PIN, a finger or a face."),
    )
