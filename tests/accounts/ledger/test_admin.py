"""The ledger in the admin site is to be looked at, by every page, and never changed."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from accounts.ledger.admin import units
from accounts.ledger.holding import capture_hold, place_hold
from accounts.ledger.posting import post_many
from tests.accounts.ledger.scenes import UNIT, WALLET, a_deposit, a_funding, a_payment
from tests.sign_in import sign_in

MODELS = [model.__name__.lower() for model in apps.get_app_config("ledger").get_models()]


@pytest.fixture
def admin_page(db: None) -> Client:
    post_many([a_deposit(100), a_funding(40), a_payment(1)])
    place_hold("open", WALLET, 5 * UNIT, actor="user:1")
    capture_hold(place_hold("ended", WALLET, 5 * UNIT, actor="user:1"), a_funding(5, revision=2))
    client = Client()
    sign_in(client, get_user_model().objects.create_superuser(email="ada@example.org", password="a long secret 42"))
    return client


def test_every_model_of_the_ledger_is_registered() -> None:
    registered = {model.__name__.lower() for model in admin.site._registry}

    assert set(MODELS) <= registered


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_rows_can_be_seen_but_not_written(model: str, admin_page: Client) -> None:
    listed = admin_page.get(reverse(f"admin:ledger_{model}_changelist"), {"q": "1"})
    first = apps.get_model("ledger", model).objects.first()
    assert first is not None
    shown = admin_page.get(reverse(f"admin:ledger_{model}_change", args=[first.pk]))

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert admin_page.get(reverse(f"admin:ledger_{model}_add")).status_code == 403
    assert admin_page.post(reverse(f"admin:ledger_{model}_change", args=[first.pk]), {}).status_code == 403
    assert admin_page.post(reverse(f"admin:ledger_{model}_delete", args=[first.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0.000000"), (-1, "-0.000001"), (1_234_567_890_123, "1,234,567.890123"), (-5_000_000, "-5.000000")],
)
def test_micros_are_shown_exactly(micros: int, text: str) -> None:
    assert units(micros) == text
