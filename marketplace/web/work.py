"""The desk: a worker takes a task, answers it or gives it back, and the next one comes.

Another door to the same acts as the API's. Every act is a form, so the page works without JavaScript; htmx only spares
the reload. What an act refuses is shown in place, in the words of its class and under the title and status that the
API's problem table gives it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.csp import CSP
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts import people
from accounts.audit import acting
from accounts.models import User, Worker
from accounts.queries import worker_of
from accounts.refusals import Refusal
from marketplace.api import covenants, ids, throttling
from marketplace.api.auth import signed_in
from marketplace.api.problems import problem_of
from marketplace.api.refusals import TooManyRequests
from marketplace.web import desks, profile
from marketplace.web.profile import Agreement
from tasks import claiming, queries, submitting
from tasks.models import Job

NAME_MAX = 120
ENDED_HOURS = 2
"""How long the desk says which tasks were taken back, and why."""
POLICY: dict[str, list[str]] = {**settings.SECURE_CSP, "img-src": [CSP.SELF, "data:", "https:"]}
"""Tasks may show pictures from anywhere that is https; nothing else is ever loaded from elsewhere."""
ANSWERING = (Job.State.LIVE, Job.State.PILOTING)

type View = Callable[[HttpRequest], HttpResponse]
type WorkersView = Callable[[HttpRequest, Worker], HttpResponse]


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal as the page tells it."""

    title: str
    detail: str
    faults: list[str]
    status: int
    soft: bool
    paused: bool
    asked: list[Agreement]
    more: bool
    unproved: bool
    wanted: list[str]


def for_workers(view: WorkersView) -> View:
    """A page of the desk: kept out of caches and within the API's limits; who is no worker yet is welcomed instead."""

    @wraps(view)
    @never_cache
    @csp_override(POLICY)
    def shown(request: HttpRequest) -> HttpResponse:
        worker = worker_of(request.user) if isinstance(request.user, User) else None
        if worker is not None:
            try:
                throttling.count("read" if request.method == "GET" else "write", f"user:{worker.user_id}")
            except TooManyRequests as refusal:
                return _desk(request, worker, None, refusal)
            return view(request, worker)
        if _by_htmx(request):
            return HttpResponseClientRedirect(resolve_url("welcome"))
        return redirect("welcome")

    return shown


@require_safe
@for_workers
def desk(request: HttpRequest, worker: Worker) -> HttpResponse:
    """The task in hand, or the way to the next."""
    try:
        job = _job(request.GET)
    except Refusal as refusal:
        return _desk(request, worker, None, refusal)
    return _desk(request, worker, job)


@require_POST
@for_workers
def claim(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Take the next task, unless one is in hand."""
    return _go_on(request, worker)


@require_POST
@for_workers
def submit(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Answer the task in hand and take the next."""
    form = request.POST
    try:
        submission = submitting.Submission(
            assignment_id=ids.number("asg", form.get("assignment", "")),
            label={"class": form.get("class", "")},
            seconds=_seconds(form.get("seconds", "")),
        )
        submitting.submit_answer(worker.pk, submission)
    except Refusal as refusal:
        return _desk(request, worker, None, refusal)
    return _go_on(request, worker)


@require_POST
@for_workers
def give_back(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Return the task in hand; the next is only taken when the worker asks, or it would be the same one again."""
    try:
        claiming.return_leases(worker.pk, [ids.number("asg", request.POST.get("assignment", ""))])
        job = _job(request.POST)
    except Refusal as refusal:
        return _desk(request, worker, None, refusal)
    return _done(request, worker, job)


@require_POST
@for_workers
def resume(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Come back from a break."""
    try:
        with acting(f"user:{worker.user_id}"):
            people.unpause_worker(worker)
    except Refusal as refusal:
        return _desk(request, worker, None, refusal)
    return _go_on(request, worker)


@require_POST
@for_workers
def agree(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Agree to what a claim was refused for, and go on."""
    try:
        principal = signed_in(request)
        assert principal is not None  # for_workers has seen to it
        profile.agree(principal, worker, request.POST.getlist("terms"))
    except Refusal as refusal:
        return _desk(request, worker, None, refusal)
    return _go_on(request, worker)


@require_safe
@never_cache
def welcome(request: HttpRequest) -> HttpResponse:
    """What working here is like, and how to start."""
    if not isinstance(request.user, User):
        return render(request, "welcome.html")
    if worker_of(request.user) is not None:
        return redirect("work")
    name = request.user.name or request.user.email.partition("@")[0]
    return render(request, "welcome.html", {"name": name})


@require_POST
@never_cache
def join(request: HttpRequest) -> HttpResponse:
    """Become a worker."""
    if not isinstance(request.user, User):
        return redirect("welcome")
    name = request.POST.get("name", "").strip()
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        refusal = gettext("A name has 1 to 120 letters, all of which can be seen.")
        return render(request, "welcome.html", {"name": name, "refusal": refusal}, status=400)
    try:
        with acting(f"user:{request.user.pk}"):
            people.register_worker(request.user, name=name)
    except people.AlreadyAWorker:
        pass  # sent twice: they are what they wanted to be
    return redirect("work")


def _go_on(request: HttpRequest, worker: Worker) -> HttpResponse:
    """Make sure that a task is in hand, where there is one to be had."""
    job = None
    try:
        job = _job(request.POST)
        if not desks.holds_a_task(worker.pk, at=timezone.now()):
            claiming.claim_tasks(worker.pk, job_id=None if job is None else job.pk)
    except Refusal as refusal:
        return _desk(request, worker, job, refusal)
    return _done(request, worker, job)


def _done(request: HttpRequest, worker: Worker, job: Job | None) -> HttpResponse:
    """The desk after an act: in place by htmx, else by a redirect, so that reloading repeats nothing."""
    if _by_htmx(request):
        return _desk(request, worker, job)
    query = "" if job is None else f"?job={ids.public('job', job.pk)}"
    return redirect(resolve_url("work") + query)


def _desk(request: HttpRequest, worker: Worker, job: Job | None, refusal: Refusal | None = None) -> HttpResponse:
    told = None if refusal is None else _told(refusal, worker, job)
    # A refusal that says why a task was taken back is not said twice.
    taken_back = isinstance(refusal, submitting.LeaseTakenBack)
    context = {
        "desk": desks.desk_of(worker.pk, job, at=timezone.now()),
        "refusal": told,
        "ended": [] if taken_back else queries.ended_lately(worker.pk, hours=ENDED_HOURS),
    }
    template = "work.html#desk" if _by_htmx(request) else "work.html"
    return render(request, template, context, status=200 if told is None else told.status)


def _told(refusal: Refusal, worker: Worker, job: Job | None) -> Told:
    problem = problem_of(type(refusal))
    return Told(
        title=gettext(problem.title),
        detail=gettext(refusal.detail),
        faults=[gettext(fault.detail) for fault in refusal.faults],
        status=problem.status,
        soft=isinstance(refusal, claiming.NothingToClaim),
        paused=isinstance(refusal, claiming.WorkerPaused),
        asked=[profile.as_asked(one) for one in refusal.terms] if isinstance(refusal, claiming.ConsentMissing) else [],
        more=isinstance(refusal, claiming.NothingToClaim) and covenants.asked_of(worker).exists(),
        unproved=isinstance(refusal, claiming.NothingToClaim | claiming.NotQualified),
        wanted=desks.wanted_of(job) if isinstance(refusal, claiming.NotQualified) and job is not None else [],
    )


def _job(form: QueryDict) -> Job | None:
    """The job that the worker came for; None for whatever suits best. Raises NotFound, JobNotOpen."""
    text = form.get("job", "")
    if not text:
        return None
    job = Job.objects.filter(pk=ids.number("job", text), state__in=ANSWERING).first()
    if job is None:
        raise claiming.JobNotOpen
    return job


def _seconds(text: str) -> float | None:
    """What the page measured. Without JavaScript it measures nothing, and a wrong clock is no reason to lose an answer."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= submitting.SECONDS_MAX else None


def _by_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"
