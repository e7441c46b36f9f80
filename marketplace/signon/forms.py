"""allauth's forms, where ours ask otherwise."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django.utils.translation import gettext_lazy


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A key is added as a passkey unless told otherwise, in words that say what that means."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = gettext_lazy("Name")
        field = self.fields["passwordless"]
        field.initial = True
        field.label = gettext_lazy("Let me sign in with it alone, without the password")
        field.help_text = gettext_lazy("Leave this off for a security key that cannot ask for a PIN or a finger.")
