"""Every table of people, credentials, money and configuration is watched, and no secret and no person's data is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import connection

from accounts import models as people
from accounts.audit import acting
from accounts.ledger import drafts, posting
from accounts.ledger.money import Money
from accounts.models import AuditRow, Credential, CredentialType, Worker
from accounts.queries import audit_rows
from qualification.models import CredentialRule
from tasks.models import AnswerFlag
from tests import build

AT = datetime(2031, 5, 1, tzinfo=UTC)
CANARY = "Zebulon"


def a_credential(worker: Worker | None = None) -> Credential:
    return Credential.objects.create(
        worker=worker or build.a_worker(),
        type=CredentialType.objects.create(
            slug=f"licence-{CredentialType.objects.count()}", name="Licence", kind="licence"
        ),
        issuer=f"Board of {CANARY}",
        details=CANARY.encode(),
        number_digest=b"\x07" * 32,
        issued_on=date(2020, 1, 1),
    )


def an_invitation() -> object:
    return people.Invitation.objects.create(
        organisation=build.an_organisation(),
        email=f"{CANARY}@example.org",
        role="manager",
        digest=b"\x08" * 32,
        expires_at=AT,
    )


def a_text() -> people.Terms:
    return people.Terms.objects.create(kind="terms", version=1, title="Terms", text="Be careful.", current=False)


def an_evidence() -> object:
    return people.Evidence.objects.create(
        credential=a_credential(),
        path="a/b",
        name=CANARY,
        content_type="image/png",
        bytes=9,
        digest=b"\x09" * 32,
        round=1,
    )


def an_impersonation() -> object:
    supporter = build.a_user()
    people.PlatformRole.objects.create(user=supporter, role="support")
    now = datetime.now(UTC)
    return people.Impersonation.objects.create(
        supporter=supporter, target=build.a_user(), reason=CANARY, started_at=now, ends_at=now + timedelta(minutes=5)
    )


def a_block() -> object:
    worker = build.a_worker()
    return people.Block.objects.create(person_id=worker.pk, worker=worker, reason=CANARY)


def a_link_case() -> object:
    first, second = sorted((build.a_worker().pk, build.a_worker().pk))
    return people.LinkCase.objects.create(first_id=first, second_id=second, score=0.5)


def a_flag() -> object:
    answer = build.an_answer(build.some_tasks(build.a_live_job(), 1)[0])
    return AnswerFlag.objects.create(
        assignment=answer, job_id=answer.job_id, kind="credential_revoked", note=CANARY, flagged_at=AT
    )


def a_client() -> object:
    client = apps.get_model("allauth_idp_oidc", "Client")
    made = client.objects.create(name=CANARY, owner=build.a_user())
    organisation_client = apps.get_model("marketplace", "OrganisationClient")
    return organisation_client.objects.create(client=made, organisation=build.an_organisation())


def a_rule() -> object:
    return CredentialRule.objects.create(type=a_credential().type, domain=build.a_domain(), level=2)


def an_email_address() -> object:
    return apps.get_model("account", "EmailAddress").objects.create(user=build.a_user(), email=f"{CANARY}@example.net")


def a_second_factor() -> object:
    authenticator = apps.get_model("mfa", "Authenticator")
    return authenticator.objects.create(user=build.a_user(), type="totp", data={"secret": CANARY})


def a_social_account() -> object:
    account = apps.get_model("socialaccount", "SocialAccount")
    return account.objects.create(user=build.a_user(), provider="orcid", uid=CANARY, extra_data={"name": CANARY})


def a_profile() -> object:
    return people.Profile.objects.create(worker=build.a_worker(), time_zone=CANARY)


def a_restricted_job() -> object:
    return build.a_live_job(requirements=((build.a_domain().pk, 1),))


WATCHED: dict[str, tuple[str, Callable[[], object]]] = {
    "invitation_is_audited": ("accounts_invitation", an_invitation),
    "profile_is_audited": ("accounts_profile", a_profile),
    "language_is_audited": (
        "accounts_spokenlanguage",
        lambda: people.SpokenLanguage.objects.create(worker=build.a_worker(), language=CANARY, level="C1"),
    ),
    "person_key_is_audited": (
        "accounts_personkey",
        lambda: people.PersonKey.objects.create(user=build.a_user(), wrapped=CANARY.encode()),
    ),
    "personal_data_is_audited": (
        "accounts_personaldata",
        lambda: people.PersonalData.objects.create(user=build.a_user(), sealed=CANARY.encode()),
    ),
    "terms_are_audited": ("accounts_terms", a_text),
    "consent_is_audited": (
        "accounts_consent",
        lambda: people.Consent.objects.create(worker=build.a_worker(), terms=a_text()),
    ),
    "block_is_audited": ("accounts_block", a_block),
    "credential_type_is_audited": ("accounts_credentialtype", a_credential),
    "credential_is_audited": ("accounts_credential", a_credential),
    "evidence_is_audited": ("accounts_evidence", an_evidence),
    "assessment_is_audited": (
        "accounts_assessment",
        lambda: people.Assessment.objects.create(credential=a_credential(), scheduled_at=AT, place=CANARY),
    ),
    "link_case_is_audited": ("accounts_linkcase", a_link_case),
    "impersonation_is_audited": ("accounts_impersonation", an_impersonation),
    "domain_is_audited": ("qualification_domain", build.a_domain),
    "gold_set_is_audited": ("qualification_goldset", lambda: build.a_gold_set(published=False)),
    "credential_rule_is_audited": ("qualification_credentialrule", a_rule),
    "labelschema_is_audited": ("tasks_labelschema", build.a_draft_job),
    "guidelines_are_audited": ("tasks_guidelines", build.a_draft_job),
    "eligibility_is_audited": ("tasks_eligibility", build.a_draft_job),
    "requirement_is_audited": ("tasks_requirement", a_restricted_job),
    "plan_is_audited": ("tasks_qualityplan", build.a_draft_job),
    "answer_flag_is_audited": ("tasks_answerflag", a_flag),
    "organisation_client_is_audited": ("marketplace_organisationclient", a_client),
    "oauth_client_is_audited": ("allauth_idp_oidc_client", a_client),
    "second_factor_is_audited": ("mfa_authenticator", a_second_factor),
    "email_address_is_audited": ("account_emailaddress", an_email_address),
    "social_account_is_audited": ("socialaccount_socialaccount", a_social_account),
}

RECORDS_THEMSELVES = {
    "accounts_auditrow": "the audit",
    "accounts_credentialstep": "append-only, with actor and time",
    "accounts_evidenceview": "append-only, with viewer and time",
    "qualification_observation": "append-only evidence",
    "tasks_answer": "append-only evidence",
    "tasks_payload": "append-only, what the requester sent",
    "tasks_releasefile": "append-only, hashed in its release",
}
BOOKKEEPING = {
    "accounts_signal": "a keyed hash of what was seen; what is decided on it is a link case",
    "accounts_doomedfile": "a list of work to do",
    "marketplace_idempotencykey": "answers remembered",
    "qualification_attempt": "its result is a qualification and observations",
    "qualification_scopefit": "estimated from evidence",
    "qualification_skillfit": "estimated from evidence",
    "tasks_batch": "an import; its tasks are the record",
    "tasks_bucket": "how tasks are sorted",
    "tasks_consensus": "estimated from evidence",
    "tasks_routeepoch": "a counter",
    "tasks_task": "the line's own record",
    "tasks_workerbucket": "how tasks are sorted",
    "tasks_workerroute": "how tasks are sorted",
}


@pytest.mark.parametrize("trigger", WATCHED)
@pytest.mark.django_db
def test_each_table_is_watched_and_tells_no_secret(trigger: str) -> None:
    table, act = WATCHED[trigger]

    with acting("user:77", impersonator="user:9"):
        act()

    rows = audit_rows(actor="user:77", subject=table)
    assert [(row.action, row.impersonator) for row in rows[:1]] == [("insert", "user:9")]
    told = json.dumps(list(AuditRow.objects.values("before", "after")))
    for hidden in (CANARY, CANARY.encode().hex(), "\\\\x0707", "\\\\x0808", "\\\\x0909"):
        assert hidden not in told
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s", [trigger])
        assert cursor.fetchall() == [(table,)]


@pytest.mark.django_db
def test_an_approval_is_on_record_without_its_note() -> None:
    """approval_is_audited"""
    credential = a_credential()
    verifier = build.a_user()
    people.PlatformRole.objects.create(user=verifier, role="verifier")
    Credential.objects.filter(pk=credential.pk).update(state="in_review", claimed_by=verifier, claimed_until=AT)

    with acting(f"user:{verifier.pk}"):
        people.Approval.objects.create(credential=credential, round=1, verifier=verifier, note=CANARY)

    [row] = audit_rows(subject="accounts_approval")
    assert row.after is not None
    assert row.after["verifier_id"] == verifier.pk
    assert "note" not in row.after


@pytest.mark.django_db
def test_no_table_is_forgotten() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname LIKE 'audit\\_%%'"
        )
        watched = {name for (name,) in cursor.fetchall()}
    ours = {
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.app_label in {"accounts", "qualification", "tasks", "marketplace"}
    }

    assert ours - watched - set(RECORDS_THEMSELVES) - set(BOOKKEEPING) == set()
    assert (watched & set(RECORDS_THEMSELVES)) | (watched & set(BOOKKEEPING)) == set()


@pytest.mark.django_db
def test_what_is_veiled_is_named_when_it_changes_and_never_told() -> None:
    user = build.a_user("Zoe")
    worker = build.a_worker(user=user)

    type(user).objects.filter(pk=user.pk).update(password="pbkdf2$new", is_active=False)
    Worker.objects.filter(pk=worker.pk).update(name=CANARY)
    Worker.objects.filter(pk=worker.pk).update(standing_epoch=5)

    [changed] = audit_rows(subject="accounts_user", subject_id=user.pk).filter(action="update")
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before["is_active"], changed.after["is_active"]) == (True, False)
    assert changed.after["changed"] == ["password"]
    [renamed] = audit_rows(subject="accounts_worker", subject_id=worker.pk).filter(action="update")
    assert renamed.after is not None
    assert renamed.after["changed"] == ["name"]
    assert CANARY not in json.dumps([renamed.before, renamed.after])


@pytest.mark.django_db
def test_money_moved_is_on_record_in_the_name_of_who_moved_it_and_pay_for_answers_is_not() -> None:
    """transfer_is_audited"""
    organisation = build.an_organisation()

    build.money_for(organisation, 5 * build.UNIT)

    [row] = audit_rows(subject="ledger_transfer", organisation_id=organisation.pk)
    assert row.actor == "system"
    assert row.after is not None
    assert row.after["kind"] == "deposit"
    assert row.before is None


@pytest.mark.django_db
def test_paying_many_answers_leaves_no_row_for_each() -> None:
    organisation = build.an_organisation()
    build.money_for(organisation, 5 * build.UNIT)
    posting.post_many([drafts.fund_job(7, 1, organisation.pk, Money(build.UNIT, "USD"), actor="user:3")])
    posting.post_many([drafts.pay_answer(number, 7, 3, 10, 1, "USD") for number in (1, 2)])

    rows = audit_rows(subject="ledger_transfer")
    assert [(row.actor, (row.after or {})["kind"]) for row in rows] == [("user:3", "fund"), ("system", "deposit")]


@pytest.mark.django_db
def test_a_jobs_terms_are_on_record_under_its_organisation() -> None:
    """release_is_audited and gold_item_is_audited follow the same way."""
    domain = build.a_domain()
    job = build.a_live_job(requirements=((domain.pk, 2),))

    for table in ("tasks_requirement", "tasks_qualityplan", "tasks_guidelines"):
        [row] = audit_rows(subject=table)
        assert row.organisation_id == job.organisation_id
        assert "text" not in (row.after or {})


@pytest.mark.django_db
def test_a_change_of_gold_is_on_record_under_its_organisation() -> None:
    """gold_item_is_audited"""
    organisation = build.an_organisation()
    item = build.a_gold_item(build.a_gold_set(organisation=organisation))

    type(item).objects.filter(pk=item.pk).update(retired_at=AT)

    [row] = audit_rows(subject="qualification_golditem", subject_id=item.pk)
    assert (row.organisation_id, row.action) == (organisation.pk, "update")
    assert "payload" not in (row.after or {})


FORGED = {
    "write": ("SELECT audit_write('INSERT', 'x', 1, NULL, NULL, '{}'::jsonb, '{}'::text[], '{}'::text[], 'user:1')"),
    "attach": (
        "CREATE TEMP TABLE forged (id bigint);"
        " CREATE TRIGGER t AFTER INSERT ON forged FOR EACH ROW"
        " EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{}')"
    ),
    "attach the first one": (
        "CREATE TEMP TABLE forged (id bigint);"
        " CREATE TRIGGER t AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION audit_change('')"
    ),
}


@pytest.mark.parametrize("way", FORGED)
def test_the_app_role_cannot_forge_a_row(way: str, committed_db: str, app_connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(FORGED[way])
