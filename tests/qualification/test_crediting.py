"""What a credential opens: by which rules, from when, for how long, and beside what else is held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from accounts import assessing, credentials, verifying
from accounts.models import Credential, CredentialType, Worker
from accounts.queries import instant
from accounts.refusals import Refusal
from qualification import crediting, granting
from qualification.models import CredentialRule, Domain, Qualification
from qualification.queries import opened_by, rests_on, rules_for, rules_for_all, standings
from tests import build
from tests.guards import violates
from tests.races import at_once, waits_for

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_rule(
    type_: CredentialType | None = None,
    domain: Domain | None = None,
    *,
    level: int = 3,
    jurisdictions: tuple[str, ...] = (),
) -> CredentialRule:
    """A rule that somebody set."""
    return crediting.set_rule(
        type_ or build.a_credential_type(),
        domain or build.a_domain(),
        level=level,
        jurisdictions=jurisdictions,
        actor="user:1",
    )


@pytest.mark.django_db
def test_the_last_approval_needed_grants_what_the_rules_say_and_no_earlier_one() -> None:
    rule = a_rule(build.a_credential_type(verifiers_needed=2))
    worker, first, second = build.a_worker(), build.a_verifier(), build.a_verifier()
    once = build.a_verified_credential(worker, rule.type, verifier=first)
    assert (once.state, standings(worker.pk)) == ("filed", {})

    verifying.claim_review(once, verifier=second)
    verified = crediting.approve_credential(once, verifier=second)

    granted = Qualification.objects.get(worker=worker)
    assert verified.state == "verified"
    assert standings(worker.pk) == {rule.domain_id: 3}
    assert (granted.source, granted.credential_id, granted.granted_by) == ("credential", verified.pk, second)
    assert Worker.objects.get(pk=worker.pk).standing_epoch == 1


@pytest.mark.parametrize(("points", "state"), [(4, "verified"), (2, "refused")])
@pytest.mark.django_db
def test_an_interview_that_is_passed_opens_what_its_type_opens(points: int, state: str) -> None:
    rubric = [{"name": "depth", "title": "Depth", "most": 5}]
    rule = a_rule(build.a_credential_type(kind="interview", rubric=rubric, pass_points=3))
    assessor, filing = build.a_verifier(), credentials.Filing(holder="Rosa Ray")
    filed = credentials.file_credential(build.a_worker(), rule.type, filing, evidence=[])
    assessing.schedule_assessment(filed, assessor=assessor, scheduled_at=instant(None) + DAY)

    scored = crediting.pass_assessment(filed, assessor=assessor, scores={"depth": points}, note="Knew their anatomy.")

    assert scored.state == state
    assert standings(scored.worker_id) == ({rule.domain_id: 3} if points == 4 else {})


@pytest.mark.django_db
def test_what_is_granted_lasts_as_long_as_the_credential() -> None:
    rule = a_rule(build.a_credential_type(valid_days=30))

    credential = build.a_verified_credential(type=rule.type, at=START)

    [opened] = rests_on(credential.pk, at=START + DAY)
    assert opened.expires_at == credential.valid_until == START + 30 * DAY
    assert (opened.domain, opened.level, opened.stands) == (rule.domain.path, 3, True)
    [later] = rests_on(credential.pk, at=START + 30 * DAY)
    assert not later.stands
    assert standings(credential.worker_id, at=START + 30 * DAY) == {}


@pytest.mark.parametrize(
    ("named", "jurisdiction", "opens"),
    [
        ((), "", True),
        ((), "DE", True),
        (("DE", "AT"), "AT", True),
        (("DE", "AT"), "CH", False),
        (("DE",), "", False),
        (("US",), "US-CA", True),
        (("US-CA",), "US-CA", True),
        (("US-CA",), "US-NY", False),
        (("US-CA",), "US", False),
    ],
)
@pytest.mark.django_db
def test_a_rule_opens_for_the_jurisdictions_it_names_and_their_parts(
    named: tuple[str, ...], jurisdiction: str, opens: bool
) -> None:
    rule = a_rule(jurisdictions=named)

    credential = build.a_verified_credential(type=rule.type, jurisdiction=jurisdiction)

    told = [(rule.domain.path, 3)] if opens else []
    assert opened_by(rule.type_id, jurisdiction) == told
    assert [(one.domain, one.level) for one in rests_on(credential.pk)] == told


@pytest.mark.django_db
def test_a_credential_opens_every_domain_of_its_type_and_none_of_another() -> None:
    type_ = build.a_credential_type()
    for path, level in (("medicine/radiology", 4), ("medicine", 2)):
        a_rule(
            type_, build.a_domain(path) if path == "medicine/radiology" else Domain.objects.get(path=path), level=level
        )
    a_rule(level=5)

    assert opened_by(type_.pk, "") == [("medicine", 2), ("medicine/radiology", 4)]
    assert len(rests_on(build.a_verified_credential(type=type_).pk)) == 2


@pytest.mark.django_db
def test_a_credential_stands_beside_an_exam_and_neither_replaces_the_other() -> None:
    rule = a_rule(level=2)
    held = build.a_qualification(domain=rule.domain, level=4)

    credential = build.a_verified_credential(held.worker, rule.type)

    held.refresh_from_db()
    assert held.revoked_at is None
    assert standings(held.worker_id) == {rule.domain_id: 4}
    granting.revoke_qualification(held, reason="Too long ago.", actor="user:1")
    assert standings(held.worker_id) == {rule.domain_id: 2}
    build.a_qualification(held.worker, rule.domain, level=1)
    assert [one.stands for one in rests_on(credential.pk)] == [True]


@pytest.mark.django_db
def test_a_renewal_opens_the_domain_anew_and_the_first_one_runs_out_by_itself() -> None:
    rule = a_rule(build.a_credential_type(valid_days=30))
    worker = build.a_worker()
    first = build.a_verified_credential(worker, rule.type, at=START)
    second = build.a_verified_credential(worker, rule.type, at=START + 20 * DAY)

    assert [one.stands for one in rests_on(first.pk, at=START + 25 * DAY)] == [True]
    assert standings(worker.pk, at=START + 40 * DAY) == {rule.domain_id: 3}
    assert [one.expires_at for one in rests_on(second.pk)] == [START + 50 * DAY]


@pytest.mark.django_db
def test_setting_a_rule_again_changes_it_and_what_was_granted_stays() -> None:
    rule = a_rule(level=2)
    credential = build.a_verified_credential(type=rule.type)

    changed = a_rule(rule.type, rule.domain, level=5, jurisdictions=("SE", "NO", "SE"))

    assert (changed.pk, changed.level, changed.jurisdictions) == (rule.pk, 5, ["NO", "SE"])
    assert [one.level for one in rests_on(credential.pk)] == [2]
    crediting.remove_rule(rule.type, rule.domain, actor="user:1")
    assert opened_by(rule.type_id, "SE") == []
    assert [one.stands for one in rests_on(credential.pk)] == [True]
    with pytest.raises(crediting.NoSuchRule):
        crediting.remove_rule(rule.type, rule.domain, actor="user:1")


@pytest.mark.django_db
def test_a_rule_that_cannot_be_is_refused_by_field() -> None:
    with pytest.raises(granting.LevelOutOfBand):
        a_rule(level=6)
    with pytest.raises(crediting.RuleRefused) as refused:
        a_rule(jurisdictions=("DE", "Germany"))
    assert [fault.pointer for fault in refused.value.faults] == ["/jurisdictions/1"]
    with pytest.raises(crediting.RuleRefused) as refused:
        a_rule(domain=build.a_domain(organisation=build.an_organisation()))
    assert [fault.pointer for fault in refused.value.faults] == ["/domain"]
    assert CredentialRule.objects.count() == 0


@pytest.mark.django_db
def test_where_the_grant_fails_the_credential_is_not_verified() -> None:
    rule = a_rule()
    filed = build.a_verified_credential(type=build.a_credential_type(verifiers_needed=2))
    CredentialRule.objects.filter(pk=rule.pk).update(type=filed.type)
    Domain.objects.filter(pk=rule.domain_id).update(organisation=build.an_organisation())
    second = build.a_verifier()
    verifying.claim_review(filed, verifier=second)

    with pytest.raises(granting.DomainNotOfOrganisation):
        crediting.approve_credential(filed, verifier=second)

    assert Credential.objects.get(pk=filed.pk).state == "in_review"


@pytest.mark.django_db
def test_the_database_keeps_rules_and_grants_as_they_must_be() -> None:
    rule = a_rule()
    for guard, broken in (
        ("one_rule_a_type_and_domain", {"type": rule.type, "domain": rule.domain, "level": 1}),
        ("rule_level_in_band", {"type": rule.type, "domain": build.a_domain(), "level": 6}),
    ):
        with violates(guard):
            CredentialRule.objects.create(**broken)
    credential = build.a_verified_credential(type=rule.type)
    one = {"worker": credential.worker, "domain": rule.domain, "level": 1, "granted_at": instant(None)}
    with violates("a_credential_stands_behind_its_qualification"):
        Qualification.objects.create(**one, source="credential")
    with violates("a_credential_stands_behind_its_qualification"):
        Qualification.objects.create(**one, source="exam", credential=credential)
    with violates("one_standing_a_domain"):
        Qualification.objects.create(**one, source="credential", credential=credential)


def test_of_two_who_approve_at_once_with_one_needed_one_is_refused_and_the_grant_is_made_once(
    committed_db: str,
) -> None:
    rule = a_rule()
    filed = build.a_verified_credential(type=build.a_credential_type(verifiers_needed=2))
    CredentialType.objects.filter(pk=filed.type_id).update(verifiers_needed=1)
    crediting.set_rule(filed.type, rule.domain, level=3, actor="user:1")
    second = build.a_verifier()
    verifying.claim_review(filed, verifier=second)

    came = at_once([partial(crediting.approve_credential, filed, verifier=second)] * 2)

    assert sorted(isinstance(one, Refusal) for one in came) == [False, True]
    assert Qualification.objects.filter(credential=filed).count() == 1


@pytest.mark.parametrize("by", ["its papers", "an assessment"])
def test_a_decision_takes_the_worker_before_the_credential_as_a_revocation_does(
    committed_db: str, owner_connection: psycopg.Connection[Any], by: str
) -> None:
    verifier = build.a_verifier()
    act: Callable[[], Credential]
    if by == "its papers":
        held = build.a_credential()
        verifying.claim_review(held, verifier=verifier)
        act = partial(crediting.approve_credential, held, verifier=verifier)
    else:
        rubric = [{"name": "depth", "title": "Depth", "most": 5}]
        held = build.a_credential(type_=build.a_credential_type(kind="interview", rubric=rubric, pass_points=3))
        assessing.schedule_assessment(held, assessor=verifier, scheduled_at=instant(None) + DAY)
        act = partial(crediting.pass_assessment, held, assessor=verifier, scores={"depth": 5}, note="Good.")

    came = waits_for(
        owner_connection,
        "SELECT FROM accounts_worker WHERE id = %s FOR NO KEY UPDATE",
        [held.worker_id],
        act,
        meanwhile=partial(
            owner_connection.execute, "SELECT FROM accounts_credential WHERE id = %s FOR UPDATE NOWAIT", [held.pk]
        ),
    )

    assert came.state == "verified"


@pytest.mark.django_db
def test_what_many_credentials_open_is_asked_once_and_as_for_each(django_assert_num_queries: Any) -> None:
    types = [build.a_credential_type() for _ in range(3)]
    for kind, jurisdictions in zip(types, [(), ("US",), ("DE", "US-CA")], strict=True):
        crediting.set_rule(kind, build.a_domain(), level=2, jurisdictions=jurisdictions, actor="user:7")
    held = [(kind.pk, place) for kind in types for place in ("", "US", "US-CA", "DE", "FR")]

    with django_assert_num_queries(1):
        found = rules_for_all(held)

    assert found == {one: rules_for(*one) for one in held}
    opened = [bool(found[one]) for one in held]
    assert opened == [True] * 5 + [False, True, True, False, False] + [False, False, True, True, False]
