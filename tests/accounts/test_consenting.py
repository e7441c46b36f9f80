"""Texts are published in versions that are never edited, and agreeing to one is evidence."""

from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts import consenting
from accounts.models import Consent, Organisation, Terms
from tests import build
from tests.guards import violates
from tests.races import at_once


def some_terms(organisation: Organisation | None = None, text: str = "Be honest.") -> Terms:
    """A text in force: the platform's, or an organisation's."""
    kind = "terms" if organisation is None else "nda"
    return consenting.publish_terms(organisation=organisation, kind=kind, title="Rules", text=text, published_by=None)


@pytest.mark.django_db
def test_a_new_version_takes_the_place_of_the_one_before() -> None:
    author = build.a_user()
    first = some_terms()

    second = consenting.publish_terms(kind="terms", title="Rules", text="Be kind too.", published_by=author)

    first.refresh_from_db()
    assert (first.version, first.current, second.version, second.current) == (1, False, 2, True)
    assert second.published_by == author


@pytest.mark.django_db
def test_the_platform_and_each_organisation_count_versions_of_their_own() -> None:
    north, south = build.an_organisation(), build.an_organisation()

    versions = [some_terms(one).version for one in (None, north, south, north)]

    assert versions == [1, 1, 1, 2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "pointer"),
    [({"kind": "nda"}, "/kind"), ({"title": " "}, "/title"), ({"title": "a\nb"}, "/title"), ({"text": ""}, "/text")],
)
def test_a_text_that_cannot_be_published_is_refused_by_field(said: dict[str, str], pointer: str) -> None:
    facts = {"kind": "terms", "title": "Rules", "text": "Be.", **said}

    with pytest.raises(consenting.TermsRefused) as refused:
        consenting.publish_terms(kind=facts["kind"], title=facts["title"], text=facts["text"], published_by=None)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert not Terms.objects.exists()


@pytest.mark.django_db
def test_what_is_missing_is_the_platforms_and_that_of_the_organisation_asked_about() -> None:
    worker, north, south = build.a_worker(), build.an_organisation(), build.an_organisation()
    rules, nda, _ = some_terms(), some_terms(north), some_terms(south)

    assert consenting.missing_of(worker) == [rules]
    assert set(consenting.missing_of(worker, north.pk)) == {rules, nda}

    consenting.give_consent(worker, rules)
    assert consenting.missing_of(worker, north.pk) == [nda]
    consenting.give_consent(worker, nda)
    assert consenting.missing_of(worker, north.pk) == []


@pytest.mark.django_db
def test_a_model_is_asked_for_nothing() -> None:
    some_terms()

    assert consenting.missing_of(build.a_model()) == []


@pytest.mark.django_db
def test_a_new_version_is_asked_for_again_and_a_withdrawn_one_no_more() -> None:
    worker, first = build.a_worker(), some_terms()
    consenting.give_consent(worker, first)

    second = some_terms(text="Be kind too.")
    assert consenting.missing_of(worker) == [second]

    consenting.withdraw_terms(second)
    assert consenting.missing_of(worker) == []


@pytest.mark.django_db
def test_agreeing_twice_keeps_the_first_time_and_raises_the_epoch_once() -> None:
    worker, terms = build.a_worker(), some_terms()

    first = consenting.give_consent(worker, terms)
    again = consenting.give_consent(worker, terms)

    worker.refresh_from_db()
    assert (first, worker.standing_epoch) == (again, 1)
    assert list(consenting.given_by(worker)) == [terms.pk]


@pytest.mark.django_db
def test_nobody_agrees_to_a_text_that_is_out_of_force() -> None:
    old = some_terms()
    some_terms(text="New.")

    with pytest.raises(consenting.TermsNotCurrent):
        consenting.give_consent(build.a_worker(), old)
    with pytest.raises(consenting.TermsNotCurrent):
        consenting.withdraw_terms(old)

    assert not Consent.objects.exists()


def test_of_two_who_publish_at_once_both_get_a_version(committed_db: str) -> None:
    told = at_once([some_terms] * 2)

    assert sorted(one.version for one in told if isinstance(one, Terms)) == [1, 2]
    assert Terms.objects.filter(current=True).count() == 1


@pytest.mark.django_db
def test_a_published_text_is_never_edited_removed_or_brought_back() -> None:
    terms = some_terms()

    for change in ({"text": "Other."}, {"title": "Other"}, {"kind": "privacy"}, {"version": 9}):
        with violates("published_terms_are_never_edited"):
            Terms.objects.filter(pk=terms.pk).update(**change)
    with violates("published_terms_are_kept"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_terms")
    consenting.withdraw_terms(terms)
    with violates("published_terms_are_never_edited"):
        Terms.objects.filter(pk=terms.pk).update(current=True)


@pytest.mark.django_db
def test_a_consent_is_evidence() -> None:
    terms = some_terms()
    consenting.give_consent(build.a_worker(), terms)

    with violates("consent_is_append_only"):
        Consent.objects.update(worker=build.a_worker())
    with violates("consent_is_append_only"):
        Consent.objects.all().delete()


@pytest.mark.django_db
def test_consents_are_never_emptied_at_once(owner_connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation) as refused:  # consent_is_never_emptied
        owner_connection.execute("TRUNCATE accounts_consent")

    assert refused.value.diag.constraint_name == "consent_is_append_only"


@pytest.mark.django_db
def test_the_database_keeps_versions_apart() -> None:
    terms, worker = some_terms(), build.a_worker()
    consenting.give_consent(worker, terms)

    with violates("one_text_a_version"):
        Terms.objects.create(kind="terms", version=1, title="R", text="T", current=False)
    with violates("one_current_text_a_kind"):
        Terms.objects.create(kind="terms", version=2, title="R", text="T")
    with violates("terms_kind_is_known"):
        Terms.objects.create(kind="oath", version=1, title="R", text="T")
    with violates("one_consent_a_version"):
        Consent.objects.create(worker=worker, terms=terms)
