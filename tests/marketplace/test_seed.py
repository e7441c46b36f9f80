"""``manage.py seed``."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import CredentialType, User
from accounts.queries import roles_of
from accounts.registries import REGISTRIES
from marketplace.management.commands.seed import DOMAINS
from qualification.models import CredentialRule, Domain
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


def seed() -> str:
    out = io.StringIO()
    call_command("seed", stdout=out)
    return out.getvalue()


def test_a_new_site_gets_its_domains_each_under_the_one_above_it() -> None:
    seed()

    found = {domain.path: domain for domain in Domain.objects.select_related("parent")}

    assert found.keys() == DOMAINS.keys()
    for path, domain in found.items():
        above = path.rpartition("/")[0]
        assert (domain.parent.path if domain.parent else "") == above


def test_seeding_twice_adds_nothing_and_says_nothing(settings: Settings) -> None:
    settings.EMBEDDED_DATABASE = True
    seed()
    before = _counts()

    assert seed() == ""
    assert _counts() == before


def test_a_new_site_gets_types_of_credentials_that_can_be_filed_and_what_they_open() -> None:
    assert "types of credentials" in seed()

    licence = CredentialType.objects.get(slug="medical-licence")
    rules = CredentialRule.objects.filter(type=licence).values_list("domain__path", flat=True)
    assert "medicine/radiology" in rules
    for kind in CredentialType.objects.all():
        kind.full_clean()
        assert not kind.registry or kind.registry in REGISTRIES


def test_a_type_that_an_admin_changed_stays_as_it_is() -> None:
    seed()
    CredentialRule.objects.all().delete()
    CredentialType.objects.filter(slug="npi").update(active=False)

    seed()

    assert not CredentialRule.objects.exists()
    assert not CredentialType.objects.get(slug="npi").active


def _counts() -> list[int]:
    return [model.objects.count() for model in (User, Domain, CredentialType, CredentialRule)]


def test_the_embedded_stack_gets_an_administrator_whose_password_is_shown_once(
    settings: Settings, client: Client
) -> None:
    settings.EMBEDDED_DATABASE = True

    told = seed()
    password = told.rpartition("password ")[2].partition(" ")[0]

    assert client.login(email="admin@localhost", password=password)
    sign_in(client, User.objects.get(email="admin@localhost"))
    assert client.get("/admin/").status_code == 200
    assert roles_of(User.objects.get(email="admin@localhost")) == {"admin"}


def test_the_environment_names_the_administrator(settings: Settings, client: Client) -> None:
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = "Fay@Example.org", "a-long-enough-one"

    told = seed()

    assert "Fay@Example.org" in told
    assert "a-long-enough-one" not in told
    assert client.login(email="fay@example.org", password="a-long-enough-one")


@pytest.mark.parametrize(("email", "password"), [("fay", "a-long-enough-one"), ("fay@example.org", "short")])
def test_an_administrator_who_could_not_sign_in_is_refused_and_nothing_is_added(
    settings: Settings, email: str, password: str
) -> None:
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = email, password

    with pytest.raises(CommandError):
        seed()

    assert not User.objects.exists()
    assert not Domain.objects.exists()


def test_a_server_of_ones_own_is_told_how_to_get_an_administrator(settings: Settings) -> None:
    settings.EMBEDDED_DATABASE = False

    assert "ADMIN_EMAIL" in seed()
    assert not User.objects.exists()
