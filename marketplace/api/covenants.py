"""Who reaches which agreements and blocks: ``policies`` for what workers agreed to, and for who is kept from work.

An organisation reaches its own, the platform's admins the platform's, and a worker what is asked of them or holds them.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts import blocking, consenting
from accounts.models import Block, Organisation, PlatformRole, Terms, Worker
from accounts.queries import pseudonym_of
from marketplace.api.policies import Principal
from tasks.models import Answer, Assignment, Job

GOVERNING_ROLES = frozenset({PlatformRole.Role.ADMIN.value})
"""Who publishes the platform's terms and blocks people everywhere."""


def terms_of(principal: Principal) -> QuerySet[Terms]:
    """Texts of their organisations, and the platform's for its admins."""
    return Terms.objects.filter(_theirs(principal))


def blocks_by(principal: Principal) -> QuerySet[Block]:
    """Blocks by their organisations, and the platform's for its admins."""
    return Block.objects.filter(_theirs(principal)).select_related("organisation")


def agreements_of(worker: Worker) -> QuerySet[Terms]:
    """What the worker is asked to agree to, by the platform and by whoever has work now; and what they agreed to."""
    offering = Job.objects.filter(state__in=[Job.State.LIVE, Job.State.PILOTING]).values("organisation_id")
    asked = Q(current=True) & (Q(organisation__isnull=True) | Q(organisation_id__in=offering))
    given = Q(pk__in=list(consenting.given_by(worker)))
    return Terms.objects.filter(asked | given).select_related("organisation")


def asked_of(worker: Worker) -> QuerySet[Terms]:
    """Of these, what is in force and not agreed to yet."""
    return agreements_of(worker).filter(current=True).exclude(pk__in=list(consenting.given_by(worker)))


def blocks_on(worker: Worker) -> QuerySet[Block]:
    """Blocks of the person that the worker is."""
    return blocking.blocks_of(worker)


def standing_blocks_on(worker: Worker) -> QuerySet[Block]:
    """Of these, those that hold now."""
    return blocking.standing(blocking.blocks_of(worker))


def worker_called(organisation: Organisation, name: str) -> Worker | None:
    """Whom the organisation knows by this pseudonym, of those who ever had a task of its."""
    jobs = list(Job.objects.filter(organisation=organisation).values_list("pk", flat=True))
    known = Assignment.objects.filter(job_id__in=jobs).order_by().values_list("worker_id", flat=True).distinct()
    found = next((pk for pk in known.iterator() if pseudonym_of(organisation, pk) == name), None)
    return None if found is None else Worker.objects.get(pk=found)


def worker_behind(organisation: Organisation, answer_id: int) -> Worker | None:
    """Who gave an answer to a job of this organisation. Hidden gold counts: a block tells nothing of it."""
    answer = Answer.objects.filter(pk=answer_id, job__organisation=organisation).first()
    return None if answer is None else Worker.objects.get(pk=answer.worker_id)


def _theirs(principal: Principal) -> Q:
    own = Q(organisation_id__in=principal.rights)
    # A role that waits for a second factor reaches them too, to be told so.
    if GOVERNING_ROLES & (principal.platform | principal.withheld_platform):
        own |= Q(organisation__isnull=True)
    return own
