"""Can a stranger tell an address that has an account from one that has none? By status, length and time, in pairs.

``python -m tests.marketplace.signon.enumerating``: on a database of its own, in this process, through every middleware,
with Django's real password hashing; allauth's limits are off, for they would answer instead. Each pair is asked one
right after the other, in an order drawn anew, and the difference is taken within the pair, so that the machine's mood
weighs on both alike.
"""

import argparse
import json
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tests import environment  # the variables come before Django reads its settings

# isort: split
from tests import bench  # and Django before anything that imports models

# isort: split
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.test.utils import override_settings, setup_test_environment

from accounts.models import User
from marketplace.api import ids
from tests import build
from tests.databases import TestServer
from tests.sign_in import sign_in

FIRST = (environment, bench)
"""Imported for what they do."""

REAL = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.PBKDF2PasswordHasher"], "ACCOUNT_RATE_LIMITS": False}
PASSWORD = "a-quiet-river-9"
WARM_UP = 3
JSON = "application/json"

type Ask = Callable[[str], list[Any]]
"""Asks about an address as somebody new; returns the answers, the page that one is led to among them."""


def asks() -> dict[str, Ask]:
    """Every place where a stranger, or for invitations an owner, may name an address."""
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    inviter = Client()
    sign_in(inviter, owner)
    invitations = f"/api/v1/organisations/{ids.public('org', organisation.pk)}/invitations"
    return {
        "sign_in": lambda email: _post("/accounts/login/", {"login": email, "password": "a-wrong-river-9"}),
        "sign_in_by_code": lambda email: _post("/accounts/login/code/", {"email": email}),
        "sign_up": lambda email: _post(
            "/accounts/signup/", {"email": email, "password1": PASSWORD, "password2": PASSWORD}
        ),
        "reset": lambda email: _post("/accounts/password/reset/", {"email": email}),
        "headless_sign_up": lambda email: [
            Client().post("/_allauth/browser/v1/auth/signup", {"email": email, "password": PASSWORD}, JSON)
        ],
        "invitation": lambda email: [inviter.post(invitations, {"email": email, "role": "reviewer"}, JSON)],
    }


def pairs_of(ask: Ask, count: int, place: int) -> dict[str, Any]:
    """Ask ``count`` pairs about the people of that place, and say how they differ."""
    rng = random.Random(0)
    took: dict[bool, list[float]] = {True: [], False: []}
    worked: dict[bool, list[float]] = {True: [], False: []}
    statuses = lengths = 0
    for number in range(count + WARM_UP):
        seen = {}
        for there in rng.sample((True, False), 2):
            cache.clear()
            mail.outbox.clear()
            email = f"{'k' if there else 'u'}{place}-{number:05}@example.org"
            started, began = time.perf_counter(), time.process_time()
            answers = ask(email)
            spent, work = time.perf_counter() - started, time.process_time() - began
            seen[there] = answers
            if number >= WARM_UP:
                took[there].append(1_000 * spent)
                worked[there].append(1_000 * work)
        statuses += [one.status_code for one in seen[True]] != [one.status_code for one in seen[False]]
        lengths += [_length(one) for one in seen[True]] != [_length(one) for one in seen[False]]
    return {
        "pairs": count,
        "statuses_differing": statuses,
        "lengths_differing": lengths,
        "median_difference_ms": _apart(took),
        "median_difference_cpu_ms": _apart(worked),
        "known_ms": round(statistics.median(took[True]), 1),
        "unknown_ms": round(statistics.median(took[False]), 1),
    }


def _apart(times: dict[bool, list[float]]) -> float:
    differences = [one - other for one, other in zip(times[True], times[False], strict=True)]
    return round(abs(statistics.median(differences)), 3)


def run(count: int, only: str = "") -> dict[str, Any]:
    """All of it, or one; users are made beforehand, all hashed alike."""
    found = {}
    for place, (name, ask) in enumerate(asks().items()):
        if only and name != only:
            continue
        _people(place, count + WARM_UP)
        found[name] = pairs_of(ask, count, place)
    return found


def _people(place: int, count: int) -> None:
    pattern = User()
    pattern.set_password(PASSWORD)
    users = User.objects.bulk_create(
        User(email=f"k{place}-{number:05}@example.org", password=pattern.password) for number in range(count)
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )


def _post(path: str, data: dict[str, str]) -> list[Any]:
    client = Client()
    answer = client.post(path, data)
    return [answer, client.get(answer.headers["Location"])] if answer.status_code == 302 else [answer]


def _length(answer: Any) -> tuple[int, list[str], int]:
    cookies = sorted(answer.cookies)
    return len(answer.content), cookies, len(answer.headers.get("Location", ""))


def main() -> int:
    """Run it; the object comes last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--iterations", type=int, default=0, help="of PBKDF2; 0: as many as Django takes")
    asked = parser.parse_args()
    if asked.iterations:
        PBKDF2PasswordHasher.iterations = asked.iterations
    logging.disable(logging.WARNING)
    setup_test_environment()
    server = TestServer()
    try:
        with server.fresh_database(), override_settings(**REAL):
            found = run(asked.pairs, asked.only)
    finally:
        server.stop()
    worst = max(one["median_difference_ms"] for one in found.values())
    differing = sum(one["statuses_differing"] + one["lengths_differing"] for one in found.values())
    print(json.dumps({"places": found, "worst_difference_ms": worst, "differing": differing}))
    return 1 if worst > 5 or differing else 0


if __name__ == "__main__":
    sys.exit(main())
