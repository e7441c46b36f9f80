"""Two tenants with one of everything, and everybody who might knock.

What is private carries a word of its own, so that a leak can be seen in any answer: what belongs to tenant B, what names
the worker or the other worker, and what gold explains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from allauth.account.models import EmailAddress
from django.urls import reverse

from accounts import blocking, consenting, credentials, inviting, keys, organising, verifying
from accounts.models import Evidence, Membership, Organisation, User, Worker
from marketplace import clients
from marketplace.api import ids
from qualification import crediting, examining, gold
from qualification.models import Domain, Exam, GoldSet
from tasks import importing, judging, publishing, releasing, submitting
from tasks.formats.rows import parse_row
from tasks.models import Job, Task
from tests import build, canaries, papers
from tests.marketplace.api.client import Api

CANARY = canaries.TENANT
MINE, THEIRS = f"{canaries.PERSON}-1", f"{canaries.PERSON}-2"
"""What names the worker, and what names the other one: part of their names, addresses and papers."""
_DAY = 86_400


@dataclass(slots=True)
class Tenant:
    """Public ids of what one tenant has, by name; the same names on both sides."""

    ids: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.ids[name]


@dataclass(slots=True)
class Scene:
    """Tenants ``a`` and ``b``, what belongs to the worker (``mine``) and to another (``theirs``), and the callers."""

    a: Tenant
    b: Tenant
    mine: Tenant
    theirs: Tenant
    callers: dict[str, Api]
    emails: dict[str, str]


def a_scene() -> Scene:
    """Make all of it, through the acts."""
    subject = build.a_domain("subject")
    owner_a, owner_b = build.a_user("Owner A"), build.a_user("Owner B " + CANARY)
    organisation_a = organising.found_organisation(owner_a, name="Tenant A")
    organisation_b = organising.found_organisation(owner_b, name="Tenant B")
    worker, other, specialist = (build.a_worker(name) for name in (MINE, THEIRS, "Specialist"))
    a = _tenant(organisation_a, subject, "", other)
    b = _tenant(organisation_b, subject, CANARY + " ", other)
    for one in (worker, other, specialist):
        for terms in consenting.asked_for():
            consenting.give_consent(one, terms)
    mine = _of_worker(worker, a, subject)
    theirs = _of_worker(other, a, subject)
    build.a_qualification(specialist, subject, level=3)
    assert worker.user is not None
    _invite(a, organisation_a, owner_a, "invited@example.org")
    _invite(b, organisation_b, owner_b, "somebody@example.org")
    EmailAddress.objects.create(user=worker.user, email="invited@example.org", verified=True)
    callers = _people(owner_a, owner_b, organisation_a, worker, other, specialist)
    callers |= _keys(organisation_a, owner_a, worker)
    admin = User.objects.get(name="Admin")
    mine.ids |= _credentials(worker, admin)
    theirs.ids |= _credentials(other, admin)
    return Scene(a, b, mine, theirs, callers, {"nobody": build.a_user("Nobody").email})


def _tenant(organisation: Organisation, subject: Domain, private: str, answerer: Worker) -> Tenant:
    build.money_for(organisation, 10_000 * build.UNIT)
    slug = "b-only" if private else "a-only"
    own = gold.create_domain(path=slug, name=f"{private}own", organisation=organisation)
    definition = {**build.CLASSES, "question": f"{private}What is it?"}
    draft = _gold_set(organisation, subject, f"{private}draft", definition, [f"{private}gold"])
    ready = _gold_set(organisation, subject, f"{private}ready", definition, [f"{private}gold {n}" for n in range(4)])
    ready = gold.publish_gold_set(ready)
    exam = examining.create_exam(name=f"{private}exam", gold_set=ready, questions=2, organisation=organisation)
    found = Tenant(
        {
            "organisation": ids.public("org", organisation.pk),
            "domain": ids.public("dom", own.pk),
            "subject": ids.public("dom", subject.pk),
            "gold_draft": ids.public("gst", draft.pk),
            "gold": ids.public("gst", ready.pk),
            "exam": ids.public("exm", exam.pk),
        }
    )
    if private:
        examining.close_exam(exam)
        build.a_qualification(answerer, own, organisation=organisation)
    needs = ((own.pk, 1),) if private else ()
    found.ids |= _jobs(organisation, subject, private, definition, needs, answerer, ready)
    member = organising.add_member(organisation, user=build.a_user(f"{private}member"), role="finance")
    key, _ = keys.issue_key(organisation=organisation, name=f"{private}key", scopes=["jobs:read"])
    # Everybody here has agreed to its text; that it closes a claim is tested elsewhere.
    nda = consenting.publish_terms(
        organisation=organisation, kind="nda", title="Silence", text="Tell nobody.", published_by=None
    )
    blocked = build.a_worker()
    block = blocking.block_worker(blocked, organisation=organisation, reason=f"{private}Copied.", blocked_by=None)
    found.ids["terms"] = ids.public("trm", nda.pk)
    found.ids["block"] = ids.public("blk", block.pk)
    found.ids["member"] = ids.public("mem", member.pk)
    found.ids["key"] = ids.public("key", key.pk)
    maker = Membership.objects.get(organisation=organisation, role=Membership.Role.OWNER).user
    client, _ = clients.make_client(organisation, name=f"{private}client", scopes=["jobs:read"], created_by=maker)
    found.ids["client"] = ids.public("cli", client.pk)
    return found


def _gold_set(
    organisation: Organisation, subject: Domain, name: str, definition: dict[str, Any], texts: list[str]
) -> GoldSet:
    made = gold.create_gold_set(
        name=name, domain=subject, label_kind="categorical", label_definition=definition, organisation=organisation
    )
    accepted = [{"label": build.CAT}]
    items = [gold.NewGold({"text": text}, accepted, class_index=0, explanation=canaries.GOLD) for text in texts]
    gold.add_gold_items(made, items)
    return made


def _invite(tenant: Tenant, organisation: Organisation, owner: User, email: str) -> None:
    invitation, token = inviting.invite_member(organisation, email=email, role="finance", invited_by=owner)
    tenant.ids |= {"invitation": ids.public("inv", invitation.pk), "token": token}


def _jobs(
    organisation: Organisation,
    subject: Domain,
    private: str,
    definition: dict[str, Any],
    needs: tuple[tuple[int, int], ...],
    answerer: Worker,
    ready: GoldSet,
) -> dict[str, str]:
    def a_job(name: str, slots: int = 3) -> Job:
        return build.a_draft_job(
            organisation,
            domain=subject,
            name=name,
            slots=slots,
            guidelines=f"{private}Look closely.",
            label_definition=definition,
            requirements=needs,
            review_window_seconds=_DAY,
        )

    def published(job: Job) -> Job:
        return publishing.publish_job(job, actor="system")

    draft, live, paused, done = (
        a_job("draft"),
        published(a_job("live")),
        published(a_job("paused")),
        published(a_job("done", slots=1)),
    )
    publishing.pause_job(paused)
    _private_tasks(live, 12, private)
    [first, *_] = _private_tasks(done, 2, private)
    gold_task = build.gold_tasks(live, ready)[0]
    answer = build.an_answer(first, worker=answerer)
    judging.judge_waiting()
    release = releasing.seal_release(done, actor="system")
    batch = live.batches.order_by("pk")[0]
    # Of a job that workers were given tasks of.
    given = done if private else live
    assert given.schema_id is not None
    assert given.guidelines_id is not None
    return {
        "draft": ids.public("job", draft.pk),
        "live": ids.public("job", live.pk),
        "paused": ids.public("job", paused.pk),
        "done": ids.public("job", done.pk),
        "batch": ids.public("bat", batch.pk),
        "task": ids.public("tsk", first.pk),
        "gold_task": ids.public("tsk", gold_task.pk),
        "answer": ids.public("ans", answer.pk),
        "release": ids.public("rel", release.pk),
        "schema": ids.public("sch", given.schema_id),
        "guidelines": ids.public("gdl", given.guidelines_id),
    }


def _private_tasks(job: Job, count: int, private: str) -> list[Task]:
    rows = [parse_row(number, {"text": f"{private}item {number}"}) for number in range(1, count + 1)]
    batch = importing.add_tasks(job, rows, rng_seed=1)
    return list(Task.objects.filter(batch=batch).order_by("pk"))


def _of_worker(worker: Worker, tenant: Tenant, subject: Domain) -> Tenant:
    job = Job.objects.get(pk=ids.number("job", tenant["live"]))
    leased, answered = (build.a_lease(task, worker=worker) for task in _two_open(job))
    submitting.submit_answer(worker.pk, submitting.Submission(answered.pk, build.CAT))
    exam = Exam.objects.get(pk=ids.number("exm", tenant["exam"]))
    attempt = examining.start_attempt(exam, worker)
    qualification = build.a_qualification(worker, subject, level=2)
    key, _ = build.a_worker_key(worker)
    return Tenant(
        {
            "worker": ids.public("wrk", worker.pk),
            "leased": ids.public("asg", leased.pk),
            "answered": ids.public("asg", answered.pk),
            "answer": ids.public("ans", answered.pk),
            "attempt": ids.public("att", attempt.pk),
            "qualification": ids.public("qlf", qualification.pk),
            "key": ids.public("key", key.pk),
        }
    )


def _credentials(worker: Worker, admin: User) -> dict[str, str]:
    """A credential in each state that is acted on; the admin has one in hand."""
    types = [build.a_credential_type(registry="nppes", number_check="npi") for _ in range(5)]
    filing = credentials.Filing(issuer="Board", holder=worker.name, number="2000000002")
    papered = [credentials.Upload("a.png", papers.png())]
    filed, asked, in_review, verified = (
        credentials.file_credential(worker, kind, filing, evidence=papered if kind is types[0] else [])
        for kind in types[:4]
    )
    for one in (asked, in_review, verified):
        verifying.claim_review(one, verifier=admin)
    verifying.ask_for_more(asked, verifier=admin, reason="More.")
    crediting.approve_credential(verified, verifier=admin)
    made = {"filed": filed, "asked": asked, "in_review": in_review, "verified": verified}
    found = {f"credential_{name}": ids.public("crd", one.pk) for name, one in made.items()}
    [paper] = Evidence.objects.filter(credential=filed)
    return {
        **found,
        "credential_type": ids.public("cty", types[4].pk),
        "credential_slug": types[4].slug,
        "document": ids.public("evd", paper.pk),
    }


def _two_open(job: Job) -> list[Task]:
    tasks = Task.objects.filter(job=job, gold_item__isnull=True, is_open=True)
    return list(tasks.order_by("leased_count", "pk")[:2])


def _people(
    owner_a: User, owner_b: User, organisation_a: Organisation, worker: Worker, other: Worker, specialist: Worker
) -> dict[str, Api]:
    members = {}
    for role in (Membership.Role.MANAGER, Membership.Role.REVIEWER, Membership.Role.FINANCE):
        user = build.a_user(role.value)
        organising.add_member(organisation_a, user=user, role=role)
        members[f"{role.value}_a"] = Api(user=user)
    staff = {role: build.a_user(role.capitalize()) for role in ("admin", "treasurer", "verifier", "support")}
    for name, user in staff.items():
        organising.give_platform_role(user, name)
    one_factor = build.a_user("One factor")
    organising.add_member(organisation_a, user=one_factor, role="owner")
    looker = Api(user=staff["support"])
    response = looker.client.post(reverse("support_impersonate"), {"email": owner_a.email, "reason": "They called."})
    assert response.status_code == 302
    workers = {"worker": worker, "other_worker": other, "specialist": specialist}
    return {
        "anonymous": Api(),
        **{name: Api(user=one.user) for name, one in workers.items()},
        "owner_a": Api(user=owner_a),
        **members,
        "owner_b": Api(user=owner_b),
        **{name: Api(user=user) for name, user in staff.items()},
        "one_factor_a": Api(user=one_factor, second_factor=False),
        "looker": looker,
    }


def _keys(organisation: Organisation, owner: User, worker: Worker) -> dict[str, Api]:
    found = {
        f"key {scope}": Api(build.an_organisation_key(organisation, [scope], created_by=owner)[1])
        for scope in keys.ORGANISATION_SCOPES
    }
    revoked, secret = build.an_organisation_key(organisation, created_by=owner)
    keys.revoke_key(revoked)
    found["revoked key"] = Api(secret)
    found["worker key"] = Api(build.a_worker_key(worker)[1])
    found["model key"] = Api(build.a_worker_key(build.a_model())[1])
    return found
