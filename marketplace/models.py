"""What the doors themselves must remember."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class IdempotencyKey(models.Model):
    """The answer given to one request that moved money or created a job, batch or release.

    Written in the transaction of its effect, so that either both are there or neither is. A repeat of the request is
    answered from here, byte for byte. ``principal`` is who asked (``user:3``, ``key:9``).
    """

    principal = models.CharField(max_length=80)
    endpoint = models.CharField(max_length=120)
    key = models.CharField(max_length=200)
    body_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "endpoint", "key"], name="one_answer_an_idempotency_key"),
            models.CheckConstraint(condition=Q(status__range=(200, 299)), name="only_a_yes_is_remembered"),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_keys_by_age")]

    def __str__(self) -> str:
        return f"{self.principal} {self.endpoint} {self.key}"


class OrganisationClient(models.Model):
    """An OAuth client (client-credentials grant) that acts for an organisation; its scopes are the client's."""

    client = models.OneToOneField("allauth_idp_oidc.Client", on_delete=models.CASCADE, related_name="+")
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"client of organisation {self.organisation_id}"
