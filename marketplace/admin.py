"""The administration's front: signing in, the sidebar by floors, and the line's key figures on its first page.

What each table shows is said on the floor it belongs to (``tasks/admin.py`` and its like).
"""

from collections.abc import Callable
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.csp import CSP
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.csp import csp_override
from unfold.sites import UnfoldAdminSite

from accounts.ledger.money import Money
from accounts.models import PlatformRole, User
from accounts.queries import roles_of
from marketplace.signon import assurance
from marketplace.web.line import balance
from tasks import queries

POLICY: dict[str, list[str]] = {
    **settings.SECURE_CSP,
    # Alpine, which the theme is written in, evaluates the expressions in its templates.
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}

FLOORS = (
    ("tasks", gettext_lazy("The line")),
    ("qualification", gettext_lazy("Qualification")),
    ("accounts", gettext_lazy("People")),
    ("ledger", gettext_lazy("Money")),
)

ICONS = {
    "Answer": "how_to_vote", "ApiKey": "key", "Assignment": "assignment_ind", "Attempt": "quiz", "AuditRow": "history",
    "Balance": "account_balance", "Batch": "inventory_2", "Books": "menu_book", "Bucket": "filter_list",
    "Consensus": "join_inner", "Credential": "license", "CredentialRule": "lock_open_right",
    "CredentialType": "category", "Domain": "account_tree", "Eligibility": "rule", "Exam": "school", "GoldItem": "verified",
    "GoldSet": "workspace_premium", "Guidelines": "description", "Hold": "lock_clock", "HoldResult": "lock_open",
    "Job": "work", "LabelSchema": "schema", "Leg": "swap_vert", "Membership": "badge", "Observation": "visibility",
    "Organisation": "domain", "Payload": "image", "PlatformRole": "admin_panel_settings", "Qualification": "military_tech",
    "QualityPlan": "tune", "Release": "deployed_code", "ReleaseFile": "draft", "Requirement": "checklist",
    "RouteEpoch": "update", "ScopeFit": "monitoring", "SkillFit": "query_stats", "Task": "task", "Transfer": "payments",
    "User": "person", "Worker": "engineering", "WorkerRoute": "route",
}  # fmt: skip


class Site(UnfoldAdminSite):  # type: ignore[misc]  # unfold ships no types
    """Django's admin in our colours, entered by the site's own sign-in page, with a policy that its theme can run under."""

    index_title = gettext_lazy("Key figures")

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Every page of the admin."""
        inside: Callable[..., Any] = super().admin_view(view, cacheable)
        return csp_override(POLICY)(inside)

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, in a session that has shown a second factor."""
        return bool(super().has_permission(request)) and assurance.assured(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The key figures; for who is here to verify and nothing else, the queue."""
        if _only_verifies(request):
            return redirect("admin:accounts_credential_changelist")
        response: HttpResponse = super().index(request, extra_context)
        return response

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Signing in is the site's own business: limits, second factors and all."""
        if isinstance(request.user, User) and request.user.is_staff and not assurance.assured(request):
            return redirect(assurance.way_to_factor(request.user, request.GET.get("next", reverse("admin:index"))))
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """A group for each floor, with the tables that this user may look at."""
    front: list[dict[str, Any]] = [
        {
            "title": "",
            "items": [
                {"title": gettext("Key figures"), "icon": "dashboard", "link": reverse("admin:index")},
                {"title": gettext("The line, live"), "icon": "conveyor_belt", "link": reverse("line"), "active": False},
            ],
        }
    ]
    groups = [] if _only_verifies(request) else front
    listed = {app["app_label"]: app["models"] for app in admin.site.get_app_list(request)}
    for label, title in FLOORS:
        items = [
            {
                "title": capfirst(str(model["name"])),
                "icon": ICONS.get(model["object_name"], "table"),
                "link": model["admin_url"],
            }
            for model in listed.get(label, [])
            if model["admin_url"]
        ]
        if items:
            groups.append({"title": str(title), "separator": True, "collapsible": True, "items": items})
    return groups


def _only_verifies(request: HttpRequest) -> bool:
    user = request.user
    return isinstance(user, User) and not user.is_superuser and PlatformRole.Role.VERIFIER in roles_of(user)


def dashboard(_request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The line's key figures."""
    line, books = queries.line_state(), balance()
    context["figures"] = [
        (gettext("Tasks open"), line.tasks_open, "inbox"),
        (gettext("Tasks waiting to be judged"), line.tasks_waiting, "hourglass_top"),
        (gettext("Tasks resolved"), line.tasks_resolved, "check_circle"),
        (gettext("Tasks contested"), line.tasks_contested, "help"),
        (gettext("Answers"), line.answers_total, "how_to_vote"),
        (gettext("Answers in the last minute"), line.answers_per_minute[-1], "speed"),
    ]
    context["jobs"] = {
        "headers": [
            gettext("Job"),
            gettext("State"),
            gettext("Judged"),
            gettext("Answers"),
            gettext("Spent"),
            gettext("In escrow"),
            gettext("Right on gold"),
        ],
        "rows": [_row(job) for job in line.jobs[:20]],
    }
    context["books"] = books
    return context


def _row(job: queries.JobLine) -> list[str]:
    accuracy = "–" if job.accuracy_on_gold is None else f"{100 * job.accuracy_on_gold:.1f} %"
    return [
        job.name,
        job.state,
        f"{job.resolved + job.contested:,} / {job.tasks:,}",
        f"{job.answers:,}",
        str(Money(job.paid_micros + job.fee_micros, job.currency)),
        str(Money(job.escrow_micros, job.currency)),
        accuracy,
    ]
