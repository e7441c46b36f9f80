"""Private data apart from everything else, sealed under a key for each person, which erasure destroys.

Backups leave the table of keys out (``docs/how-to``), so that what an old backup holds of an erased person opens no more.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.models.users import User


class PersonKey(models.Model):
    """A data key of one person, wrapped under the platform's PII_KEY."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    wrapped = models.BinaryField(max_length=80)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"key of user {self.user_id}"


class PersonalData(models.Model):
    """What only the person and those who pay or verify them may know, sealed: legal name, birth date, address, phone."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "personal data"

    def __str__(self) -> str:
        return f"personal data of user {self.user_id}"


class DoomedFile(models.Model):
    """A file that is to be removed from the store; a sweep does it, and takes the row away when it is gone."""

    path = models.CharField(max_length=100, unique=True)
    doomed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.path
