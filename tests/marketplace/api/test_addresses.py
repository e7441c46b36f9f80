"""A client's address is what the connection or our own proxies say, whatever a client says."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from marketplace import addresses
from marketplace.api import throttling

HERE = "192.0.2.1"
CLIENT = "203.0.113.7"
PROXY = "10.0.0.5"


def _seen(settings: Any, proxies: int, forwarded: str | None, here: str = HERE) -> tuple[str, bool]:
    """The address that a view sees, and whether it could still read the header."""
    settings.TRUSTED_PROXIES = proxies
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = here
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    addresses.ClientAddress(lambda _: HttpResponse())(request)
    return addresses.address_of(request), "HTTP_X_FORWARDED_FOR" in request.META


def test_without_proxies_of_ours_nothing_is_read_from_the_header(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 0
    with pytest.raises(MiddlewareNotUsed):
        addresses.ClientAddress(lambda _: HttpResponse())


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (1, CLIENT, CLIENT),
        (1, f"198.51.100.9, {CLIENT}", CLIENT),
        (1, f"'; DROP, 198.51.100.9,{CLIENT}", CLIENT),
        (2, f"198.51.100.9, {CLIENT}, {PROXY}", CLIENT),
        (1, f"{CLIENT}:50123", CLIENT),
        (1, "[2001:db8::7]:443", "2001:db8::7"),
        (1, "::ffff:203.0.113.7", CLIENT),
        (1, None, HERE),
        (1, "", HERE),
        (1, "unknown", HERE),
        (2, CLIENT, HERE),
        (1, f"{CLIENT}, localhost", HERE),
    ],
)
def test_the_entry_that_our_outermost_proxy_wrote_is_the_clients_address(
    settings: Settings, proxies: int, forwarded: str | None, seen: str
) -> None:
    assert _seen(settings, proxies, forwarded) == (seen, False)


@given(forged=st.lists(st.text(st.characters(codec="latin-1"), max_size=40), max_size=5))
def test_whatever_a_client_puts_before_it_changes_nothing(forged: list[str]) -> None:
    request = HttpRequest()
    request.META |= {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": ",".join([*forged, f" {CLIENT}"])}
    middleware = addresses.ClientAddress.__new__(addresses.ClientAddress)
    middleware.proxies, middleware.get_response = 1, lambda _: HttpResponse()

    middleware(request)

    assert addresses.address_of(request) == CLIENT


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.01", ""),
        ("unix:", ""),
        ("", ""),
        ("a" * 100_000, ""),
    ],
)
def test_an_address_has_one_form_and_what_is_none_has_none(text: str, normal: str) -> None:
    assert addresses.normal(text) == normal


def test_a_subscriber_of_ipv6_counts_as_one_caller() -> None:
    assert addresses.block_of("2001:db8:1:2::1") == addresses.block_of("2001:db8:1:2:ffff::9")
    assert addresses.block_of("2001:db8:1:2::1") != addresses.block_of("2001:db8:1:3::1")
    assert addresses.block_of(CLIENT) == CLIENT


@pytest.mark.django_db
@pytest.mark.parametrize("proxies", [0, 1])
def test_a_rate_limit_holds_behind_forged_headers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, proxies: int
) -> None:
    settings.TRUSTED_PROXIES = proxies
    monkeypatch.setitem(throttling.PER_MINUTE, "read", 5)
    cache.clear()
    client = Client(REMOTE_ADDR=HERE)

    statuses = [
        client.get(
            "/api/v1/open-jobs",
            headers={"X-Forwarded-For": f"198.51.100.{number}" + (f", {CLIENT}" if proxies else "")},
        ).status_code
        for number in range(8)
    ]

    assert statuses == [200] * 5 + [429] * 3


@pytest.mark.django_db
def test_behind_a_proxy_of_ours_each_client_has_a_limit_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = 1
    monkeypatch.setitem(throttling.PER_MINUTE, "read", 5)
    cache.clear()
    client = Client(REMOTE_ADDR=PROXY)

    told = [
        client.get("/api/v1/open-jobs", headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(8)
    ]

    assert told == [200] * 8


@pytest.mark.django_db
@pytest.mark.parametrize("proxies", [0, 1])
def test_the_limit_on_wrong_passwords_holds_behind_forged_headers(settings: Settings, proxies: int) -> None:
    settings.TRUSTED_PROXIES = proxies
    settings.ACCOUNT_RATE_LIMITS = {"login": "5/m/ip", "login_failed": "3/m/ip"}
    cache.clear()
    client = Client(REMOTE_ADDR=HERE)

    told = [
        client.post(
            "/accounts/login/",
            {"login": f"nobody.{number}@example.org", "password": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{number}" + (f", {CLIENT}" if proxies else "")},
        )
        for number in range(8)
    ]

    assert told[-1].status_code == 429
    assert told[0].status_code == 200
