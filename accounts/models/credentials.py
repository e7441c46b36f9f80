"""What people have proved outside, with the evidence, who looked at it, and what became of it.

Credential: ``filed -> in_review -> verified | refused``, with ``in_review -> more_wanted -> filed`` where a verifier asks
for more; ``verified -> expired | revoked``; ``filed | more_wanted -> withdrawn`` by the worker. A credential whose type
is an interview or a portfolio is decided by its assessments in the same states.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models.users import User
from accounts.models.workers import Worker


class CredentialType(models.Model):
    """What can be proved, as data: a new kind of licence needs no code.

    ``fields`` lists what is asked for beyond issuer, number, jurisdiction and dates:
    ``[{"name": "specialty", "title": "Specialty", "required": true}]``. ``rubric`` lists what an interview or portfolio is
    scored on: ``[{"name": "depth", "title": "Depth", "most": 5}]``; it is passed with ``pass_points`` in all.
    What a verified one opens is a rule of the floor above (``qualification.CredentialRule``).
    """

    class Kind(models.TextChoices):
        LICENCE = "licence"
        DEGREE = "degree"
        CERTIFICATE = "certificate"
        MEMBERSHIP = "membership"
        IDENTITY = "identity"
        INTERVIEW = "interview"
        PORTFOLIO = "portfolio"

    class NumberCheck(models.TextChoices):
        NONE = "none"
        NPI = "npi", "NPI (United States)"
        ORCID = "orcid", "ORCID iD"
        IBAN = "iban", "IBAN"
        LEI = "lei", "LEI"

    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=12, choices=Kind)
    fields = models.JSONField(default=list, blank=True)
    jurisdictions = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="Empty: any.")
    number_check = models.CharField(max_length=8, choices=NumberCheck, default=NumberCheck.NONE)
    number_required = models.BooleanField(default=True)
    evidence_required = models.BooleanField(default=True)
    valid_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Longest validity; empty: as the paper says."
    )
    verifiers_needed = models.PositiveSmallIntegerField(default=1)
    registry = models.CharField(max_length=40, blank=True, default="", help_text="Adapter that looks the number up.")
    rubric = models.JSONField(default=list, blank=True)
    pass_points = models.PositiveIntegerField(default=0)
    attempts_max = models.PositiveSmallIntegerField(default=3, help_text="How often one may be filed and refused.")
    retry_days = models.PositiveSmallIntegerField(default=0, help_text="Wait after a refusal.")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="one_credential_type_a_slug"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["licence", "degree", "certificate", "membership", "identity", "interview", "portfolio"]
                ),
                name="credential_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(number_check__in=["none", "npi", "orcid", "iban", "lei"]), name="number_check_is_known"
            ),
            models.CheckConstraint(condition=Q(verifiers_needed__range=(1, 2)), name="one_or_two_verifiers"),
        ]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """Something proved outside. The holder's name, the number and the further fields are sealed under the person's key.

    ``round`` goes up with each filing after a question, so that approvals of what was shown before count no more.
    """

    class State(models.TextChoices):
        FILED = "filed"
        IN_REVIEW = "in_review"
        MORE_WANTED = "more_wanted"
        VERIFIED = "verified"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"
        REVOKED = "revoked"

    class Source(models.TextChoices):
        DOCUMENT = "document"
        PROVIDER = "provider"
        INTERVIEW = "interview"
        PORTFOLIO = "portfolio"

    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="credentials")
    type = models.ForeignKey(CredentialType, on_delete=models.PROTECT, related_name="+")
    renews = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=12, choices=Source, default=Source.DOCUMENT)
    state = models.CharField(max_length=12, choices=State, default=State.FILED)
    round = models.PositiveSmallIntegerField(default=1)
    issuer = models.CharField(max_length=200, blank=True)
    jurisdiction = models.CharField(max_length=8, blank=True)
    details = models.BinaryField(null=True, editable=False, help_text="Sealed: holder, number, further fields.")
    number_digest = models.BinaryField(
        null=True, max_length=32, editable=False, help_text="Keyed hash, to find doubles."
    )
    registry_result = models.JSONField(null=True, editable=False, help_text="What a registry said, without names.")
    issued_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    filed_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    claimed_until = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True, help_text="End of its validity; empty: no end.")
    ended_at = models.DateTimeField(null=True, help_text="Refused, withdrawn, expired or revoked.")
    reason = models.CharField(
        max_length=1000, blank=True, default="", help_text="Of the last decision; the worker reads it."
    )
    noticed_days = models.PositiveSmallIntegerField(null=True, help_text="The last notice of expiry sent: 60, 14 or 1.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "filed",
                        "in_review",
                        "more_wanted",
                        "verified",
                        "refused",
                        "withdrawn",
                        "expired",
                        "revoked",
                    ]
                ),
                name="credential_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["document", "provider", "interview", "portfolio"]),
                name="credential_source_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["verified", "expired", "revoked"]) | Q(verified_at__isnull=False),
                name="a_verified_credential_says_when",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["refused", "more_wanted", "revoked"]) | ~Q(reason=""),
                name="a_refused_credential_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(expires_on__isnull=True) | Q(issued_on__isnull=True) | Q(expires_on__gt=F("issued_on")),
                name="a_credential_expires_after_its_issue",
            ),
            models.UniqueConstraint(
                fields=["worker", "type", "jurisdiction"],
                condition=Q(state__in=["filed", "in_review", "more_wanted"]),
                name="one_open_filing_a_type",
            ),
        ]
        indexes = [
            models.Index(
                fields=["filed_at"], condition=Q(state__in=["filed", "in_review"]), name="credentials_to_review"
            ),
            models.Index(fields=["valid_until"], condition=Q(state="verified"), name="credentials_by_end"),
            models.Index(fields=["number_digest"], name="credentials_by_number"),
        ]

    def __str__(self) -> str:
        return f"credential {self.pk}: {self.state}"


class CredentialStep(models.Model):
    """One thing that happened to a credential. Never changed, never removed."""

    class Act(models.TextChoices):
        FILED = "filed"
        CLAIMED = "claimed"
        RELEASED = "released"
        ASKED = "asked"
        ANSWERED = "answered"
        APPROVED = "approved"
        VERIFIED = "verified"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"
        NOTICED = "noticed"
        EXPIRED = "expired"
        REVOKED = "revoked"
        LOOKED_UP = "looked_up"
        SCHEDULED = "scheduled"
        SCORED = "scored"

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="steps")
    act = models.CharField(max_length=12, choices=Act)
    actor = models.CharField(max_length=80)
    note = models.CharField(max_length=1000, blank=True, default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["credential", "id"], name="steps_of_credential")]

    def __str__(self) -> str:
        return f"{self.act} by {self.actor}"


class Approval(models.Model):
    """One verifier's yes to one round of a credential. Never one's own (a trigger), never twice (a key)."""

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="approvals")
    round = models.PositiveSmallIntegerField()
    verifier = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    note = models.CharField(max_length=1000, blank=True, default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credential", "round", "verifier"], name="a_verifier_approves_once"),
        ]

    def __str__(self) -> str:
        return f"approval of credential {self.credential_id}"


class Evidence(models.Model):
    """A document that proves a credential. The file is sealed under the person's key; its name in the store is ours."""

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="evidence")
    path = models.CharField(max_length=100, editable=False)
    name = models.CharField(max_length=120, help_text="What we call it, such as document 1.")
    content_type = models.CharField(max_length=40)
    bytes = models.PositiveIntegerField()
    pages = models.PositiveSmallIntegerField(default=1)
    digest = models.BinaryField(max_length=32, editable=False, help_text="Keyed hash of the content, to find doubles.")
    round = models.PositiveSmallIntegerField()
    filed_at = models.DateTimeField(db_default=Now(), editable=False)
    removed_at = models.DateTimeField(null=True, help_text="The file is gone; the row stays.")

    class Meta:
        verbose_name_plural = "evidence"
        constraints = [
            models.UniqueConstraint(fields=["path"], name="one_file_a_path"),
            models.CheckConstraint(
                condition=Q(content_type__in=["application/pdf", "image/png", "image/jpeg"]),
                name="evidence_is_a_pdf_or_a_picture",
            ),
            models.CheckConstraint(condition=Q(bytes__range=(1, 10 * 1024 * 1024)), name="evidence_has_at_most_10_mib"),
        ]
        indexes = [models.Index(fields=["digest"], name="evidence_by_digest")]

    def __str__(self) -> str:
        return self.name


class EvidenceView(models.Model):
    """Somebody looked at a document. Never changed, never removed."""

    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="views")
    viewer = models.CharField(max_length=80, help_text="As the audit calls them: user:3.")
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.viewer} saw {self.evidence_id}"


class Assessment(models.Model):
    """An interview or a portfolio review: when, by whom, how it was scored on the type's rubric.

    ``scores`` maps each rubric name to points; the sum against ``pass_points`` of the type decides ``passed``.
    """

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="assessments")
    scheduled_at = models.DateTimeField()
    place = models.CharField(max_length=300, blank=True, help_text="A room, or an address to call.")
    assessor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    scores = models.JSONField(null=True)
    points = models.PositiveIntegerField(null=True)
    passed = models.BooleanField(null=True)
    note = models.TextField(blank=True, default="", help_text="The worker reads it.")
    scored_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential"],
                condition=Q(scored_at__isnull=True, cancelled_at__isnull=True),
                name="one_open_assessment_a_credential",
            ),
            models.CheckConstraint(
                condition=Q(scored_at__isnull=True)
                | Q(scores__isnull=False, points__isnull=False, passed__isnull=False),
                name="a_scored_assessment_says_how",
            ),
        ]

    def __str__(self) -> str:
        return f"assessment {self.pk} of credential {self.credential_id}"
