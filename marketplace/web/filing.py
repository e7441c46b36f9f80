"""The form by which a credential is filed, answered or renewed: its fields are those that the type asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext, gettext_lazy

from accounts.credentials import Filing, Upload
from accounts.documents import ASSESSED
from accounts.models import CredentialType
from accounts.refusals import Refusal
from accounts.uploads import BYTES_MAX

EXTRA = "extra-"
"""What the names of a type's further fields begin with here, so that none can pass for one of ours."""
ON_PAPER = ("issuer", "holder", "number", "issued_on", "expires_on")
"""What stands on a document; an interview or a portfolio has none of it."""
ACCEPTED = ".pdf,.png,.jpg,.jpeg"


class _Several(forms.ClearableFileInput):
    """An input that takes several files."""

    allow_multiple_selected = True


class Documents(forms.FileField):
    """Any number of files. What is in them is the act's to judge."""

    widget = _Several(attrs={"accept": ACCEPTED})

    def clean(self, data: Any, initial: Any = None) -> Any:
        """The files that were sent, as a list."""
        sent = data if isinstance(data, list | tuple) else [data] if data else []
        if not sent and self.required:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return [super(Documents, self).clean(each, initial) for each in sent]


class FilingForm(forms.Form):
    """What is asked for to prove one type of credential; no document is needed where some are kept (``has_documents``)."""

    issuer = forms.CharField(
        max_length=200, label=gettext_lazy("Issued by"), help_text=gettext_lazy("As the document names it.")
    )
    holder = forms.CharField(
        max_length=200,
        label=gettext_lazy("Your name on the document"),
        help_text=gettext_lazy("Sealed: only you and the verifiers can read it."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    number = forms.CharField(max_length=100, required=False, label=gettext_lazy("Number"))
    issued_on = forms.DateField(
        required=False, label=gettext_lazy("Issued on"), widget=forms.DateInput(attrs={"type": "date"})
    )
    expires_on = forms.DateField(
        required=False,
        label=gettext_lazy("Expires on"),
        help_text=gettext_lazy("Leave empty where it does not expire."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(
        self,
        kind: CredentialType,
        data: Any = None,
        files: Any = None,
        *,
        initial: dict[str, Any] | None = None,
        has_documents: bool = False,
    ) -> None:
        super().__init__(data, files, initial=initial, label_suffix="")
        self.kind = kind
        self.fields["number"].required = kind.number_required
        if kind.number_check != CredentialType.NumberCheck.NONE:
            self.fields["number"].help_text = gettext("Its check digits are checked.")
        self._ask_jurisdiction()
        if kind.kind in ASSESSED:
            for name in ON_PAPER:
                del self.fields[name]
        for asked in kind.fields:
            self.fields[EXTRA + asked["name"]] = forms.CharField(
                max_length=500, required=bool(asked.get("required")), label=asked.get("title") or asked["name"]
            )
        self.fields["documents"] = Documents(
            required=kind.evidence_required and not has_documents,
            label=gettext("Documents"),
            help_text=gettext("PDF, PNG or JPEG, up to %(size)d MiB each. Choose them again if this page comes back.")
            % {"size": BYTES_MAX // 1024**2},
        )
        for name, field in self.fields.items():
            field.error_messages["required"] = (
                gettext("Choose at least one document.")
                if name == "documents"
                else gettext("Fill this in: %(label)s.") % {"label": field.label}
            )
            if not field.required:
                field.label = gettext("%(label)s (optional)") % {"label": field.label}
            field.widget.attrs["id"] = f"filing-{name}"

    def filing(self) -> Filing:
        """What was filled in, as the act takes it; only once the form is valid."""
        said = self.cleaned_data
        return Filing(
            jurisdiction=said["jurisdiction"],
            fields={
                name.removeprefix(EXTRA): value
                for name, value in said.items()
                if name.startswith(EXTRA) and value != ""
            },
            **{name: said[name] for name in ON_PAPER if name in said},
        )

    def uploads(self) -> list[Upload]:
        """The documents, read."""
        files = cast("Sequence[UploadedFile[bytes]]", self.cleaned_data["documents"])
        return [Upload(file.name or "", file.read()) for file in files]

    def show(self, refusal: Refusal) -> bool:
        """Put each fault of the act beside its field; False where it names none, and has to be told by itself."""
        for fault in refusal.faults:
            parts = fault.pointer.strip("/").split("/")
            name = {"evidence": "documents", "fields": EXTRA + parts[-1]}.get(parts[0], parts[0])
            told = gettext(fault.detail)
            if name == "documents" and len(parts) > 1 and parts[1].isdigit():
                told = gettext("Document %(number)d: %(fault)s") % {"number": int(parts[1]) + 1, "fault": told}
            self.add_error(name if name in self.fields else None, told[:1].upper() + told[1:])
        return bool(refusal.faults)

    def _ask_jurisdiction(self) -> None:
        known = self.kind.jurisdictions
        label = gettext_lazy("Jurisdiction")
        if known:
            choices = [(code, code) for code in known]
            asked: forms.Field = forms.ChoiceField(
                label=label, choices=choices if len(known) == 1 else [("", gettext("Choose…")), *choices]
            )
        else:
            asked = forms.CharField(
                max_length=8,
                required=False,
                label=label,
                help_text=gettext_lazy("Where it holds: a country such as DE, or a state such as US-NY."),
            )
        self.fields["jurisdiction"] = asked
        self.order_fields(["issuer", "jurisdiction", "holder", "number", "issued_on", "expires_on"])
