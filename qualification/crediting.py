"""What a verified credential opens: rules, and the grants that they make.

A rule says: a credential of this type, of one of these jurisdictions, opens this level in this domain. Verifying is an
act of the floor below, which knows no domains; the acts here call it and grant by the rules in the same transaction,
so that no credential is ever verified without what it opens. The grants last as long as the credential.

A rule counts from the approval on: changing or removing one leaves what was granted under it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from accounts import assessing, people, verifying
from accounts.audit import acting
from accounts.models import Credential, CredentialType, User
from accounts.refusals import Fault, Refusal
from qualification.granting import LevelOutOfBand, grant_qualification
from qualification.models import LEVEL_MAX, CredentialRule, Domain, Qualification
from qualification.queries import rules_for

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


class RuleRefused(Refusal):
    """The rule cannot be written down like this."""


class NoSuchRule(Refusal):
    """There is no rule of this type for this domain."""


def set_rule(
    type: CredentialType,  # noqa: A002  what it is called everywhere else
    domain: Domain,
    *,
    level: int,
    jurisdictions: Sequence[str] = (),
    actor: str,
) -> CredentialRule:
    """Let verified credentials of ``type`` open ``level`` in ``domain``; there is one rule a type and domain.

    ``jurisdictions`` are ISO 3166 codes (``DE``, ``US-CA``); a country takes in its parts, none means any.
    Raises LevelOutOfBand, RuleRefused.
    """
    if not 1 <= level <= LEVEL_MAX:
        raise LevelOutOfBand
    faults = [
        Fault(f"/jurisdictions/{place}", "is not a code of ISO 3166; write DE or US-CA")
        for place, code in enumerate(jurisdictions)
        if not _JURISDICTION.fullmatch(code)
    ]
    if domain.organisation_id is not None:
        faults.append(Fault("/domain", "belongs to an organisation; credentials open domains of the platform"))
    if faults:
        raise RuleRefused(faults=faults)
    with acting(actor):
        rule, _ = CredentialRule.objects.update_or_create(
            type=type, domain=domain, defaults={"level": level, "jurisdictions": sorted(set(jurisdictions))}
        )
    return rule


def remove_rule(type: CredentialType, domain: Domain, *, actor: str) -> None:  # noqa: A002
    """Let credentials of ``type`` open nothing in ``domain`` from now on. Raises NoSuchRule."""
    with acting(actor):
        if CredentialRule.objects.filter(type=type, domain=domain).delete()[0] != 1:
            raise NoSuchRule


@transaction.atomic
def approve_credential(
    credential: Credential, *, verifier: User, note: str = "", at: datetime | None = None
) -> Credential:
    """Record a verifier's yes; where it was the last one needed, grant what the credential opens.

    Raises what ``accounts.verifying.record_approval`` raises.
    """
    people.hold(credential.worker_id)
    approved = verifying.record_approval(credential, verifier=verifier, note=note, at=at)
    _open(approved, verifier, at)
    return approved


@transaction.atomic
def pass_assessment(
    credential: Credential, *, assessor: User, scores: Mapping[str, int], note: str = "", at: datetime | None = None
) -> Credential:
    """Score an interview or portfolio on its rubric; where it passes, grant what the credential opens.

    Raises what ``accounts.assessing.score_assessment`` raises.
    """
    people.hold(credential.worker_id)
    scored = assessing.score_assessment(credential, assessor=assessor, scores=scores, note=note, at=at)
    _open(scored, assessor, at)
    return scored


def _open(credential: Credential, granted_by: User, at: datetime | None) -> None:
    """Grant by the rules, in the order of the domains, once the credential is verified."""
    if credential.state != Credential.State.VERIFIED:
        return
    for rule in rules_for(credential.type_id, credential.jurisdiction):
        grant_qualification(
            credential.worker,
            rule.domain,
            level=rule.level,
            source=Qualification.Source.CREDENTIAL,
            credential=credential,
            granted_by=granted_by,
            expires_at=credential.valid_until,
            reason=str(credential.type),
            at=at,
        )
