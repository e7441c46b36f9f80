"""What workers have shown they can do, and the gold that shows it.

====================  =========================================================================
Domain                a node of the subject tree (medicine / radiology / chest)
GoldSet, GoldItem     verified answers: a versioned collection, and one item of it
Exam, Attempt         a qualification test drawn from a gold set, and one sitting of it
Qualification         standing in a domain, with level, source and expiry
CredentialRule        what a verified credential opens
Observation           one answer known right or wrong; evidence, never changed
ScopeFit, SkillFit    what the engine last estimated in one scope, and of one worker in it
====================  =========================================================================

States. Attempt: ``open -> passed | failed | expired``. Gold set: ``draft -> published -> retired``.
A null organisation means: the platform's own, open to all.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

LEVEL_MAX = 5


class Domain(models.Model):
    """A node of the subject tree. ``path`` is the slugs from the root, joined by ``/``."""

    organisation = models.ForeignKey(
        "accounts.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    path = models.CharField(max_length=200)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "path"], name="one_domain_a_path", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return self.path


class GoldSet(models.Model):
    """A versioned collection of items whose answers are verified."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        RETIRED = "retired"

    organisation = models.ForeignKey(
        "accounts.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    label_kind = models.CharField(max_length=32, default="categorical")
    label_definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name", "version"], name="one_gold_set_a_version", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "published", "retired"]), name="gold_set_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class GoldItem(models.Model):
    """An item whose answer is verified, with verifier and explanation.

    ``accepted`` lists the right labels with their weights: ``[{"label": {...}, "weight": 1.0}]``.
    """

    gold_set = models.ForeignKey(GoldSet, on_delete=models.PROTECT, related_name="items")
    payload = models.JSONField()
    content_hash = models.BinaryField(max_length=32)
    accepted = models.JSONField()
    class_index = models.SmallIntegerField(null=True, help_text="Of the best accepted label, for class kinds.")
    difficulty = models.SmallIntegerField(default=2)
    explanation = models.TextField(blank=True)
    verified_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gold_set", "content_hash"], name="one_gold_item_a_payload"),
            models.CheckConstraint(condition=Q(difficulty__range=(1, 5)), name="gold_difficulty_in_band"),
        ]

    def __str__(self) -> str:
        return f"gold {self.pk} of set {self.gold_set_id}"


class Exam(models.Model):
    """A qualification test drawn from a gold set; passing it grants ``level`` in ``domain``."""

    organisation = models.ForeignKey(
        "accounts.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    gold_set = models.ForeignKey(GoldSet, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    level = models.SmallIntegerField(default=1)
    questions = models.PositiveSmallIntegerField(default=10)
    pass_share = models.FloatField(default=0.8, help_text="Smallest share of right answers that passes.")
    time_limit_seconds = models.PositiveIntegerField(default=1800)
    attempts_max = models.PositiveSmallIntegerField(default=2)
    valid_days = models.PositiveIntegerField(default=365)
    open = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="one_exam_a_name", nulls_distinct=False),
            models.CheckConstraint(condition=Q(level__range=(1, LEVEL_MAX)), name="exam_level_in_band"),
            models.CheckConstraint(condition=Q(questions__range=(1, 200)), name="exam_asks_something"),
            models.CheckConstraint(condition=Q(pass_share__gt=0, pass_share__lte=1), name="exam_pass_share_is_a_share"),
        ]

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """One sitting of an exam. The items asked are frozen when it starts."""

    class State(models.TextChoices):
        OPEN = "open"
        PASSED = "passed"
        FAILED = "failed"
        EXPIRED = "expired"

    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="attempts")
    worker = models.ForeignKey("accounts.Worker", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    item_ids = ArrayField(models.BigIntegerField())
    answers = models.JSONField(null=True)
    right = models.PositiveSmallIntegerField(null=True)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["exam", "worker"], condition=Q(state="open"), name="one_open_attempt_an_exam"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "passed", "failed", "expired"]), name="attempt_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "expired"]) | Q(right__isnull=False, finished_at__isnull=False),
                name="a_finished_attempt_has_a_score",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("started_at")), name="attempt_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.pk}: {self.state}"


class Qualification(models.Model):
    """A worker's standing in a domain. Never edited: a change revokes the old row and grants a new one.

    What rests on a credential is a row beside the others, one for each credential, so that taking the credential away
    takes its row and no other; the highest level that stands is the one that counts.
    """

    class Source(models.TextChoices):
        ADMIN = "admin"
        EXAM = "exam"
        CREDENTIAL = "credential"

    organisation = models.ForeignKey(
        "accounts.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    worker = models.ForeignKey("accounts.Worker", on_delete=models.PROTECT, related_name="+")
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    level = models.SmallIntegerField()
    source = models.CharField(max_length=12, choices=Source)
    attempt = models.ForeignKey(Attempt, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    credential = models.ForeignKey(
        "accounts.Credential", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    granted_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True)
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["worker", "domain", "organisation", "credential"],
                condition=Q(revoked_at__isnull=True),
                name="one_standing_a_domain",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(level__range=(1, LEVEL_MAX)), name="qualification_level_in_band"),
            models.CheckConstraint(
                condition=Q(source__in=["admin", "exam", "credential"]), name="qualification_source_is_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=models.F("granted_at")),
                name="qualification_expires_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(source="credential") ^ Q(credential__isnull=True),
                name="a_credential_stands_behind_its_qualification",
            ),
        ]

    def __str__(self) -> str:
        return f"worker {self.worker_id}: level {self.level} in domain {self.domain_id}"


class CredentialRule(models.Model):
    """A verified credential of this type opens ``level`` in ``domain``; where ``jurisdictions`` are named, only one of those."""

    type = models.ForeignKey("accounts.CredentialType", on_delete=models.PROTECT, related_name="+")
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    level = models.SmallIntegerField()
    jurisdictions = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="Empty: any.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["type", "domain"], name="one_rule_a_type_and_domain"),
            models.CheckConstraint(condition=Q(level__range=(1, LEVEL_MAX)), name="rule_level_in_band"),
        ]

    def __str__(self) -> str:
        return f"{self.type}: level {self.level} in {self.domain}"


class Observation(models.Model):
    """One answer known right or wrong. Evidence: never changed, never removed."""

    class Source(models.TextChoices):
        EXAM = "exam"
        GOLD = "gold"

    worker = models.ForeignKey("accounts.Worker", on_delete=models.PROTECT, related_name="+")
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    difficulty = models.SmallIntegerField()
    source = models.CharField(max_length=8, choices=Source)
    gold_item = models.ForeignKey(GoldItem, on_delete=models.PROTECT, related_name="+")
    reference = models.BigIntegerField(help_text="The attempt (exam) or assignment (gold) it was seen in.")
    true_class = models.SmallIntegerField(null=True)
    said_class = models.SmallIntegerField(null=True)
    credit = models.FloatField(help_text="1 right, 0 wrong, between for partly accepted labels.")
    observed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "reference", "gold_item"], name="an_answer_is_observed_once"),
            models.CheckConstraint(condition=Q(source__in=["exam", "gold"]), name="observation_source_is_known"),
            models.CheckConstraint(condition=Q(credit__gte=0, credit__lte=1), name="credit_is_a_share"),
            models.CheckConstraint(condition=Q(difficulty__range=(1, 5)), name="observation_difficulty_in_band"),
        ]
        indexes = [models.Index(fields=["worker", "domain", "id"], name="observations_of_worker")]

    def __str__(self) -> str:
        return f"{self.source} {self.reference}: {self.credit:g}"


class ScopeFit(models.Model):
    """The engine's last refit of one scope (``job:7``): the share of each class, and how many answers it saw."""

    scope = models.CharField(max_length=32, primary_key=True)
    engine = models.CharField(max_length=24)
    prior = ArrayField(models.FloatField())
    answers = models.IntegerField()
    gold = models.IntegerField(default=0)
    rounds = models.IntegerField(default=0)
    converged = models.BooleanField(default=False)
    fitted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.scope}: {self.engine} over {self.answers} answers"


class SkillFit(models.Model):
    """What the engine last estimated about one worker within one scope (``job:7``).

    ``confusion`` is the worker's (K, K) matrix row by row, rows = truth; moved only by refits and gold.
    """

    scope = models.CharField(max_length=32)
    worker = models.ForeignKey("accounts.Worker", on_delete=models.CASCADE, related_name="+")
    engine = models.CharField(max_length=24)
    confusion = ArrayField(models.FloatField())
    answers = models.IntegerField()
    fitted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "worker"], name="one_fit_a_scope_and_worker")]

    def __str__(self) -> str:
        return f"{self.scope} worker {self.worker_id}: {self.engine}"
