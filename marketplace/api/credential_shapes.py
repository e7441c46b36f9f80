"""What is sent and answered about credentials, field by field."""

from __future__ import annotations

import base64
import binascii
from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.credentials import EVIDENCE_MAX
from accounts.models import Credential, CredentialType
from accounts.uploads import BYTES_MAX
from marketplace.api.fields import Anything, Id, Out, Strict, Text, some


@extend_schema_field(OpenApiTypes.BYTE)
class Base64(serializers.Field[bytes, Any, str, Any]):
    """Bytes in base64, up to the size that a document may have."""

    def to_internal_value(self, data: Any) -> bytes:
        """The bytes."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Send base64.")
        if len(data) > 4 * (BYTES_MAX // 3 + 1):
            raise serializers.ValidationError(f"This has more than {BYTES_MAX} bytes.")
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("This is not base64.") from None


@extend_schema_field(OpenApiTypes.DATE)
class Day(serializers.DateField):
    """A day as ISO 8601 writes it."""

    def to_internal_value(self, value: Any) -> date:
        """The day."""
        try:
            if isinstance(value, str) and len(value) == len("2030-01-31"):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise serializers.ValidationError('Send a day such as "2030-01-31".')


class OpensOut(Out):
    """A level in a domain that a verified credential opens."""

    domain = Id("dom")
    domain_path = serializers.CharField()
    level = serializers.IntegerField()
    jurisdictions = serializers.ListField(
        child=serializers.CharField(), help_text="Only with one of these; empty: any."
    )


class CredentialTypeOut(Out):
    """Something that can be proved here."""

    id = Id("cty")
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(CredentialType.Kind.choices)
    fields = Anything(help_text="What is asked for beyond the rest.")  # type: ignore[assignment]  # named as the wire names it
    jurisdictions = serializers.ListField(child=serializers.CharField(), help_text="Empty: any.")
    number_check = serializers.ChoiceField(CredentialType.NumberCheck.choices)
    number_required = serializers.BooleanField()
    evidence_required = serializers.BooleanField()
    valid_days = serializers.IntegerField(allow_null=True)
    verifiers_needed = serializers.IntegerField()
    opens = OpensOut(many=True)


class DocumentIn(Strict):
    """A document: PDF, PNG or JPEG. Its name is only looked at for what to call a fault by."""

    name = Text(most=200)
    content = Base64()


class QuestionAnswerIn(Strict):
    """What is filed to prove a type."""

    issuer = Text(most=200, required=False, default="", allow_blank=True)
    jurisdiction = Text(most=8, required=False, default="", allow_blank=True)
    holder = Text(most=200, required=False, default="", allow_blank=True)
    number = Text(most=100, required=False, default="", allow_blank=True)
    fields = serializers.DictField(child=Text(most=500, allow_blank=True), required=False, default=dict)  # type: ignore[assignment]  # named as the wire names it
    issued_on = Day(required=False, allow_null=True, default=None)
    expires_on = Day(required=False, allow_null=True, default=None)
    evidence = some(DocumentIn, most=EVIDENCE_MAX, required=False, default=list)


class FilingIn(QuestionAnswerIn):
    """A credential to file; ``renews`` names the one whose place it takes."""

    type = Id("cty")
    renews = Id("crd", required=False, allow_null=True)


class StepOut(Out):
    """Something that happened to it. Who did it is told to verifiers alone."""

    act = serializers.CharField()
    note = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(allow_null=True)


class EvidenceOut(Out):
    """A document."""

    id = Id("evd")
    name = serializers.CharField()
    content_type = serializers.CharField()
    bytes = serializers.IntegerField()
    pages = serializers.IntegerField()
    filed_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True)


class LinksOut(EvidenceOut):
    """A document with links that open for you alone, for 60 seconds; each look is written down."""

    file = serializers.CharField()
    page_links = serializers.ListField(child=serializers.CharField())
    expires_in = serializers.IntegerField()


class DocumentsOut(Out):
    """The documents of a credential."""

    documents = LinksOut(many=True)


class CredentialOut(Out):
    """A credential, without what is sealed."""

    id = Id("crd")
    type = Id("cty")
    type_name = serializers.CharField()
    source = serializers.ChoiceField(Credential.Source.choices)  # type: ignore[assignment]  # named as the wire names it
    state = serializers.ChoiceField(Credential.State.choices)
    issuer = serializers.CharField()
    jurisdiction = serializers.CharField()
    issued_on = serializers.DateField(allow_null=True)
    expires_on = serializers.DateField(allow_null=True)
    renews = Id("crd", allow_null=True)
    reason = serializers.CharField(help_text="Of the last decision.")
    filed_at = serializers.DateTimeField()
    verified_at = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    opens = OpensOut(many=True, help_text="What it opens, or would once verified.")


class HandsOut(Out):
    """What verifiers are told beside it."""

    worker = Id("wrk")
    round = serializers.IntegerField()
    claimed = serializers.BooleanField(help_text="Somebody has it in hand.")
    claimed_by_you = serializers.BooleanField()
    claimed_until = serializers.DateTimeField(allow_null=True)
    approvals = serializers.IntegerField(help_text="Of this round.")
    approvals_needed = serializers.IntegerField()
    registry = serializers.CharField()
    registry_result = Anything(allow_null=True)
    doubles = serializers.IntegerField(help_text="Credentials of other people with the same number or document.")


class AppointmentOut(Out):
    """An interview or a portfolio review: when and where, and how it went."""

    scheduled_at = serializers.DateTimeField()
    place = serializers.CharField()
    scored_at = serializers.DateTimeField(allow_null=True)
    points = serializers.IntegerField(allow_null=True)
    passed = serializers.BooleanField(allow_null=True)
    note = serializers.CharField(help_text="What the assessor wrote to the worker.")


class CredentialDetailOut(CredentialOut):
    """A credential with what is sealed, its documents and its steps. ``review`` is for verifiers alone."""

    holder = serializers.CharField()
    number = serializers.CharField()
    fields = Anything()  # type: ignore[assignment]  # named as the wire names it
    evidence = EvidenceOut(many=True)
    appointments = AppointmentOut(many=True)
    steps = StepOut(many=True)
    review = HandsOut(allow_null=True)
