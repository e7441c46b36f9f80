"""``manage.py forget_factors EMAIL``: let somebody back in who has lost every second factor."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from marketplace.signon import recovery

ACTOR = "command:forget_factors"


class Command(BaseCommand):
    """For whoever runs the server, who has made sure that the account's owner asks."""

    help = "Remove a person's second factors and end their sessions; they are told by mail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address."""
        parser.add_argument("email", help="the address that they sign in with")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Remove, and say how many."""
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise CommandError("Nobody signs in with this address.")
        gone = recovery.remove_factors(user, actor=ACTOR)
        self.stdout.write(f"Second factors removed: {gone}. All sessions of {user.email} are ended.")
