"""Profiles are checked field by field, and private facts are sealed under their person's key."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from accounts import profiling, sealing, vault
from accounts.models import PersonalData, PersonKey, Profile, SpokenLanguage
from accounts.refusals import Refusal
from tests import build
from tests.guards import violates
from tests.races import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTS = {
    "legal_name": "Ada Byron",
    "birth_date": "1990-12-10",
    "address": "12 St James's Square\nLondon",
    "phone": "+44 20 7946 0958",
}


def faults_of(refusal: pytest.ExceptionInfo[Refusal]) -> list[str]:
    return [fault.pointer for fault in refusal.value.faults]


@pytest.mark.django_db
def test_a_profile_is_kept_whole_and_written_properly() -> None:
    worker = build.a_worker()

    profiling.save_profile(
        worker,
        country="de",
        time_zone="Europe/Berlin",
        education="master",
        device="computer",
        languages=[("PT-br", "C1"), ("zh-hant-TW", "native"), ("de", "B2")],
        at=NOW,
    )

    profile = profiling.profile_of(worker)
    assert (profile.country, profile.time_zone, profile.education, profile.device, profile.changed_at) == (
        "DE",
        "Europe/Berlin",
        "master",
        "computer",
        NOW,
    )
    assert profiling.languages_of(worker) == [("de", "B2"), ("pt-BR", "C1"), ("zh-Hant-TW", "native")]


@pytest.mark.django_db
def test_saving_again_replaces_all_of_it() -> None:
    worker = build.a_worker()
    profiling.save_profile(worker, country="FR", languages=[("fr", "native")])

    profiling.save_profile(worker, device="phone")

    assert profiling.profile_of(worker).country == ""
    assert profiling.languages_of(worker) == []


@pytest.mark.django_db
def test_who_wrote_no_profile_has_an_empty_one_that_is_not_stored() -> None:
    worker = build.a_worker()

    assert profiling.profile_of(worker).country == ""
    assert not Profile.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "pointers"),
    [
        ({"country": "XX"}, ["/country"]),
        ({"country": "Germany"}, ["/country"]),
        ({"time_zone": "Berlin"}, ["/time_zone"]),
        ({"time_zone": "../etc/passwd"}, ["/time_zone"]),
        ({"education": "wizard"}, ["/education"]),
        ({"device": "abacus"}, ["/device"]),
        ({"languages": [("english", "B1")]}, ["/languages/0/language"]),
        ({"languages": [("xx", "B1")]}, ["/languages/0/language"]),
        ({"languages": [("en-XX", "B1")]}, ["/languages/0/language"]),
        ({"languages": [("en", "fluent")]}, ["/languages/0/level"]),
        ({"languages": [("en", "B1"), ("EN", "C1")]}, ["/languages/1/language"]),
        ({"languages": [("en", "B1")] * 21}, ["/languages"]),
        ({"country": "XX", "device": "abacus"}, ["/country", "/device"]),
    ],
)
def test_each_wrong_field_of_a_profile_is_named_and_nothing_is_kept(said: dict[str, Any], pointers: list[str]) -> None:
    worker = build.a_worker()

    with pytest.raises(profiling.ProfileRefused) as refused:
        profiling.save_profile(worker, **said)

    assert faults_of(refused) == pointers
    assert not Profile.objects.exists()


def test_without_a_list_of_time_zones_the_form_of_a_name_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_zones", frozenset)

    assert profiling.is_time_zone("America/Argentina/Ushuaia")
    assert not profiling.is_time_zone("../etc/passwd")


def test_of_two_who_save_a_profile_at_once_one_is_kept_whole(committed_db: str) -> None:
    worker = build.a_worker()

    at_once([
        lambda: profiling.save_profile(worker, country="DE", languages=[("de", "native")]),
        lambda: profiling.save_profile(worker, country="FR", languages=[("fr", "native")]),
    ])  # fmt: skip

    kept = (profiling.profile_of(worker).country, profiling.languages_of(worker))
    assert kept in (("DE", [("de", "native")]), ("FR", [("fr", "native")]))


@pytest.mark.django_db
def test_private_facts_come_back_to_their_person_and_the_row_holds_none_of_them() -> None:
    user = build.a_user()

    profiling.save_private(user, FACTS)

    assert profiling.private_of(user) == FACTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM accounts_personaldata WHERE user_id = %s", [user.pk])
        sealed = bytes(cursor.fetchone()[0])
    assert not [fact for fact in FACTS.values() if fact.encode() in sealed]


@pytest.mark.django_db
def test_a_box_of_private_facts_opens_for_nobody_else() -> None:
    ada, eve = build.a_user(), build.a_user()
    profiling.save_private(ada, FACTS)
    profiling.save_private(eve, {"legal_name": "Eve"})

    PersonalData.objects.filter(user=eve).update(sealed=PersonalData.objects.get(user=ada).sealed)

    with pytest.raises(sealing.BoxRefused):
        profiling.private_of(eve)


@pytest.mark.django_db
def test_without_the_persons_key_nothing_opens() -> None:
    user = build.a_user()
    profiling.save_private(user, FACTS)

    PersonKey.objects.filter(user=user).delete()

    with pytest.raises(vault.PersonErased):
        profiling.private_of(user)


@pytest.mark.django_db
def test_an_emptied_fact_is_forgotten() -> None:
    user = build.a_user()
    profiling.save_private(user, FACTS)

    profiling.save_private(user, {"legal_name": "Ada King", "phone": " "})

    assert profiling.private_of(user) == {"legal_name": "Ada King"}
    assert profiling.private_of(build.a_user()) == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("legal_name", "x" * 201),
        ("legal_name", "Ada\nByron"),
        ("address", "a\0b"),
        ("birth_date", "10.12.1990"),
        ("birth_date", "1990-02-30"),
        ("birth_date", "2999-01-01"),
        ("birth_date", "1815-12-10"),
        ("phone", "020 7946 0958"),
        ("phone", "+1"),
        ("shoe_size", "42"),
    ],
)
def test_a_wrong_private_fact_is_named_without_being_repeated(name: str, value: str) -> None:
    with pytest.raises(profiling.PrivateFactsRefused) as refused:
        profiling.save_private(build.a_user(), {name: value}, at=NOW)

    assert f"/{name}" in faults_of(refused)
    assert value not in str([refused.value.detail, *(fault.detail for fault in refused.value.faults)])
    assert not PersonalData.objects.exists()


@pytest.mark.django_db
def test_the_database_refuses_what_is_no_profile() -> None:
    worker = build.a_worker()
    profiling.save_profile(worker, languages=[("en", "C1")])

    with violates("country_is_two_letters"):
        Profile.objects.update(country="deu"[:1])
    with violates("education_is_known"):
        Profile.objects.update(education="wizard")
    with violates("device_is_known"):
        Profile.objects.update(device="abacus")
    with violates("one_level_a_language"):
        SpokenLanguage.objects.create(worker=worker, language="en", level="A1")
    with violates("language_level_is_known"):
        SpokenLanguage.objects.update(level="A3")
