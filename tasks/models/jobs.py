"""Jobs and the versioned values they are worked by.

Job: ``draft -> live <-> paused -> closed``, with ``piloting`` between draft and live for jobs that pilot first.
Label schema, guidelines, eligibility and quality plan are values: a change is a new version, and the job points
to the current one. Assignments and answers carry the versions they were made under.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Job(models.Model):
    """The requester's programme of work.

    Money, in micros of ``currency``: ``budget`` is what publishing moves to escrow; ``funded`` has been moved there
    and not released; ``reserved`` is the ceiling of every slot ever opened (those paid included), so
    ``funded - reserved`` is free to open further slots or to be released.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        PILOTING = "piloting"
        LIVE = "live"
        PAUSED = "paused"
        CLOSED = "closed"

    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    domain = models.ForeignKey("qualification.Domain", on_delete=models.PROTECT, related_name="+")
    difficulty = models.SmallIntegerField(default=2, help_text="Of tasks that name none: 1 routine to 5 hard.")
    language = models.CharField(max_length=16, default="en")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    schema = models.ForeignKey("tasks.LabelSchema", null=True, on_delete=models.PROTECT, related_name="+")
    guidelines = models.ForeignKey("tasks.Guidelines", null=True, on_delete=models.PROTECT, related_name="+")
    eligibility = models.ForeignKey("tasks.Eligibility", null=True, on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey("tasks.QualityPlan", null=True, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3, default="USD")
    price_micros = models.BigIntegerField(help_text="For one answer, where the task names no price.")
    fee_bp = models.PositiveIntegerField(help_text="The platform's fee in basis points of the price.")
    budget_micros = models.BigIntegerField()
    funded_micros = models.BigIntegerField(default=0)
    reserved_micros = models.BigIntegerField(default=0)
    fundings = models.PositiveIntegerField(default=0, help_text="How many times money was moved to escrow.")
    releases_of_rest = models.PositiveIntegerField(default=0, help_text="How many times money was moved back.")
    gold_share_bp = models.PositiveIntegerField(default=0, help_text="Share of hidden gold among what a worker gets.")
    lease_seconds = models.PositiveIntegerField(default=1800)
    review_window_seconds = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "piloting", "live", "paused", "closed"]), name="job_state_is_known"
            ),
            models.CheckConstraint(condition=Q(difficulty__range=(1, 5)), name="job_difficulty_in_band"),
            models.CheckConstraint(condition=Q(price_micros__gte=0), name="job_price_is_not_negative"),
            models.CheckConstraint(condition=Q(budget_micros__gte=0), name="job_budget_is_not_negative"),
            models.CheckConstraint(condition=Q(fee_bp__lte=10_000), name="job_fee_is_at_most_the_price"),
            models.CheckConstraint(condition=Q(gold_share_bp__lte=5_000), name="job_gold_share_is_at_most_half"),
            models.CheckConstraint(
                condition=Q(reserved_micros__gte=0, reserved_micros__lte=F("funded_micros")),
                name="slots_are_reserved_against_escrow",
            ),
            models.CheckConstraint(
                condition=Q(lease_seconds__range=(1, 7 * 86_400)), name="job_lease_is_a_second_to_a_week"
            ),
            models.CheckConstraint(
                condition=Q(state="draft")
                | Q(state="closed")
                | Q(
                    schema__isnull=False,
                    guidelines__isnull=False,
                    eligibility__isnull=False,
                    plan__isnull=False,
                    published_at__isnull=False,
                ),
                name="a_published_job_is_complete",
            ),
        ]
        indexes = [models.Index(fields=["organisation", "id"], name="jobs_of_organisation")]

    def __str__(self) -> str:
        return self.name


class LabelSchema(models.Model):
    """What may be answered: a label kind and its normalised definition."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="schemas")
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "version"], name="one_schema_a_version")]

    def __str__(self) -> str:
        return f"{self.kind} v{self.version}"


class Guidelines(models.Model):
    """How to answer: plain text a worker reads beside the task."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="guideline_versions")
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=16, default="en")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "version"], name="one_guideline_a_version")]
        verbose_name_plural = "guidelines"

    def __str__(self) -> str:
        return f"guidelines v{self.version}"


class Eligibility(models.Model):
    """Who may work on the job. Its requirements (none, one or several) must all hold."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="eligibilities")
    version = models.PositiveIntegerField()
    models_allowed = models.BooleanField(default=False, help_text="May a model version answer?")
    answers_per_worker_max = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "version"], name="one_eligibility_a_version"),
            models.CheckConstraint(
                condition=Q(answers_per_worker_max__isnull=True) | Q(answers_per_worker_max__gte=1),
                name="answers_per_worker_allow_one",
            ),
        ]
        verbose_name_plural = "eligibilities"

    def __str__(self) -> str:
        return f"eligibility v{self.version}"


class Requirement(models.Model):
    """One qualification that a worker must hold, at this level or above."""

    eligibility = models.ForeignKey(Eligibility, on_delete=models.PROTECT, related_name="requirements")
    domain = models.ForeignKey("qualification.Domain", on_delete=models.PROTECT, related_name="+")
    level_min = models.SmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["eligibility", "domain"], name="one_requirement_a_domain"),
            models.CheckConstraint(condition=Q(level_min__range=(1, 5)), name="required_level_in_band"),
        ]

    def __str__(self) -> str:
        return f"level {self.level_min} in domain {self.domain_id}"


class QualityPlan(models.Model):
    """When a task has enough answers, and who decides what they say.

    ``fixed`` asks ``overlap`` answers; ``confidence`` asks ``overlap`` first and then one at a time until the
    posterior reaches ``threshold`` or ``answers_max`` are in.
    """

    class Policy(models.TextChoices):
        FIXED = "fixed"
        CONFIDENCE = "confidence"

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="plans")
    version = models.PositiveIntegerField()
    engine = models.CharField(max_length=24, default="dawid_skene")
    policy = models.CharField(max_length=12, choices=Policy, default=Policy.FIXED)
    overlap = models.PositiveSmallIntegerField(default=3)
    threshold = models.FloatField(null=True, blank=True)
    answers_max = models.PositiveSmallIntegerField(default=3)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "version"], name="one_plan_a_version"),
            models.CheckConstraint(condition=Q(policy__in=["fixed", "confidence"]), name="policy_is_known"),
            models.CheckConstraint(
                condition=Q(overlap__gte=1, overlap__lte=F("answers_max"), answers_max__lte=100),
                name="plan_asks_one_to_its_most",
            ),
            models.CheckConstraint(
                condition=Q(policy="confidence") ^ Q(threshold__isnull=True), name="a_threshold_belongs_to_confidence"
            ),
            models.CheckConstraint(
                condition=Q(threshold__isnull=True) | Q(threshold__gt=0, threshold__lt=1),
                name="threshold_is_a_probability",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy}:{self.overlap} by {self.engine}"
