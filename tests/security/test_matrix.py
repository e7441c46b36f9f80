"""The authorization matrix, walked: every address is listed, every cell holds, and nothing of B's leaks."""

import pytest
from django.urls import NoReverseMatch, reverse

from tests import build
from tests.security import cells, fields, matrix, walking
from tests.security.scene import a_scene


def test_every_address_and_method_stands_in_the_matrix() -> None:
    assert walking.unlisted() == []


def test_no_entry_of_the_matrix_is_stale() -> None:
    assert walking.stale() == []


def test_an_address_missing_from_the_matrix_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(matrix.API, ("job", "PATCH"))
    assert walking.unlisted() == ["api:job PATCH"]


@pytest.mark.django_db
@pytest.mark.timeout(600)
def test_every_caller_is_told_what_the_matrix_says_and_nothing_of_others() -> None:
    outcome = cells.run_all()

    assert outcome.wrong == []
    assert outcome.canary_hits == []
    assert set(outcome.canary_shown_to_insiders) == set(cells.AUDIENCES), "each canary is where it could be seen"
    assert outcome.fields_shown == set(fields.PRIVATE), "each private field is shown to somebody"
    assert outcome.cells > 5_000


@pytest.mark.django_db
def test_the_admin_is_closed_to_whoever_is_not_staff() -> None:
    scene = a_scene()
    admin = [address for address in walking.addresses() if address.name.startswith(matrix.ADMIN)]
    for caller in ("anonymous", "worker", "owner_a", "treasurer", "worker key"):
        for address in admin:
            try:
                path = reverse(address.name, args=["1"] * len(address.parts))
            except NoReverseMatch:
                continue
            response = scene.callers[caller].get(path)
            if address.name not in {"admin:login", "admin:jsi18n"}:
                assert response.status_code in {302, 403, 404}, (caller, address.name)


@pytest.mark.django_db
@pytest.mark.timeout(600)
def test_every_caller_is_shown_what_the_matrix_says_on_every_page_and_nothing_of_others() -> None:
    outcome = cells.run_pages()

    assert outcome.wrong == []
    assert outcome.canary_hits == []
    assert outcome.cells > 900


@pytest.mark.django_db
def test_what_a_refused_request_wrote_is_found_out() -> None:
    with cells.undone() as before:
        build.a_user()

        assert cells.written() > before
