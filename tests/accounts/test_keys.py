"""Keys open what they should, from the next check on nothing more, and are nowhere to be read."""

import logging
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys, organising, seats
from accounts.models import ApiKey, User
from accounts.queries import instant
from tests import build
from tests.guards import violates
from tests.races import at_once


@pytest.mark.django_db
def test_a_secret_opens_its_key_and_tells_whose_it_is() -> None:
    worker = build.a_worker()

    key, secret = keys.issue_key(worker=worker, name="laptop", scopes=["work", "work"])

    opened = keys.check_secret(secret)
    assert opened == key
    assert opened is not None
    assert opened.worker == worker
    assert opened.scopes == ["work"]
    assert len(secret) == 52
    assert secret.startswith(f"ts_{key.handle}_")


@pytest.mark.django_db
def test_a_check_is_one_query_with_everything_that_is_asked_next() -> None:
    _, secret = build.a_worker_key()
    organisation = build.an_organisation()
    _, ours = build.an_organisation_key(organisation)

    with CaptureQueriesContext(connection) as asked:
        opened = keys.check_secret(secret)
        assert opened is not None
        assert opened.worker is not None
        assert opened.worker.user is not None
        assert opened.worker.user.is_active
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        opened = keys.check_secret(ours)
        assert opened is not None
        assert opened.organisation == organisation
    assert len(asked) == 1


@pytest.mark.django_db
def test_a_mistyped_secret_is_turned_away_without_a_query() -> None:
    _, secret = build.a_worker_key()

    with CaptureQueriesContext(connection) as asked:
        for place in range(len(secret)):
            other = "a" if secret[place] != "a" else "b"
            assert keys.check_secret(secret[:place] + other + secret[place + 1 :]) is None
        swapped = secret[:3] + secret[4] + secret[3] + secret[5:]
        assert swapped == secret or keys.check_secret(swapped) is None
    assert len(asked) == 0


@pytest.mark.parametrize(
    "text",
    ["", "ts_", "\0", "ts_\0" + "a" * 48, "ts_" + "é" * 49, "ts_" + "\ud800" * 49, "ts_" + "٣" * 49, "a" * 1_000_000],
    ids=range(8),
)
@pytest.mark.django_db
def test_what_cannot_be_a_secret_is_turned_away_without_a_query(text: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert keys.check_secret(text) is None
    assert len(asked) == 0


@given(st.text() | st.text(string.ascii_lowercase + "234567", min_size=38, max_size=38).map("ts_abcdefghij_{}".format))
def test_any_text_is_taken_and_noise_reaches_no_database(text: str) -> None:
    # Without the mark django_db a query would fail the test; a checksum is met by chance once in 2**30.
    assert keys.check_secret(text) is None


@pytest.mark.django_db
def test_a_well_formed_secret_that_was_never_issued_opens_nothing() -> None:
    key, secret = build.a_worker_key()
    connection.cursor().execute("DELETE FROM accounts_apikey WHERE id = %s", [key.pk])

    assert keys.check_secret(secret) is None


@pytest.mark.django_db
def test_a_trailing_line_break_is_not_forgiven() -> None:
    _, secret = build.a_worker_key()

    assert keys.check_secret(secret + "\n") is None


@pytest.mark.django_db
def test_a_revoked_key_fails_the_next_check_and_stays_revoked_since_then() -> None:
    key, secret = build.a_worker_key()

    first = keys.revoke_key(key).revoked_at
    again = keys.revoke_key(ApiKey.objects.get(pk=key.pk)).revoked_at

    assert keys.check_secret(secret) is None
    assert first is not None
    assert again == first


@pytest.mark.django_db
def test_an_expired_key_opens_nothing() -> None:
    key, secret = keys.issue_key(
        worker=build.a_worker(), name="short", scopes=["work"], expires_at=instant(None) + timedelta(minutes=1)
    )
    assert keys.check_secret(secret) is not None

    ApiKey.objects.filter(pk=key.pk).update(expires_at=instant(None))

    assert keys.check_secret(secret) is None


@pytest.mark.django_db
def test_a_key_cannot_expire_before_it_is_issued() -> None:
    with pytest.raises(keys.KeyExpiryPassed):
        keys.issue_key(
            worker=build.a_worker(), name="past", scopes=["work"], expires_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_a_deactivated_users_keys_open_nothing() -> None:
    worker, edo = build.a_worker(), build.a_user("Edo")
    _, own = build.a_worker_key(worker)
    _, made = build.an_organisation_key(build.an_organisation(owner=edo), created_by=edo)

    User.objects.filter(pk__in=[worker.user_id, edo.pk]).update(is_active=False)

    assert keys.check_secret(own) is None
    assert keys.check_secret(made) is None


@pytest.mark.django_db
def test_only_an_owner_makes_or_rotates_a_key_of_an_organisation() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    key, _ = build.an_organisation_key(organisation, created_by=dora)

    with pytest.raises(seats.NotAnOwner):
        build.an_organisation_key(organisation, created_by=edo)
    with pytest.raises(seats.NotAnOwner):
        keys.rotate_key(key, overlap=timedelta(0), rotated_by=edo)


def test_a_key_asked_for_while_its_owner_is_put_down_does_not_outlive_that(committed_db: str) -> None:
    for _ in range(5):
        dora = build.a_user("Dora")
        organisation = build.an_organisation()
        organising.add_member(organisation, user=dora, role="owner")
        acts: list[Callable[[], object]] = [
            partial(build.an_organisation_key, organisation, created_by=dora),
            partial(organising.change_role, organisation, user=dora, role="manager"),
        ]

        at_once(acts)

        assert not ApiKey.objects.filter(created_by=dora, revoked_at__isnull=True).exists()


@pytest.mark.django_db
def test_a_model_works_with_a_key_although_it_has_no_user() -> None:
    _, secret = build.a_worker_key(build.a_model())

    assert keys.check_secret(secret) is not None


@pytest.mark.django_db
def test_scopes_belong_to_the_kind_of_party() -> None:
    organisation, worker = build.an_organisation(), build.a_worker()

    with pytest.raises(keys.KeyScopeUnknown):
        keys.issue_key(organisation=organisation, name="k", scopes=["jobs:read", "work"])
    with pytest.raises(keys.KeyScopeUnknown):
        keys.issue_key(worker=worker, name="k", scopes=["money:read"])
    with pytest.raises(keys.KeyScopeMissing):
        keys.issue_key(worker=worker, name="k", scopes=[])
    with pytest.raises(ValueError, match="one organisation or for one worker"):
        keys.issue_key(name="k", scopes=["work"])


@pytest.mark.django_db
def test_the_secret_is_neither_stored_nor_logged_nor_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with CaptureQueriesContext(connection) as asked:
        key, secret = build.a_worker_key()
        keys.check_secret(secret)
        keys.revoke_key(key)
        keys.check_secret(secret)

    row = ApiKey.objects.filter(pk=key.pk).values().get()
    said = [caplog.text, repr(key), repr(row), *(query["sql"] for query in asked)]
    assert not any(secret in text or secret[14:30] in text for text in said)


@pytest.mark.django_db
def test_use_is_noted_at_most_once_a_minute() -> None:
    key, _ = build.a_worker_key()

    keys.mark_used(key)
    first = ApiKey.objects.get(pk=key.pk).last_used_at
    keys.mark_used(key)
    assert first is not None
    assert ApiKey.objects.get(pk=key.pk).last_used_at == first

    ApiKey.objects.filter(pk=key.pk).update(last_used_at=first - timedelta(minutes=2))
    keys.mark_used(key)
    assert ApiKey.objects.get(pk=key.pk).last_used_at is not None
    assert ApiKey.objects.get(pk=key.pk).last_used_at != first - timedelta(minutes=2)


@pytest.mark.django_db
def test_one_key_a_secret() -> None:
    key, _ = build.a_worker_key()

    with violates("one_key_a_secret"):
        ApiKey.objects.create(worker=key.worker, name="copy", digest=key.digest)


@pytest.mark.django_db
def test_a_key_acts_for_one_party_in_the_database_too() -> None:
    organisation, worker = build.an_organisation(), build.a_worker()

    with violates("a_key_acts_for_one_party"):
        ApiKey.objects.create(organisation=organisation, worker=worker, name="both", digest=b"1" * 32)
    with violates("a_key_acts_for_one_party"):
        ApiKey.objects.create(name="neither", digest=b"2" * 32)


@pytest.mark.django_db
def test_the_quick_way_opens_what_the_slow_way_opens_and_only_keys_that_work() -> None:
    key, secret = build.a_worker_key()
    _, ours = build.an_organisation_key(build.an_organisation())

    assert keys.working_key(secret) == (key.pk, key.worker_id, ())
    assert keys.working_key(ours) is None
    assert keys.working_key("ts_\0") is None
    assert ApiKey.objects.get(pk=key.pk).last_used_at is not None


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"scopes": []},
    ],
    ids=["revoked", "expired", "no scope"],
)
@pytest.mark.django_db
def test_the_quick_way_is_closed_to_a_key_that_is_over(change: dict[str, object]) -> None:
    key, secret = build.a_worker_key()

    ApiKey.objects.filter(pk=key.pk).update(**change)

    assert keys.working_key(secret) is None


@pytest.mark.django_db
def test_the_quick_way_is_closed_to_a_deactivated_user() -> None:
    worker = build.a_worker()
    _, secret = build.a_worker_key(worker)

    User.objects.filter(worker=worker).update(is_active=False)

    assert keys.working_key(secret) is None


@pytest.mark.django_db
def test_a_secret_with_anothers_handle_opens_nothing() -> None:
    key, secret = build.a_worker_key()
    _, other = build.a_worker_key()
    body = f"{key.handle}_{other[14:-6]}"
    forged = f"ts_{body}{keys._checksum(body)}"

    assert keys.check_secret(forged) is None
    assert keys.working_key(forged) is None
    assert keys.check_secret(secret) is not None
    assert ApiKey.objects.get(pk=key.pk).last_used_at is None, "a wrong secret is no use of the key"


@pytest.mark.django_db
def test_one_key_a_handle() -> None:
    key, _ = build.a_worker_key()

    with violates("one_key_a_handle"):
        ApiKey.objects.create(worker=key.worker, name="copy", handle=key.handle, digest=b"3" * 32)


@pytest.mark.django_db
def test_a_key_works_from_its_networks_alone() -> None:
    worker = build.a_worker()
    _, secret = keys.issue_key(
        worker=worker, name="office", scopes=["work"], addresses=["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]
    )

    for here in ("192.0.2.9", "198.51.100.7", "2001:db8:5::1"):
        assert keys.check_secret(secret, address=here) is not None
    for elsewhere in ("192.0.3.9", "198.51.100.8", "::1", "", "nonsense"):
        with pytest.raises(keys.KeyFromElsewhere):
            keys.check_secret(secret, address=elsewhere)
    working = keys.working_key(secret)
    assert working is not None
    assert keys.works_from(working.networks, "192.0.2.9")
    assert not keys.works_from(working.networks, "192.0.3.9")


@pytest.mark.django_db
def test_networks_are_kept_in_their_normal_form_and_what_is_none_is_named() -> None:
    worker = build.a_worker()

    key, _ = keys.issue_key(
        worker=worker, name="k", scopes=["work"], addresses=["192.0.2.1", " 2001:DB8::/32 ", "192.0.2.1/32"]
    )
    assert key.addresses == ["192.0.2.1/32", "2001:db8::/32"]

    with pytest.raises(keys.KeyRefused) as refused:
        keys.issue_key(worker=worker, name="k", scopes=["work"], addresses=["192.0.2.1/24", "192.0.2.1", "here"])
    assert [fault.pointer for fault in refused.value.faults] == ["/addresses/0", "/addresses/2"]
    with pytest.raises(keys.KeyRefused):
        keys.issue_key(
            worker=worker, name="k", scopes=["work"], addresses=[f"192.0.2.{number}" for number in range(51)]
        )
