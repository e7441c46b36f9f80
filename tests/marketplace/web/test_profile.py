"""Pages about oneself, agreements in place at the desk, and an organisation's agreements and blocks."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import blocking, consenting, organising, people, profiling
from accounts.models import Block, Consent, Organisation, Terms, User, Worker
from accounts.queries import pseudonym_of
from marketplace.api import ids
from tasks.models import Assignment
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Worker:
    """A worker, signed in."""
    worker = build.a_worker("Ada")
    assert worker.user is not None
    client.force_login(worker.user)
    return worker


@pytest.fixture
def north(client: Client) -> Organisation:
    """An organisation whose owner is signed in."""
    owner = build.a_user("Owner")
    sign_in(client, owner)
    return build.an_organisation("North", owner=owner)


def page_of(organisation: Organisation) -> str:
    return f"/organisations/{ids.public('org', organisation.pk)}/workers"


def user_of(worker: Worker) -> User:
    assert worker.user is not None
    return worker.user


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    for path in ("/me", "/me/agreements", "/platform/workers", page_of(build.an_organisation())):
        assert client.get(path).headers["Location"].startswith("/accounts/login/?next=")


def test_a_profile_is_saved_and_shown_again(client: Client, ada: Worker) -> None:
    page = client.post(
        "/me",
        {"act": "profile", "country": "de", "time_zone": "Europe/Berlin", "education": "master", "device": "phone",
         "language": ["en", "", "pt-br"], "level": ["C1", "A1", "native"]},
        follow=True,
    )  # fmt: skip

    assert page.redirect_chain == [("/me", 302)]
    shown = page.content.decode()
    assert 'value="DE"' in shown
    assert 'value="pt-BR"' in shown
    assert '<option value="master" selected>' in shown
    assert profiling.languages_of(ada) == [("en", "C1"), ("pt-BR", "native")]


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(client: Client, ada: Worker) -> None:
    page = client.post("/me", {"act": "profile", "country": "XX", "language": ["klingon"], "level": ["B1"]})

    shown = page.content.decode()
    assert page.status_code == 400
    assert 'id="country-refused" role="alert">This is no country' in shown
    assert 'id="language-1-refused"' in shown
    assert 'value="klingon"' in shown
    assert 'value="XX"' in shown


def test_private_facts_are_saved_apart_and_seen_by_nobody_else(client: Client, ada: Worker) -> None:
    facts = {"act": "private", "legal_name": "Ada Byron", "birth_date": "1990-12-10", "address": "A\r\nB", "phone": ""}
    client.post("/me", facts)

    assert "Ada Byron" in client.get("/me").content.decode()
    wrong = client.post("/me", {**facts, "phone": "12"})
    assert (wrong.status_code, 'id="phone-refused"' in wrong.content.decode()) == (400, True)
    client.force_login(user_of(build.a_worker()))
    assert "Byron" not in client.get("/me").content.decode()


def test_who_is_no_worker_has_private_facts_and_no_profile(client: Client) -> None:
    client.force_login(build.a_user())

    page = client.get("/me").content.decode()

    assert "You are not a worker yet" in page
    assert 'name="legal_name"' in page
    assert client.post("/me", {"act": "profile", "country": "DE"}).status_code == 403
    assert client.get("/me/agreements").headers["Location"] == "/work/welcome"
    assert client.post("/me", {"act": "other"}).status_code == 404


def test_the_profile_tells_of_blocks_and_of_a_suspension(client: Client, ada: Worker) -> None:
    north = build.an_organisation("North")
    blocking.block_worker(ada, organisation=north, reason="Copied answers.", days=2, blocked_by=None)
    past = blocking.block_worker(
        ada, reason="Long ago.", days=1, blocked_by=None, at=timezone.now() - timedelta(days=9)
    )
    people.suspend_worker(ada, reason="Shared the account.", actor="system")

    page = client.get("/me").content.decode()

    assert "North keeps you from its jobs" in page
    assert "Copied answers." in page
    assert past.reason not in page
    assert "Shared the account." in page


def test_a_claim_refused_for_an_agreement_shows_it_in_place_and_agreeing_goes_on(client: Client, ada: Worker) -> None:
    job = build.a_live_job()
    build.some_tasks(job, 2)
    rules = consenting.publish_terms(kind="terms", title="Rules", text="Be <honest>.", published_by=None)
    nda = consenting.publish_terms(
        organisation=job.organisation, kind="nda", title="Silence", text="Hush.", published_by=None
    )
    named = {"job": ids.public("job", job.pk)}

    refused = client.post("/work/claim", named)
    page = refused.content.decode()
    assert refused.status_code == 403
    assert "Be &lt;honest&gt;." in page
    assert "Hush." in page
    assert f'name="terms" value="{ids.public("trm", nda.pk)}"' in page

    terms = [ids.public("trm", one.pk) for one in (rules, nda)]
    done = client.post("/work/agree", {**named, "terms": terms}, follow=True)

    assert Consent.objects.filter(worker=ada).count() == 2
    assert Assignment.objects.get().worker_id == ada.pk
    assert 'id="task"' in done.content.decode()


def test_agreeing_to_nothing_or_to_what_is_not_asked_is_refused(client: Client, ada: Worker) -> None:
    quiet = consenting.publish_terms(
        organisation=build.an_organisation(), kind="nda", title="No work here", text="T.", published_by=None
    )

    assert client.post("/work/agree", {}).status_code == 404
    assert client.post("/work/agree", {"terms": ids.public("trm", quiet.pk)}).status_code == 404
    assert client.post("/me/agreements", {"terms": "trm_nonsense"}).status_code == 404
    assert not Consent.objects.exists()


def test_where_nothing_is_free_the_desk_says_that_an_agreement_would_open_more(client: Client, ada: Worker) -> None:
    job = build.a_live_job()
    build.some_tasks(job, 1)
    consenting.publish_terms(organisation=job.organisation, kind="nda", title="Silence", text="T.", published_by=None)

    page = client.post("/work/claim").content.decode()

    assert "once you agree to their terms" in page
    assert "/me/agreements" in page


def test_a_blocked_worker_reads_why_at_the_desk(client: Client, ada: Worker) -> None:
    build.some_tasks(build.a_live_job(), 1)
    blocking.block_worker(ada, reason="Sold the account.", blocked_by=None)

    page = client.post("/work/claim")

    assert page.status_code == 403
    assert "Sold the account." in page.content.decode()


def test_a_task_that_was_taken_back_is_told_of_at_the_desk(client: Client, ada: Worker) -> None:
    [task] = build.some_tasks(build.a_live_job(name="Chests"), 1)
    lease = build.a_lease(task, worker=ada)
    Assignment.objects.filter(pk=lease.pk).update(
        state="expired", ended_at=timezone.now(), reason="The licence was revoked."
    )

    page = client.get("/work").content.decode()

    assert "A task of Chests was taken back" in page
    assert "The licence was revoked." in page


def test_agreements_are_read_given_and_kept(client: Client, ada: Worker) -> None:
    terms = consenting.publish_terms(kind="terms", title="Rules", text="Be honest.", published_by=None)
    assert "Be honest." in client.get("/me/agreements").content.decode()
    assert "There is a text to read" in client.get("/me").content.decode()

    client.post("/me/agreements", {"terms": ids.public("trm", terms.pk)})
    consenting.withdraw_terms(terms)

    page = client.get("/me/agreements").content.decode()
    assert "Nothing is asked of you at present." in page
    assert "no longer asked for" in page


def test_an_organisation_publishes_and_withdraws_its_agreement(client: Client, north: Organisation) -> None:
    here = page_of(north)

    page = client.post(here, {"act": "publish", "title": "Silence", "text": "Tell\r\nnobody."}, follow=True)
    assert page.redirect_chain == [(here, 302)]
    terms = Terms.objects.get()
    assert (terms.organisation, terms.kind, terms.text) == (north, "nda", "Tell\nnobody.")
    refused = client.post(here, {"act": "publish", "title": " ", "text": "T"})
    assert (refused.status_code, 'id="title-refused"' in refused.content.decode()) == (400, True)

    client.post(here, {"act": "withdraw", "terms": ids.public("trm", terms.pk)})

    terms.refresh_from_db()
    assert not terms.current


def test_an_organisation_blocks_by_pseudonym_or_answer_and_lifts(client: Client, north: Organisation) -> None:
    here = page_of(north)
    answer = build.an_answer(build.some_tasks(build.a_live_job(north), 1)[0])
    called = pseudonym_of(north, answer.worker_id)

    client.post(here, {"act": "block", "worker": ids.public("ans", answer.pk), "reason": "Copied.", "days": "3"})
    again = client.post(here, {"act": "block", "worker": called, "reason": "Again.", "days": ""})
    assert (again.status_code, "blocked here already" in again.content.decode()) == (409, True)
    assert called in client.get(here).content.decode()
    block = Block.objects.get()
    client.post(here, {"act": "lift", "block": ids.public("blk", block.pk), "reason": "A mistake."})

    block.refresh_from_db()
    assert block.lifted_reason == "A mistake."
    for worker, days, status in (("w_unknown", "", 400), ("wrk_1", "", 400), (called, "many", 400), (called, "0", 400)):
        told = client.post(here, {"act": "block", "worker": worker, "reason": "Why.", "days": days})
        assert told.status_code == status, (worker, days)


def test_only_who_may_write_jobs_sees_the_page_and_nobody_lifts_anothers_block(
    client: Client, north: Organisation
) -> None:
    worker = build.a_worker()
    block = blocking.block_worker(worker, organisation=build.an_organisation(), reason="Why.", blocked_by=None)
    assert client.post(page_of(north), {"act": "lift", "block": ids.public("blk", block.pk)}).status_code == 404
    assert client.post(page_of(north), {"act": "other"}).status_code == 404

    reviewer = build.a_user()
    organising.add_member(north, user=reviewer, role="reviewer")
    sign_in(client, reviewer)
    assert client.get(page_of(north)).status_code == 403
    sign_in(client, build.a_user())
    assert client.get(page_of(north)).status_code == 404
    assert client.get("/platform/workers").status_code == 403


def test_an_admin_governs_the_platform_on_a_page_of_the_same_form(client: Client) -> None:
    admin, worker = build.a_user(), build.a_worker()
    organising.give_platform_role(admin, "admin", given_by=None)
    sign_in(client, admin)
    here = "/platform/workers"

    client.post(here, {"act": "publish", "kind": "privacy", "title": "Privacy", "text": "Little."})
    client.post(here, {"act": "block", "worker": ids.public("wrk", worker.pk), "reason": "Sold it.", "days": ""})

    assert Terms.objects.get().organisation is None
    assert Block.objects.get().organisation is None
    assert ids.public("wrk", worker.pk) in client.get(here).content.decode()
    assert client.post(here, {"act": "block", "worker": "w_x", "reason": "Why.", "days": ""}).status_code == 400
