"""Who reaches which credentials and documents: ``policies`` for what people have proved outside.

A worker reaches their own and verifiers everybody's; requesters reach none, and no key does.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from accounts.models import Credential, CredentialType, Evidence, PlatformRole
from marketplace.api.policies import Principal
from qualification.models import CredentialRule

VERIFYING_ROLES = frozenset({PlatformRole.Role.ADMIN.value, PlatformRole.Role.VERIFIER.value})


def credential_types() -> QuerySet[CredentialType]:
    """What can be proved here at present."""
    return CredentialType.objects.filter(active=True)


def rules_of(type_ids: Iterable[int]) -> QuerySet[CredentialRule]:
    """What verified credentials of these types open."""
    return CredentialRule.objects.filter(type_id__in=list(type_ids)).select_related("domain").order_by("domain__path")


def own_credentials_of(principal: Principal) -> QuerySet[Credential]:
    """The worker's own credentials. Raises NotAllowed for keys, which prove nothing, and NotAWorker."""
    principal.need_user()
    return Credential.objects.filter(worker_id=principal.need_worker()).select_related("type", "worker")


def credentials_of(principal: Principal) -> QuerySet[Credential]:
    """The worker's own; everybody's, for who verifies them; none for keys."""
    found = Credential.objects.select_related("type", "worker")
    if VERIFYING_ROLES & principal.platform:
        return found
    if principal.user_id is None or principal.worker_id is None:
        return found.none()
    return found.filter(worker_id=principal.worker_id)


def evidence_of(principal: Principal) -> QuerySet[Evidence]:
    """The documents of those credentials; of the removed ones, the rows."""
    found = Evidence.objects.filter(credential__in=credentials_of(principal).values("pk"))
    return found.select_related("credential", "credential__type", "credential__worker")
