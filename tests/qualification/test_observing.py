"""What was seen of workers is written once, in one statement, and never changes; a fit replaces the last one whole."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Worker
from qualification.models import GoldItem, Observation, ScopeFit, SkillFit
from qualification.observing import Seen, observe, save_fit
from qualification.queries import accuracy, confusions_of, credit, prior_of
from tests import build
from tests.guards import violates
from tests.races import at_once

AT = datetime(2026, 3, 1, tzinfo=UTC)


def seen(worker: Worker, item: GoldItem, reference: int = 1, *, share: float = 1.0) -> Seen:
    """A right answer to a hidden gold item."""
    return Seen(
        worker_id=worker.pk,
        domain_id=item.gold_set.domain_id,
        difficulty=item.difficulty,
        source="gold",
        gold_item_id=item.pk,
        reference=reference,
        true_class=0,
        said_class=0 if share else None,
        credit=share,
    )


@pytest.mark.django_db
def test_observations_are_written_in_one_statement() -> None:
    worker, gold = build.a_worker(), build.a_gold_set(items=20)
    rows = [seen(worker, item) for item in gold.items.select_related("gold_set")]

    with CaptureQueriesContext(connection) as asked:
        assert observe(rows, at=AT) == 20

    inserts = [query for query in asked if "INSERT" in query["sql"]]
    assert len(inserts) == 1
    row = Observation.objects.latest("pk")
    assert (row.worker_id, row.source, row.credit, row.true_class, row.observed_at) == (worker.pk, "gold", 1.0, 0, AT)


@pytest.mark.django_db
def test_nothing_seen_is_nothing_written() -> None:
    with CaptureQueriesContext(connection) as asked:
        assert observe([]) == 0
    assert len(asked) == 0


@pytest.mark.django_db
def test_an_answer_is_observed_once_and_the_first_time_stands() -> None:
    row = seen(build.a_worker(), build.a_gold_item())

    assert observe([row]) == 1
    assert observe([replace(row, credit=0.0), replace(row, reference=2)]) == 1

    assert Observation.objects.get(reference=1).credit == 1.0


def test_of_two_sweeps_at_once_each_answer_counts_once(committed_db: str) -> None:
    worker, item = build.a_worker(), build.a_gold_item()
    rows = [seen(worker, item, reference) for reference in range(300)]

    told = at_once([lambda: observe(rows), lambda: observe(rows[::-1])])

    assert sum(one for one in told if isinstance(one, int)) == 300


@pytest.mark.django_db
def test_rows_go_in_in_one_order_so_that_sweeps_wait_and_do_not_deadlock() -> None:
    worker, item = build.a_worker(), build.a_gold_item()

    observe([seen(worker, item, reference) for reference in (3, 1, 2)])

    assert list(Observation.objects.order_by("pk").values_list("reference", flat=True)) == [1, 2, 3]


@pytest.mark.django_db
def test_an_answer_is_observed_once_in_the_database_too() -> None:
    worker, item = build.a_worker(), build.a_gold_item()
    observe([seen(worker, item)])
    row = Observation.objects.values().get()

    with violates("an_answer_is_observed_once"):
        Observation.objects.create(**{**row, "id": None})


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("observation_source_is_known", {"source": "hearsay"}),
        ("credit_is_a_share", {"credit": 1.5}),
        ("credit_is_a_share", {"credit": float("nan")}),
        ("observation_difficulty_in_band", {"difficulty": 6}),
    ],
)
@pytest.mark.django_db
def test_the_database_refuses_an_observation_that_cannot_be(constraint: str, change: dict[str, Any]) -> None:
    row = seen(build.a_worker(), build.a_gold_item())

    with violates(constraint):
        observe([replace(row, **change)])


@pytest.mark.parametrize(
    "statement", ["UPDATE qualification_observation SET credit = 0", "DELETE FROM qualification_observation"]
)
@pytest.mark.django_db
def test_observations_are_append_only(statement: str) -> None:
    observe([seen(build.a_worker(), build.a_gold_item())])

    with violates("observations_are_append_only"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE qualification_observation SET credit = 0",
        "DELETE FROM qualification_observation",
        "TRUNCATE qualification_observation",  # observations_are_never_emptied
    ],
)
def test_the_owner_cannot_rewrite_observations_either(
    statement: str, committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    observe([seen(build.a_worker(), build.a_gold_item())])

    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute(statement)
    assert refused.value.diag.constraint_name == "observations_are_append_only"


@pytest.mark.django_db
def test_accuracy_counts_credits_by_domain_and_difficulty_and_says_how_sure_it_is() -> None:
    worker = build.a_worker()
    easy = build.a_gold_set(build.a_domain("birds"), items=4, difficulties=(1,))
    hard = build.a_gold_set(build.a_domain("birds/owls"), items=2, difficulties=(4,))
    for gold, shares in ((easy, [1.0, 1.0, 1.0, 0.5]), (hard, [0.0, 0.0])):
        items = gold.items.select_related("gold_set").order_by("pk")
        observe([seen(worker, item, share=share) for item, share in zip(items, shares, strict=True)])

    birds, owls = accuracy(worker.pk)

    assert (birds.domain, birds.difficulty, birds.right, birds.total) == ("birds", 1, 3.5, 4)
    assert (owls.domain, owls.difficulty, owls.right, owls.total) == ("birds/owls", 4, 0.0, 2)
    assert 0 < owls.low < owls.mean < birds.mean < birds.high < 1
    assert accuracy(build.a_worker().pk) == []


@pytest.mark.parametrize(
    ("label", "earned"),
    [
        ({"class": "cat"}, 1.0),
        ({"class": "lynx"}, 0.5),
        ({"class": "dog"}, 0.0),
        ({"class": "cat", "sure": True}, 0.0),
        (None, 0.0),
    ],
)
def test_a_label_earns_the_weight_of_the_accepted_label_that_it_equals(label: Any, earned: float) -> None:
    accepted: list[dict[str, Any]] = [{"label": {"class": "cat"}}, {"label": {"class": "lynx"}, "weight": 0.5}]

    assert credit(label, accepted) == earned


def test_the_order_of_keys_does_not_matter_and_true_is_not_one() -> None:
    assert credit({"b": 1, "a": [2]}, [{"label": {"a": [2], "b": 1}}]) == 1.0
    assert credit({"n": True}, [{"label": {"n": 1}}]) == 0.0


@pytest.mark.django_db
def test_a_fit_is_read_back_as_it_was_saved() -> None:
    ada, ben = build.a_worker(), build.a_worker()
    matrices = {ada.pk: np.array([[0.9, 0.1], [0.2, 0.8]]), ben.pk: np.full((2, 2), 0.5)}

    save_fit(
        "job:1",
        "dawid_skene",
        np.array([0.25, 0.75]),
        matrices,
        answers=7,
        gold=1,
        rounds=12,
        converged=True,
        answers_of={ada.pk: 5, ben.pk: 2},
        at=AT,
    )

    prior = prior_of("job:1")
    assert prior is not None
    np.testing.assert_array_equal(prior, [0.25, 0.75])
    found = confusions_of("job:1", [ada.pk, ben.pk, 10**9])
    assert set(found) == {ada.pk, ben.pk}
    np.testing.assert_array_equal(found[ada.pk], matrices[ada.pk])
    fit = ScopeFit.objects.get()
    assert (fit.engine, fit.answers, fit.gold, fit.rounds, fit.converged, fit.fitted_at) == (
        "dawid_skene",
        7,
        1,
        12,
        True,
        AT,
    )
    assert dict(SkillFit.objects.values_list("worker_id", "answers")) == {ada.pk: 5, ben.pk: 2}


@pytest.mark.django_db
def test_a_new_fit_replaces_the_last_one_of_its_scope_whole() -> None:
    ada, ben = build.a_worker(), build.a_worker()
    square = np.eye(2)
    outcome: dict[str, Any] = {"answers": 1, "gold": 0, "rounds": 1, "converged": False}
    save_fit("job:1", "dawid_skene", np.array([1.0, 0.0]), {ada.pk: square, ben.pk: square}, **outcome)
    save_fit("job:2", "dawid_skene", np.array([1.0, 0.0]), {ada.pk: square}, **outcome)

    save_fit("job:1", "majority", np.array([0.0, 1.0]), {ben.pk: square[::-1]}, **outcome)

    assert list(confusions_of("job:1", [ada.pk, ben.pk])) == [ben.pk]
    np.testing.assert_array_equal(confusions_of("job:1", [ben.pk])[ben.pk], square[::-1])
    assert list(confusions_of("job:2", [ada.pk])) == [ada.pk]
    assert ScopeFit.objects.get(scope="job:1").engine == "majority"


@pytest.mark.django_db
def test_before_the_first_fit_nothing_is_known() -> None:
    assert prior_of("job:9") is None
    assert confusions_of("job:9", [1]) == {}


@pytest.mark.django_db
def test_one_fit_a_scope_and_worker() -> None:
    worker = build.a_worker()
    row: dict[str, Any] = {"engine": "e", "confusion": [1.0], "answers": 1, "fitted_at": AT}
    SkillFit.objects.create(scope="job:1", worker=worker, **row)

    with violates("one_fit_a_scope_and_worker"):
        SkillFit.objects.create(scope="job:1", worker=worker, **row)
