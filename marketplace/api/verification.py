"""Verifiers and credentials: the queue, taking one, and deciding. For the platform's roles verifier and admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import verifying
from accounts.models import Credential, User
from marketplace.api import dossiers, policies
from marketplace.api.credential_shapes import CredentialDetailOut, CredentialOut
from marketplace.api.credentials import credential_for, detailed, listed
from marketplace.api.documenting import described
from marketplace.api.doors import Door, shaped
from marketplace.api.fields import Choice, Id, Nothing, Out, Strict, Text
from marketplace.api.pagination import PageQuery, page, pages_of
from qualification import crediting
from tasks import revoking

TO_REVIEW = (Credential.State.FILED, Credential.State.IN_REVIEW)


class QueueQuery(PageQuery):
    """Which credentials."""

    state = Choice(Credential.State.choices, required=False, help_text="Without it: what waits to be decided.")


class ReasonIn(Strict):
    """Why; the worker reads it."""

    reason = Text(most=1_000, lines=True)


class NoteIn(Strict):
    """A note for the other verifiers."""

    note = Text(most=1_000, lines=True, required=False, default="", allow_blank=True)


class RevokedOut(Out):
    """What ended with a credential."""

    credential = Id("crd")
    qualifications = serializers.IntegerField(help_text="Qualifications that rested on it.")
    leases = serializers.IntegerField(help_text="Open leases that needed them; their slots are open again.")
    answers = serializers.IntegerField(help_text="Submitted answers that are flagged.")


class QueueView(Door):
    """The queue."""

    queries: ClassVar[dict[str, type[Strict]]] = {"get": QueueQuery}

    @extend_schema(**described("credentials_queue", "credentials", query=QueueQuery, out=pages_of(CredentialOut)))
    def get(self, request: Request) -> Response:
        """What waits for verifiers, oldest first; or credentials of any state."""
        self.principal.need_platform(dossiers.VERIFYING_ROLES)
        state = self.asked.get("state")
        rows = dossiers.credentials_of(self.principal).filter(state__in=[state] if state else TO_REVIEW)
        return Response(page(rows, self.asked, listed, newest_first=False))


class Deciding(Door):
    """An act of a verifier on one credential."""

    def found(self, credential: str) -> tuple[Credential, User]:
        """The credential and the verifier. Raises NotFound where it is not to be seen, else NotAllowed."""
        found = credential_for(self.principal, credential)
        self.principal.need_platform(dossiers.VERIFYING_ROLES)
        return found, policies.user_of(self.principal)

    def done(self, credential: str, act: Callable[[], object]) -> Response:
        """Do it in the verifier's name; the credential as it is afterwards."""
        with self.acting():
            act()
        return self.shown(credential)

    def shown(self, credential: str) -> Response:
        """The credential as it is now."""
        found = credential_for(self.principal, credential)
        return shaped(CredentialDetailOut, detailed(found, self.principal))


def _described(act: str, **more: Any) -> dict[str, Any]:
    return described(f"credentials_{act}", "credentials", **{"out": CredentialDetailOut, **more})


class ClaimView(Deciding):
    """Claiming."""

    @extend_schema(**_described("claim", body=Nothing))
    def post(self, request: Request, credential: str) -> Response:
        """Take it into your hands for 30 minutes. Never your own."""
        found, verifier = self.found(credential)
        self.body(Nothing)
        return self.done(credential, lambda: verifying.claim_review(found, verifier=verifier))


class ReleaseView(Deciding):
    """Releasing."""

    @extend_schema(**_described("release", body=Nothing))
    def post(self, request: Request, credential: str) -> Response:
        """Let go of it, undecided."""
        found, verifier = self.found(credential)
        self.body(Nothing)
        return self.done(credential, lambda: verifying.release_review(found, verifier=verifier))


class AskView(Deciding):
    """Asking."""

    @extend_schema(**_described("ask", body=ReasonIn))
    def post(self, request: Request, credential: str) -> Response:
        """Ask the worker for more; they file it anew."""
        found, verifier = self.found(credential)
        said = self.body(ReasonIn)
        return self.done(credential, lambda: verifying.ask_for_more(found, verifier=verifier, reason=said["reason"]))


class ApproveView(Deciding):
    """Approving."""

    @extend_schema(**_described("approve", body=NoteIn))
    def post(self, request: Request, credential: str) -> Response:
        """Say yes; where two are needed, the second is another person's. What it opens is granted with the last yes."""
        found, verifier = self.found(credential)
        said = self.body(NoteIn)
        return self.done(credential, lambda: crediting.approve_credential(found, verifier=verifier, note=said["note"]))


class RefuseView(Deciding):
    """Refusing."""

    @extend_schema(**_described("refuse", body=ReasonIn))
    def post(self, request: Request, credential: str) -> Response:
        """Say no, with the reason."""
        found, verifier = self.found(credential)
        said = self.body(ReasonIn)
        return self.done(
            credential, lambda: verifying.refuse_credential(found, verifier=verifier, reason=said["reason"])
        )


class LookUpView(Deciding):
    """Looking up."""

    @extend_schema(**_described("look_up", body=Nothing))
    def post(self, request: Request, credential: str) -> Response:
        """Ask the type's registry about the number."""
        found, verifier = self.found(credential)
        self.body(Nothing)
        # Not within a transaction: a registry takes its time, and the act opens its own for what it writes.
        verifying.look_up_number(found, verifier=verifier)
        return self.shown(credential)


class RevokeCredentialView(Deciding):
    """Revoking."""

    @extend_schema(**_described("revoke", body=ReasonIn, out=RevokedOut))
    def post(self, request: Request, credential: str) -> Response:
        """Revoke a verified credential: what rests on it ends with it, open leases too, and answers are flagged."""
        found, _ = self.found(credential)
        said = self.body(ReasonIn)
        with self.acting():
            ended = revoking.revoke_credential(found, reason=said["reason"], actor=self.principal.actor)
        facts = {"qualifications": ended.qualifications, "leases": ended.leases, "answers": ended.answers}
        return shaped(RevokedOut, {"credential": found.pk, **facts})
