"""Secrets that act for an organisation or a worker."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import MD5, Cast, Now, Random, Substr

from accounts.models.organisations import Organisation
from accounts.models.users import User
from accounts.models.workers import Worker


class ApiKey(models.Model):
    """A secret that acts for one organisation or one worker, within its scopes; only its hash is stored."""

    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    worker = models.ForeignKey(Worker, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=80)
    handle = models.CharField(
        max_length=10,
        editable=False,
        db_default=Substr(MD5(Cast(Random(), models.CharField())), 1, 10),
        help_text="Names the key inside its secret.",
    )
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=32), default=list)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    addresses = ArrayField(
        models.CharField(max_length=43), default=list, blank=True, help_text="Networks it works from; empty: any."
    )
    spend_cap_micros = models.BigIntegerField(null=True, blank=True, help_text="Most that it may ever put behind jobs.")
    spend_currency = models.CharField(max_length=3, blank=True, default="", help_text="Of its cap.")
    spent_micros = models.BigIntegerField(default=0, editable=False)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="one_key_a_secret"),
            models.UniqueConstraint(fields=["handle"], name="one_key_a_handle"),
            models.CheckConstraint(
                condition=models.Q(spent_micros__gte=0)
                & (models.Q(spend_cap_micros__isnull=True) | models.Q(spent_micros__lte=models.F("spend_cap_micros"))),
                name="a_key_stays_under_its_cap",
            ),
            models.CheckConstraint(
                condition=models.Q(spend_cap_micros__isnull=True) ^ ~models.Q(spend_currency=""),
                name="a_cap_has_a_currency",
            ),
            models.UniqueConstraint(fields=["replaces"], name="one_successor_a_key"),
            models.CheckConstraint(
                condition=models.Q(organisation__isnull=True) ^ models.Q(worker__isnull=True),
                name="a_key_acts_for_one_party",
            ),
        ]

    def __str__(self) -> str:
        return self.name
