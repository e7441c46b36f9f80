"""Who may do what: the one place that says so.

A *principal* is whoever asks: a user signed in by session, or a key. What they may do for an organisation is a set of
*rights*, given by a member's role or by a key's scopes; what they may do for the platform, by platform roles, which
keys never carry. Objects are only reached through the querysets here: what is outside them does not exist for the
principal (404); what is inside but beyond their rights is refused by name (403).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import audit
from accounts.models import (
    ApiKey,
    AuditRow,
    Invitation,
    Membership,
    Organisation,
    PlatformRole,
    User,
    Worker,
)
from marketplace import clients
from marketplace.api.refusals import NotAllowed, NotAWorker, NotFound, SecondFactorNeeded
from marketplace.models import OrganisationClient
from qualification.models import Attempt, Domain, Exam, GoldItem, GoldSet, Qualification
from tasks.models import Answer, AnswerFlag, Assignment, Batch, Guidelines, Job, LabelSchema, Release, Task

PLATFORM_FEE_BP = 1_000
"""The platform's fee on new jobs: a tenth of the price."""

SCOPES_OF_ORGANISATIONS = (
    "jobs:read", "jobs:write", "answers:read", "gold:read", "gold:write", "releases", "money:read", "money:write", "members",
)  # fmt: skip
SCOPES_OF_WORKERS = ("work",)

_ALL = frozenset((*SCOPES_OF_ORGANISATIONS, "review", "audit"))
RIGHTS_OF_ROLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Membership.Role.OWNER.value: _ALL,
        Membership.Role.MANAGER.value: _ALL - {"members", "money:write", "audit"},
        Membership.Role.REVIEWER.value: frozenset({"jobs:read", "answers:read", "review"}),
        Membership.Role.FINANCE.value: frozenset({"jobs:read", "money:read", "money:write"}),
    }
)
RIGHTS_OF_SCOPE: Mapping[str, frozenset[str]] = MappingProxyType(
    {scope: frozenset({scope}) for scope in SCOPES_OF_ORGANISATIONS}
    | {"jobs:write": frozenset({"jobs:write", "jobs:read", "review"})}
)
GRANTING_ROLES = frozenset({PlatformRole.Role.ADMIN.value, PlatformRole.Role.VERIFIER.value})
DEPOSITING_ROLES = frozenset({PlatformRole.Role.ADMIN.value, PlatformRole.Role.TREASURER.value})
BUILDING_ROLES = frozenset({PlatformRole.Role.ADMIN.value})
AUDITING_ROLES = frozenset({PlatformRole.Role.ADMIN.value})
RIGHTS_WITH_SECOND_FACTOR = frozenset({"members", "money:write", "audit"})
"""Withheld from a session that has shown no second factor, as is every platform role."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks. ``rights`` by organisation; ``worker_id`` is the worker they act for; nobody: all empty.

    What is *withheld* is theirs, but waits for a second factor: they are refused as if it were not theirs, and told why.
    """

    user_id: int | None = None
    key_id: int | None = None
    worker_id: int | None = None
    rights: Mapping[int, frozenset[str]] = field(default_factory=dict)
    platform: frozenset[str] = frozenset()
    assured: bool = False
    withheld: Mapping[int, frozenset[str]] = field(default_factory=dict)
    withheld_platform: frozenset[str] = frozenset()
    client_id: int | None = None

    @property
    def is_authenticated(self) -> bool:
        """As REST framework asks it of a user."""
        return self.user_id is not None or self.key_id is not None or self.client_id is not None

    @property
    def is_active(self) -> bool:
        """As Django asks it of a user."""
        return self.is_authenticated

    @property
    def actor(self) -> str:
        """How the audit, the ledger and the idempotency keys call them."""
        if self.client_id is not None:
            return f"client:{self.client_id}"
        return f"key:{self.key_id}" if self.key_id is not None else f"user:{self.user_id}"

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """A transaction whose changes are audited in their name."""
        with transaction.atomic(), audit.acting(self.actor):
            yield

    def need(self, right: str, organisation_id: int | None) -> None:
        """Refuse unless they hold this right for the organisation.

        Raises NotFound for strangers, SecondFactorNeeded where it is withheld, else NotAllowed.
        """
        if organisation_id is None or organisation_id not in self.rights:
            raise NotFound
        if right in self.withheld.get(organisation_id, ()):
            raise SecondFactorNeeded
        if right not in self.rights[organisation_id]:
            raise NotAllowed(f"This needs the right {right}.", right=right)

    def need_platform(self, roles: frozenset[str], *, of: int | None = None) -> None:
        """Refuse unless they hold one of these platform roles.

        Raises NotAllowed, SecondFactorNeeded where the role is withheld; NotFound where it is about an organisation
        (``of``) that is not theirs.
        """
        if not roles & self.platform:
            if roles & self.withheld_platform:
                raise SecondFactorNeeded
            if of is not None and of not in self.rights:
                raise NotFound
            raise NotAllowed(f"This needs the platform role {' or '.join(sorted(roles))}.")

    def need_user(self) -> int:
        """The user, where only a person in a browser may ask. Raises NotAllowed for keys."""
        if self.user_id is None:
            raise NotAllowed("This needs a person who is signed in; a key may not do it.")
        return self.user_id

    def need_worker(self) -> int:
        """The worker they act for. Raises NotAWorker."""
        if self.worker_id is None:
            raise NotAWorker
        return self.worker_id

    def with_right(self, right: str) -> list[int]:
        """The organisations for which they hold it."""
        return [organisation_id for organisation_id, rights in self.rights.items() if right in rights]


NOBODY = Principal()


def of_user(user: User, *, assured: bool) -> Principal:
    """The principal of somebody signed in; ``assured``: their session has shown a second factor."""
    memberships = Membership.objects.filter(user=user).values_list("organisation_id", "role")
    rights = {organisation_id: RIGHTS_OF_ROLE[role] for organisation_id, role in memberships}
    platform = frozenset(PlatformRole.objects.filter(user=user).values_list("role", flat=True))
    nothing: frozenset[str] = frozenset()
    return Principal(
        user_id=user.pk,
        worker_id=Worker.objects.filter(user=user).values_list("pk", flat=True).first(),
        rights=rights if assured else {key: held - RIGHTS_WITH_SECOND_FACTOR for key, held in rights.items()},
        platform=platform if assured else nothing,
        assured=assured,
        withheld={} if assured else {key: held & RIGHTS_WITH_SECOND_FACTOR for key, held in rights.items()},
        withheld_platform=nothing if assured else platform,
    )


def need_second_factor(principal: Principal) -> None:
    """Refuse unless a person asks whose session has shown a second factor. Raises SecondFactorNeeded; NotAllowed for keys."""
    principal.need_user()
    if not principal.assured:
        raise SecondFactorNeeded


def of_key(key: ApiKey) -> Principal:
    """The principal of a key: one organisation within its scopes, or one worker."""
    if key.worker_id is not None:
        return Principal(key_id=key.pk, worker_id=key.worker_id if "work" in key.scopes else None)
    assert key.organisation_id is not None
    return Principal(key_id=key.pk, rights={key.organisation_id: _rights_of(key.scopes)})


def of_client(shown: clients.Shown) -> Principal:
    """The principal of an OAuth client: its organisation, within the scopes of the token that it showed."""
    return Principal(client_id=shown.client_id, rights={shown.organisation_id: _rights_of(shown.scopes)})


def _rights_of(scopes: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(RIGHTS_OF_SCOPE.get(scope, frozenset()) for scope in scopes))


def user_of(principal: Principal) -> User:
    """The user themself. Raises NotAllowed for keys."""
    return User.objects.get(pk=principal.need_user())


def worker_of(principal: Principal) -> Worker:
    """The worker that the principal acts for. Raises NotAWorker."""
    return Worker.objects.get(pk=principal.need_worker())


def organisation_for(principal: Principal, organisation_id: int, right: str) -> Organisation:
    """An organisation for which they hold this right. Raises NotFound or NotAllowed."""
    principal.need(right, organisation_id)
    return Organisation.objects.get(pk=organisation_id)


def verified_addresses_of(principal: Principal) -> list[str]:
    """The addresses that the user has proved to be theirs, in lower case. Raises NotAllowed for keys."""
    proved = EmailAddress.objects.filter(user_id=principal.need_user(), verified=True)
    return [address.lower() for address in proved.values_list("email", flat=True)]


def any_organisation(principal: Principal, organisation_id: int) -> Organisation | None:
    """An organisation of anybody's, for treasurers who note its deposits. Raises NotAllowed or NotFound."""
    principal.need_platform(DEPOSITING_ROLES, of=organisation_id)
    return Organisation.objects.filter(pk=organisation_id).first()


def key_of(principal: Principal) -> ApiKey | None:
    """The key that was shown."""
    return None if principal.key_id is None else ApiKey.objects.get(pk=principal.key_id)


def organisations_of(principal: Principal) -> QuerySet[Organisation]:
    """Organisations they belong to, or whose key they hold."""
    return Organisation.objects.filter(pk__in=principal.rights)


def members_of(principal: Principal) -> QuerySet[Membership]:
    """Members of those organisations."""
    return Membership.objects.filter(organisation_id__in=principal.rights).select_related("user")


def invitations_of(principal: Principal) -> QuerySet[Invitation]:
    """Invitations to organisations whose members they manage."""
    return Invitation.objects.filter(organisation_id__in=principal.with_right("members"))


def keys_of(principal: Principal) -> QuerySet[ApiKey]:
    """Keys of organisations whose members they manage, and of their own worker."""
    own = Q(organisation_id__in=principal.with_right("members"))
    if principal.worker_id is not None:
        own |= Q(worker_id=principal.worker_id)
    return ApiKey.objects.filter(own)


def clients_of(principal: Principal) -> QuerySet[OrganisationClient]:
    """OAuth clients of organisations whose members they manage."""
    found = OrganisationClient.objects.filter(organisation_id__in=principal.with_right("members"))
    return found.select_related("client")


def jobs_of(principal: Principal) -> QuerySet[Job]:
    """Jobs of their organisations."""
    return Job.objects.filter(organisation_id__in=principal.rights)


def batches_of(principal: Principal) -> QuerySet[Batch]:
    """Batches of those jobs. Batches of gold are of no concern to who may not read gold, but hold no answers."""
    return Batch.objects.filter(job__organisation_id__in=principal.rights).select_related("job")


def batch_numbered(job_id: int, number: int) -> Batch:
    """A batch of a job that they have been let see."""
    return Batch.objects.get(job_id=job_id, number=number)


def tasks_of(principal: Principal) -> QuerySet[Task]:
    """Tasks of those jobs; hidden gold only where they may read gold."""
    gold_of = principal.with_right("gold:read")
    return Task.objects.filter(job__organisation_id__in=principal.rights).filter(
        Q(gold_item__isnull=True) | Q(job__organisation_id__in=gold_of)
    )


def answers_of(principal: Principal) -> QuerySet[Answer]:
    """Answers to those tasks."""
    gold_of = principal.with_right("gold:read")
    return Answer.objects.filter(job__organisation_id__in=principal.rights).filter(
        Q(task__gold_item__isnull=True) | Q(job__organisation_id__in=gold_of)
    )


def answers_to(task: Task) -> QuerySet[Answer]:
    """The answers to a task that they have been let see."""
    answers = Answer.objects.filter(job=task.job_id, task=task).select_related("assignment").order_by("pk")
    return answers.prefetch_related("assignment__flags")


def flags_on(answer: Answer) -> list[AnswerFlag]:
    """The doubts that stand about an answer from ``answers_to``: requesters learn their kinds and times, not why."""
    flags = sorted(answer.assignment.flags.all(), key=lambda flag: flag.pk)
    return [flag for flag in flags if flag.cleared_at is None]


def releases_of(principal: Principal) -> QuerySet[Release]:
    """Releases of those jobs."""
    return Release.objects.filter(job__organisation_id__in=principal.rights).select_related("job")


def domains_of(principal: Principal) -> QuerySet[Domain]:
    """The platform's domains, and their organisations' own."""
    return Domain.objects.filter(Q(organisation__isnull=True) | Q(organisation_id__in=principal.rights))


def paths_of(domain_ids: Iterable[int]) -> Iterable[tuple[int, str]]:
    """Ids and paths of domains that somebody holds standing in."""
    return Domain.objects.filter(pk__in=list(domain_ids)).values_list("pk", "path")


def gold_sets_of(principal: Principal) -> QuerySet[GoldSet]:
    """Gold sets of their organisations, and the platform's for those who build it."""
    own = Q(organisation_id__in=principal.rights)
    if BUILDING_ROLES & principal.platform:
        own |= Q(organisation__isnull=True)
    return GoldSet.objects.filter(own).select_related("domain")


def readable_gold_sets_of(principal: Principal) -> QuerySet[GoldSet]:
    """Of these, those whose gold they may read."""
    readable = Q(organisation__isnull=True) | Q(organisation_id__in=principal.with_right("gold:read"))
    return gold_sets_of(principal).filter(readable)


def usable_gold(organisation_id: int | None) -> QuerySet[GoldSet]:
    """Gold sets that a job or exam of this organisation may draw from: its own, and the platform's."""
    of_platform = Q(organisation__isnull=True)
    return GoldSet.objects.filter(
        of_platform if organisation_id is None else of_platform | Q(organisation_id=organisation_id)
    )


def gold_items_in(gold_set: GoldSet) -> QuerySet[GoldItem]:
    """The items of a gold set that they have been let see."""
    return GoldItem.objects.filter(gold_set=gold_set)


def exams_of(principal: Principal) -> QuerySet[Exam]:
    """Exams that anybody may take, and all exams of their organisations."""
    seen = Q(open=True) | Q(organisation_id__in=principal.rights)
    if BUILDING_ROLES & principal.platform:
        seen |= Q(organisation__isnull=True)
    return Exam.objects.filter(seen).select_related("domain")


def attempts_of(principal: Principal) -> QuerySet[Attempt]:
    """The worker's own sittings."""
    return Attempt.objects.filter(worker_id=principal.need_worker()).select_related("exam", "exam__gold_set")


def qualifications_of(principal: Principal) -> QuerySet[Qualification]:
    """The worker's own standing; everybody's, for who grants it."""
    found = Qualification.objects.select_related("domain")
    if GRANTING_ROLES & principal.platform:
        return found
    return found.filter(worker_id=principal.worker_id) if principal.worker_id is not None else found.none()


def workers_of(principal: Principal) -> QuerySet[Worker]:
    """Workers by name: oneself; and everybody, for who grants qualifications."""
    if GRANTING_ROLES & principal.platform:
        return Worker.objects.all()
    return Worker.objects.none() if principal.worker_id is None else Worker.objects.filter(pk=principal.worker_id)


def assignments_of(principal: Principal) -> QuerySet[Assignment]:
    """The worker's own assignments."""
    return Assignment.objects.filter(worker_id=principal.need_worker())


def schemas_of(principal: Principal) -> QuerySet[LabelSchema]:
    """Label schemas of their organisations' jobs, and those the worker was given tasks under."""
    seen = Q(job__organisation_id__in=principal.rights)
    if principal.worker_id is not None:
        given = Assignment.objects.filter(worker_id=principal.worker_id).values("schema_id")
        seen |= Q(pk__in=given)
    return LabelSchema.objects.filter(seen)


def guidelines_of(principal: Principal) -> QuerySet[Guidelines]:
    """Guidelines, likewise."""
    seen = Q(job__organisation_id__in=principal.rights)
    if principal.worker_id is not None:
        given = Assignment.objects.filter(worker_id=principal.worker_id).values("guidelines_id")
        seen |= Q(pk__in=given)
    return Guidelines.objects.filter(seen)


def open_jobs() -> QuerySet[Job]:
    """The public list: jobs that take answers now."""
    return Job.objects.filter(state=Job.State.LIVE).select_related("domain", "organisation", "eligibility")


def audit_rows_of(principal: Principal) -> QuerySet[AuditRow]:
    """Audit rows of organisations whose audit they may read; all of them for the platform's admins."""
    if AUDITING_ROLES & principal.platform:
        return AuditRow.objects.all()
    return AuditRow.objects.filter(organisation_id__in=principal.with_right("audit"))
