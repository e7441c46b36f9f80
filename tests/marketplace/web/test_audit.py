"""The audit as a page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts import organising
from accounts.audit import acting
from accounts.models import Organisation, User
from marketplace.api import ids
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def test_an_owner_sees_before_and_after() -> None:
    owner = build.a_user()
    organisation = build.an_organisation("North", owner=owner)
    with acting(f"user:{owner.pk}"):
        Organisation.objects.filter(pk=organisation.pk).update(name="South <b>")
    client = signed_in(owner)

    page = client.get(reverse("audit"), {"organisation": ids.public("org", organisation.pk)})

    assert page.status_code == 200
    text = page.content.decode()
    assert "<del>North</del>" in text
    assert "<ins>South &lt;b&gt;</ins>" in text
    assert ids.public("usr", owner.pk) in text


def test_what_is_private_is_named_and_not_told() -> None:
    admin, worker = build.a_user(), build.a_worker("Wanda")
    organising.give_platform_role(admin, "admin", given_by=None)
    type(worker).objects.filter(pk=worker.pk).update(name="Winifred")

    page = signed_in(admin).get(reverse("audit"), {"about": ids.public("wrk", worker.pk)})

    assert b"what it says is private" in page.content
    assert b"Winifred" not in page.content
    assert b"Wanda" not in page.content


def test_pages_lead_on_to_older_changes() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    for number in range(60):
        Organisation.objects.filter(pk=organisation.pk).update(name=f"name {number}")
    client = signed_in(owner)

    first = client.get(reverse("audit"), {"subject": "accounts_organisation"})
    second = client.get(reverse("audit") + first.context["next"])

    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 11)
    assert second.context["next"] == ""


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"since": "soon"}, 400, b'id="since-refused"'),
        ({"until": "9999-12-31"}, 400, b'id="until-refused"'),
        ({"about": "nonsense"}, 400, b'id="about-refused"'),
        ({"about": "org_" + "a" * 26}, 404, b"nothing of yours"),
        ({"organisation": "org_" + "a" * 26}, 404, b"nothing of yours"),
        ({"subject": "auth_group"}, 200, b""),
        ({"since": "2001-01-01", "until": "2001-01-02"}, 200, b"Nothing was changed that fits"),
    ],
)
def test_a_search_is_answered_in_place(query: dict[str, str], status: int, said: bytes) -> None:
    page = signed_in(build.an_organisation().memberships.get().user).get(reverse("audit"), query)

    assert page.status_code == status
    assert said in page.content


def test_strangers_and_members_without_the_right_are_kept_out() -> None:
    organisation = build.an_organisation()
    manager = build.a_user()
    organising.add_member(organisation, user=manager, role="manager")

    assert Client().get(reverse("audit")).status_code == 302
    assert signed_in(manager).get(reverse("audit")).status_code == 403
    assert signed_in(build.a_user()).get(reverse("audit")).status_code == 403
