"""A worker's browser and network are noted once a day, and nobody else's."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Signal, User, Worker
from marketplace.web.devices import COOKIE
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_noted_before() -> None:
    cache.clear()


def user_of(worker: Worker) -> User:
    assert worker.user is not None
    return worker.user


def signed_in(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def kinds_of(worker: Worker) -> list[str]:
    return sorted(Signal.objects.filter(worker=worker).values_list("kind", flat=True))


def test_a_worker_gets_a_cookie_and_two_signals() -> None:
    worker = build.a_worker()

    response = signed_in(user_of(worker)).get("/work")

    cookie = response.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert kinds_of(worker) == ["address", "device"]


def test_the_second_page_of_the_day_writes_nothing() -> None:
    worker = build.a_worker()
    client = signed_in(user_of(worker))
    client.get("/work")
    Signal.objects.all().delete()

    client.get("/work")

    assert kinds_of(worker) == []


def test_two_accounts_in_one_browser_share_a_device() -> None:
    client = Client()
    for worker in (one := build.a_worker(), two := build.a_worker()):
        sign_in(client, user_of(worker))
        client.get("/work")

    devices = [Signal.objects.get(worker=worker, kind="device").digest for worker in (one, two)]
    assert bytes(devices[0]) == bytes(devices[1])


def test_a_forged_cookie_is_not_believed() -> None:
    worker = build.a_worker()
    client = signed_in(user_of(worker))
    client.cookies[COOKIE] = "somebody-elses"

    response = client.get("/work")

    assert response.cookies[COOKIE].value != "somebody-elses"


def test_strangers_and_requesters_leave_no_signal() -> None:
    assert COOKIE not in Client().get("/").cookies
    signed_in(build.a_user()).get("/")

    assert not Signal.objects.exists()
