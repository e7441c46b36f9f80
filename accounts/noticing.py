"""What time does to credentials: notices before their end, the end, and the removal of documents after the decision.

Each is a sweep in bounded batches over rows that say themselves what is due, so that one may be late, or run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext, ngettext

from accounts.audit import acting
from accounts.models import Credential, CredentialStep, DoomedFile, Evidence
from accounts.queries import instant

NOTICE_DAYS = (60, 14, 1)
"""How many days before its end a credential is spoken of, longest first."""

DECIDED = ("verified", "refused", "withdrawn", "expired", "revoked")


def send_expiry_notices(*, limit: int, at: datetime | None = None) -> int:
    """Write to workers whose credential ends in 60, 14 or 1 days; of several that are due, the last one is sent.

    Nobody is written to who has a renewal verified, or when the end has come. The mail goes out after the commit: a mail
    that is lost is followed by the next notice, and none is sent twice.
    """
    now = instant(at)
    due = Case(*[When(valid_until__lte=now + timedelta(days=days), then=Value(days)) for days in sorted(NOTICE_DAYS)])
    renewed = Credential.objects.filter(renews=OuterRef("pk"), state=Credential.State.VERIFIED)
    with acting("sweep:notice_expiry"):
        rows = Credential.objects.filter(
            ~Exists(renewed),
            state=Credential.State.VERIFIED,
            valid_until__gt=now,
            valid_until__lte=now + timedelta(days=max(NOTICE_DAYS)),
        )
        rows = rows.annotate(due=due).filter(Q(noticed_days__isnull=True) | Q(noticed_days__gt=F("due")))
        rows = rows.select_related("type", "worker__user").order_by("valid_until", "pk")
        found = list(rows.select_for_update(no_key=True, skip_locked=True, of=("self",))[:limit])
        for credential in found:
            credential.noticed_days = credential.due
            transaction.on_commit(partial(_write_to, credential), robust=True)
        Credential.objects.bulk_update(found, ["noticed_days"])
        _note_steps(found, CredentialStep.Act.NOTICED, "sweep:notice_expiry", now)
    return len(found)


def expire_credentials(*, limit: int, at: datetime | None = None) -> int:
    """End verified credentials whose validity is over. Qualifications that rest on one end at that time by themselves."""
    now = instant(at)
    with acting("sweep:expire_credentials"):
        rows = Credential.objects.filter(state=Credential.State.VERIFIED, valid_until__lte=now).order_by("valid_until")
        found = list(rows.select_for_update(no_key=True, skip_locked=True)[:limit])
        Credential.objects.filter(pk__in=[one.pk for one in found]).update(
            state=Credential.State.EXPIRED, ended_at=F("valid_until")
        )
        _note_steps(found, CredentialStep.Act.EXPIRED, "sweep:expire_credentials", now)
    return len(found)


def retire_evidence(*, limit: int, at: datetime | None = None) -> int:
    """Let documents go ``EVIDENCE_KEEP_DAYS`` after the last decision: their files are doomed, their rows stay."""
    now = instant(at)
    decided = now - timedelta(days=settings.EVIDENCE_KEEP_DAYS)
    with acting("sweep:retire_evidence"):
        rows = Evidence.objects.filter(removed_at__isnull=True, credential__state__in=DECIDED)
        rows = rows.annotate(decided_at=Greatest("credential__verified_at", "credential__ended_at"))
        rows = rows.filter(decided_at__lte=decided).order_by("pk")
        found = list(rows.select_for_update(no_key=True, skip_locked=True, of=("self",))[:limit])
        doomed = [DoomedFile(path=one.path, doomed_at=now) for one in found]
        DoomedFile.objects.bulk_create(doomed, ignore_conflicts=True)
        Evidence.objects.filter(pk__in=[one.pk for one in found]).update(removed_at=now)
    return len(found)


def _note_steps(credentials: Sequence[Credential], act: str, actor: str, now: datetime) -> None:
    CredentialStep.objects.bulk_create(
        [CredentialStep(credential=credential, act=act, actor=actor, at=now) for credential in credentials]
    )


def _write_to(credential: Credential) -> None:
    """One notice. It says which type and how long, never a name or number of the paper."""
    user, days = credential.worker.user, credential.noticed_days
    if user is None or not user.is_active or days is None:
        return
    what = {"type": credential.type.name, "days": days, "site": settings.SITE_URL}
    left = ngettext(
        "Your credential “%(type)s” is valid for %(days)s more day.",
        "Your credential “%(type)s” is valid for less than %(days)s more days.",
        days,
    )
    lines = [
        left % what,
        gettext("What rests on it ends with it, unless you renew it before: sign in and open Credentials.") % what,
        settings.SITE_URL,
    ]
    send_mail(gettext("Your credential “%(type)s” ends soon") % what, "\n\n".join(lines), None, [user.email])
