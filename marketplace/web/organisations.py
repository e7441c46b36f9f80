"""Pages of organisations: found one, see who belongs to it, invite, change roles, hand over, leave; and take an invitation.

Another door to the same acts as the API's. Every act is a form; what it refuses is shown on the page it was sent from.
A stranger who follows an invitation's link is shown the same page whatever the link says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import inviting, organising
from accounts.models import Membership, Organisation, User
from accounts.queries import MemberOf, organisations_of, role_in
from accounts.refusals import Refusal
from marketplace.api import ids, policies, throttling
from marketplace.api.auth import signed_in
from marketplace.api.invitations import invite
from marketplace.api.organisations import member_for, organisation_for
from marketplace.api.policies import Principal
from marketplace.api.problems import problem_of
from marketplace.api.refusals import NotAllowed, NotFound, SecondFactorNeeded
from marketplace.signon.assurance import way_to_factor
from tasks.labels.text import text_fault

NAME_MAX = 120
EXPLAINED = {
    Membership.Role.OWNER.value: gettext_lazy("does everything, members and money included"),
    Membership.Role.MANAGER.value: gettext_lazy("posts jobs, writes gold and exams, takes releases"),
    Membership.Role.REVIEWER.value: gettext_lazy("reads jobs and answers, and reviews answers"),
    Membership.Role.FINANCE.value: gettext_lazy("reads jobs, and moves money"),
}

type View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal as a page tells it; ``form`` is the form it is about, ``way`` where its remedy is."""

    title: str
    detail: str
    status: int
    form: str = ""
    way: str = ""
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mine:
    """One of the reader's organisations."""

    public: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member, as an owner sees them."""

    public: str
    name: str
    email: str
    role: str
    role_name: str
    me: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """One open invitation, as an owner sees it."""

    public: str
    email: str
    role_name: str
    invited_by: str
    expires_at: datetime


def for_users(view: View) -> View:
    """A page for somebody signed in, kept out of caches and within the API's limits; what is not theirs is not there."""

    @wraps(view)
    @never_cache
    def shown(request: HttpRequest, **parts: str) -> HttpResponse:
        principal = signed_in(request)
        if principal is None:
            back = request.get_full_path() if request.method == "GET" else resolve_url("organisations")
            return redirect_to_login(back)
        try:
            throttling.count("read" if request.method in {"GET", "HEAD"} else "write", principal.actor)
            return view(request, principal, **parts)
        except NotFound:
            raise Http404 from None
        except Refusal as refusal:
            told = _told(refusal, request)
            return render(request, "organisation/refused.html", {"refusal": told}, status=told.status)

    return shown


@require_safe
@for_users
def organisations(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The reader's organisations, and a form to found one."""
    return _list(request, principal)


@require_POST
@for_users
def found(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Found an organisation."""
    name = request.POST.get("name", "").strip()
    fault = text_fault(name, least=1, most=NAME_MAX, lines=False)
    if fault:
        return _list(request, principal, name=name, fault=gettext("This name %s.") % fault)
    with principal.acting():
        made = organising.found_organisation(policies.user_of(principal), name=name)
    messages.success(request, gettext("%s is founded, and you own it.") % made.name)
    return redirect("organisation", ids.public("org", made.pk))


@require_safe
@for_users
def organisation(request: HttpRequest, principal: Principal, organisation: str) -> HttpResponse:
    """Who belongs to an organisation, and who is invited; for others than owners, what they are in it."""
    return _page(request, principal, organisation_for(principal, organisation))


def _act(name: str, act: Callable[[HttpRequest, Principal, Organisation], str]) -> View:
    """The page's view of one form: do ``act``, say what it says, and go back; a refusal is shown beside the form."""

    @require_POST
    @for_users
    def acted(request: HttpRequest, principal: Principal, organisation: str) -> HttpResponse:
        it = organisation_for(principal, organisation)
        try:
            said = act(request, principal, it)
        except NotFound:
            raise
        except Refusal as refusal:
            return _page(request, principal, it, _told(refusal, request, name))
        messages.success(request, said)
        still = role_in(policies.user_of(principal), it.pk) is not None
        return redirect("organisation", organisation) if still else redirect("organisations")

    return acted


def _invite(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    principal.need("members", it.pk)
    email, role = request.POST.get("email", "").strip(), request.POST.get("role", "")
    invitation = invite(principal, it, email=email, role=role)
    return gettext("An invitation is on its way to %s.") % invitation.email


def _withdraw(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    principal.need("members", it.pk)
    number = ids.number("inv", request.POST.get("invitation", ""))
    one = policies.invitations_of(principal).filter(organisation=it, pk=number).first()
    if one is None:
        raise NotFound
    with principal.acting():
        inviting.withdraw_invitation(one)
    return gettext("The invitation to %s is taken back.") % one.email


def _change(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    principal.need("members", it.pk)
    member = _member(request.POST, principal, it)
    with principal.acting():
        changed = organising.change_role(
            it, user=member.user, role=request.POST.get("role", ""), given_by=policies.user_of(principal)
        )
    return gettext("%(who)s is %(role)s now.") % {"who": member.user, "role": changed.get_role_display().lower()}


def _remove(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    principal.need("members", it.pk)
    member = _member(request.POST, principal, it)
    with principal.acting():
        organising.remove_member(it, user=member.user, removed_by=policies.user_of(principal))
    return gettext("%s is a member no longer.") % member.user


def _transfer(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    principal.need("members", it.pk)
    heir = _member(request.POST, principal, it)
    with principal.acting():
        organising.transfer_ownership(it, owner=policies.user_of(principal), to=heir.user)
    return gettext("%s owns it now in your place; you are a manager.") % heir.user


def _leave(request: HttpRequest, principal: Principal, it: Organisation) -> str:
    with principal.acting():
        organising.leave_organisation(it, user=policies.user_of(principal))
    return gettext("You have left %s.") % it.name


send_invitation = _act("invite", _invite)
withdraw = _act("withdraw", _withdraw)
change = _act("role", _change)
remove = _act("remove", _remove)
transfer = _act("transfer", _transfer)
leave = _act("leave", _leave)


@require_safe
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What an invitation offers, to whoever has proved that its address is theirs; to strangers, how to go on."""
    principal = signed_in(request)
    if principal is None:
        return render(request, "organisation/invitation.html", {"here": request.get_full_path()})
    return _invitation(request, principal, token)


@require_POST
@for_users
def accept(request: HttpRequest, principal: Principal, token: str) -> HttpResponse:
    """Take an invitation."""
    user, addresses = policies.user_of(principal), policies.verified_addresses_of(principal)
    try:
        with principal.acting():
            member = inviting.accept_invitation(token, user=user, addresses=addresses)
    except Refusal as refusal:
        return _refused_invitation(request, principal, refusal)
    messages.success(request, gettext("You act for %s now.") % member.organisation.name)
    return redirect("organisation", ids.public("org", member.organisation_id))


def _invitation(request: HttpRequest, principal: Principal, token: str) -> HttpResponse:
    try:
        throttling.count("secret", principal.actor)
        offered = inviting.read_invitation(token, addresses=policies.verified_addresses_of(principal))
    except Refusal as refusal:
        return _refused_invitation(request, principal, refusal)
    offer = {"offered": offered, "token": token, "explained": EXPLAINED[offered.role]}
    return render(request, "organisation/invitation.html", offer)


def _refused_invitation(request: HttpRequest, principal: Principal, refusal: Refusal) -> HttpResponse:
    told = _told(refusal, request)
    about = {"refusal": told, "addresses": policies.verified_addresses_of(principal)}
    response = render(request, "organisation/invitation.html", about, status=told.status)
    # Django logs what is not found by its address, and this address holds a token that may still be good.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  Django's own mark
    return response


def _list(request: HttpRequest, principal: Principal, *, name: str = "", fault: str = "") -> HttpResponse:
    rows = [_mine(one) for one in organisations_of(policies.user_of(principal))]
    context = {"rows": rows, "name": name, "fault": fault}
    return render(request, "organisation/list.html", context, status=400 if fault else 200)


def _mine(one: MemberOf) -> Mine:
    return Mine(ids.public("org", one.organisation_id), one.name, str(Membership.Role(one.role).label).lower())


def _page(request: HttpRequest, principal: Principal, it: Organisation, refusal: Told | None = None) -> HttpResponse:
    user = policies.user_of(principal)
    role = role_in(user, it.pk)
    if role is None:
        raise NotFound
    manages, withheld = _manages(request, principal, it)
    rows = _members(principal, it, user) if manages else []
    context = {
        "organisation": it,
        "public": ids.public("org", it.pk),
        "role": role,
        "role_name": str(Membership.Role(role).label).lower(),
        "explained": EXPLAINED[role],
        "manages": manages,
        "members": rows,
        "heirs": [row for row in rows if not (row.me or row.closed)],
        "invitations": _invitations(it) if manages else [],
        "roles": [(value, label, EXPLAINED[value]) for value, label in Membership.Role.choices],
        "refusal": refusal or withheld,
        "said": request.POST if refusal else {},
    }
    return render(request, "organisation/page.html", context, status=refusal.status if refusal else 200)


def _manages(request: HttpRequest, principal: Principal, it: Organisation) -> tuple[bool, Told | None]:
    """Whether the reader manages its members; where only a second factor is missing, how to show it."""
    try:
        principal.need("members", it.pk)
    except SecondFactorNeeded as needed:
        return False, _told(needed, request)
    except NotAllowed:
        return False, None
    return True, None


def _members(principal: Principal, it: Organisation, reader: User) -> list[MemberRow]:
    rows = policies.members_of(principal).filter(organisation=it).order_by("user__name", "user__email")
    return [
        MemberRow(
            public=ids.public("mem", member.pk),
            name=member.user.name,
            email=member.user.email,
            role=member.role,
            role_name=member.get_role_display(),
            me=member.user_id == reader.pk,
            closed=not member.user.is_active,
        )
        for member in rows
    ]


def _invitations(it: Organisation) -> list[InvitationRow]:
    return [
        InvitationRow(
            public=ids.public("inv", sent.pk),
            email=sent.email,
            role_name=sent.get_role_display(),
            invited_by=str(sent.invited_by),
            expires_at=sent.expires_at,
        )
        for sent in inviting.pending_of(it).order_by("-pk")
    ]


def _member(form: QueryDict, principal: Principal, it: Organisation) -> Membership:
    return member_for(principal, it, ids.number("mem", form.get("member", "")))


def _told(refusal: Refusal, request: HttpRequest, form: str = "") -> Told:
    problem = problem_of(type(refusal))
    user = request.user
    way = ""
    if isinstance(refusal, SecondFactorNeeded) and isinstance(user, User):
        way = way_to_factor(user, request.get_full_path() if request.method == "GET" else resolve_url("organisations"))
    return Told(
        title=gettext(problem.title),
        detail=gettext(refusal.detail),
        status=problem.status,
        form=form,
        way=way,
        faults={fault.pointer.lstrip("/"): gettext("This %s.") % gettext(fault.detail) for fault in refusal.faults},
    )
