"""The audit as a page: who changed what, from what to what, found by organisation, subject, person and time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from marketplace.api import auditing, ids, policies
from marketplace.api.pagination import page
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import FieldsRefused, NotFound
from marketplace.web.organisations import for_users

PAGE = 50
_ACTION = {"insert": "added", "update": "changed", "delete": "removed"}
_VALUE_MAX = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One column: what it said before and says after; ``veiled``: it changed, and what it says is not told."""

    name: str
    before: str
    after: str
    veiled: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One change as the page shows it."""

    at: datetime
    actor: str
    impersonator: str
    action: str
    subject: str
    subject_id: str
    changes: list[Change]


@require_safe
@for_users
def audit(request: HttpRequest, principal: Principal) -> HttpResponse:
    """A page of the audit."""
    form = {name: str(value).strip() for name, value in request.GET.items() if str(value).strip()}
    faults: dict[str, str] = {}
    status = 200
    rows: list[Row] = []
    more = None
    rows_of_all = auditing.found(principal, {})  # who may read none is refused before their form is read
    try:
        asked = _asked(form, faults)
        if not faults:
            found = page(auditing.found(principal, asked) if asked else rows_of_all, _cursor(form), list)
            rows, more = [_row(one) for one in auditing.told(principal, found["results"])], found["next"]
    except FieldsRefused:
        faults["about"] = gettext("This is no id of anything in the audit.")
    except NotFound as refusal:
        status = problem_of(type(refusal)).status
        faults["form"] = gettext("There is nothing of yours under one of these ids.")
    if faults and status == 200:
        status = 400
    organisations = (
        policies.organisations_of(principal).filter(pk__in=principal.with_right("audit")).order_by("name", "pk")
    )
    context = {
        "rows": rows,
        "form": form,
        "faults": faults,
        "subjects": [(name, _subject(name)) for name in auditing.SUBJECTS],
        "actions": [(name, gettext(title)) for name, title in _ACTION.items()],
        "organisations": [(ids.public("org", one.pk), one.name) for one in organisations],
        "next": _next(request, more),
        "public": form.get("organisation", ""),
        "tabs": form.get("organisation") in {ids.public("org", one.pk) for one in organisations},
    }
    return render(request, "audit.html", context, status=status)


def _asked(form: dict[str, str], faults: dict[str, str]) -> dict[str, Any]:
    """The form as the API's query; days are whole days of UTC. Raises NotFound on an organisation's id that is none."""
    asked: dict[str, Any] = {name: form[name] for name in ("about", "actor") if name in form}
    if form.get("subject") in auditing.SUBJECTS:
        asked["subject"] = form["subject"]
    if form.get("action") in auditing.ACTIONS:
        asked["action"] = form["action"]
    if "organisation" in form:
        asked["organisation"] = ids.number("org", form["organisation"])
    for name, days in (("since", 0), ("until", 1)):
        if name in form:
            try:
                day = datetime.strptime(form[name], "%Y-%m-%d").replace(tzinfo=UTC)
                asked[name] = day + timedelta(days=days)
            except (ValueError, OverflowError):
                faults[name] = gettext("Write a day such as 2030-01-31.")
    return asked


def _cursor(form: dict[str, str]) -> dict[str, Any]:
    return {"limit": PAGE, **({"cursor": form["cursor"]} if "cursor" in form else {})}


def _next(request: HttpRequest, more: str | None) -> str:
    if more is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = more
    return "?" + query.urlencode()


def _row(told: dict[str, Any]) -> Row:
    return Row(
        at=told["at"],
        actor=told["actor"],
        impersonator=told["impersonator"],
        action=gettext(_ACTION[told["action"]]),
        subject=_subject(told["subject"]),
        subject_id=told["subject_id"] or "",
        changes=_changes(told["before"], told["after"]),
    )


def _subject(table: str) -> str:
    """``tasks_job`` as people say it."""
    words = {
        "accounts_apikey": "API key", "accounts_credentialtype": "credential type", "accounts_linkcase": "linked accounts",
        "accounts_personaldata": "private data", "accounts_personkey": "key of private data",
        "accounts_platformrole": "platform role", "accounts_spokenlanguage": "language", "accounts_user": "user",
        "qualification_goldset": "gold set", "qualification_golditem": "gold item",
        "qualification_credentialrule": "credential rule", "tasks_answerflag": "flag on an answer",
        "tasks_labelschema": "label schema", "tasks_qualityplan": "quality plan", "ledger_transfer": "transfer",
        "marketplace_organisationclient": "OAuth client of an organisation", "allauth_idp_oidc_client": "OAuth client",
        "mfa_authenticator": "second factor", "account_emailaddress": "email address",
        "socialaccount_socialaccount": "account elsewhere",
    }  # fmt: skip
    return gettext(words.get(table) or table.partition("_")[2])


def _changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[Change]:
    """The columns that differ, in the order they stand; of a new or removed row, those that say something."""
    old, new = before or {}, dict(after or {})
    veiled = new.pop("changed", []) if isinstance(new.get("changed"), list) else []
    found = []
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if name == "created_at":  # the row's own time, said at its head
            continue
        if was != now and not (was in _EMPTY and now in _EMPTY):
            found.append(Change(_column(name), _value(was), _value(now)))
    return [*found, *(Change(_column(name), "", "", veiled=True) for name in veiled)]


_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _column(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")


def _value(value: Any) -> str:
    if value in _EMPTY:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_MAX else text[:_VALUE_MAX] + "…"
