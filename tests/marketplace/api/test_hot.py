"""Claims and answers: quick, exact, and blind to gold."""

from __future__ import annotations

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from accounts import keys
from accounts.models import Worker
from marketplace.api import hot, hot_shapes, ids, throttling
from tasks.models import Assignment, Task
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db


def _worker(worker: Worker | None = None) -> Api:
    return with_key(build.a_worker_key(worker))


def test_a_lease_shows_the_task_and_never_which_task_it_is() -> None:
    job = build.a_live_job()
    [task] = build.some_tasks(job, 1)

    [lease] = _worker().post("claims", {"count": 5}).json()["assignments"]

    assert set(lease) == {"id", "job", "schema", "guidelines", "price", "currency", "lease_ends_at", "payload"}
    assert lease["payload"] == task.payload.content
    assert (lease["job"], lease["price"], lease["currency"]) == (ids.public("job", job.pk), "0.05", "USD")
    assert ids.public("tsk", task.pk) not in str(lease)


def test_gold_and_plain_tasks_look_the_same_to_the_worker_in_every_answer() -> None:
    job = build.a_live_job(gold_share_bp=5_000)
    build.some_tasks(job, 30)
    build.gold_tasks(job, build.a_gold_set(items=20))
    worker = _worker()

    leases = worker.post("claims", {"count": 30}).json()["assignments"]
    answers = [{"assignment": lease["id"], "label": build.DOG} for lease in leases]
    outcomes = worker.post("answers", {"answers": answers}).json()["outcomes"]
    shown = [worker.get(f"assignments/{lease['id']}").json() for lease in leases]

    gold = {
        ids.public("asg", pk)
        for pk in Assignment.objects.filter(task__gold_item__isnull=False).values_list("pk", flat=True)
    }
    assert 0 < len(gold & {lease["id"] for lease in leases}) < 30
    for rows, name in ((leases, "id"), (outcomes, "assignment"), (shown, "id")):
        of_gold = {str({key: type(value) for key, value in row.items()}) for row in rows if row[name] in gold}
        of_plain = {str({key: type(value) for key, value in row.items()}) for row in rows if row[name] not in gold}
        assert of_gold == of_plain
        assert len({len(row[name]) for row in rows}) == 1
    assert {row["state"] for row in shown} == {"submitted"}


def test_work_hands_in_and_claims_the_next_in_one_request() -> None:
    build.some_tasks(build.a_live_job(slots=1), 2)
    worker = _worker()
    [first] = worker.post("work").json()["assignments"]

    second = worker.post("work", {"answers": [{"assignment": first["id"], "label": build.CAT}]}).json()
    last = worker.post("work", {"answers": [{"assignment": second["assignments"][0]["id"], "label": build.CAT}]}).json()

    assert second["outcomes"] == [{"assignment": first["id"], "state": "submitted"}]
    assert second["problem"] is None
    assert last["assignments"] == []
    assert last["problem"]["type"] == "/problems/nothing-to-claim"
    assert Task.objects.filter(answer_count=1).count() == 2


def test_each_answer_of_a_request_stands_or_is_refused_by_itself() -> None:
    build.some_tasks(build.a_live_job(), 3)
    worker, other = _worker(), _worker()
    mine = [lease["id"] for lease in worker.post("claims", {"count": 3}).json()["assignments"]]
    theirs = other.post("claims").json()["assignments"][0]["id"]
    answers = [
        {"assignment": mine[0], "label": build.CAT, "seconds": 1.5},
        {"assignment": mine[1], "label": {"class": "cow"}},
        {"assignment": theirs, "label": build.CAT},
    ]

    outcomes = worker.post("answers", {"answers": answers}).json()["outcomes"]

    assert [outcome["state"] for outcome in outcomes] == ["submitted", "refused", "refused"]
    assert outcomes[1]["problem"]["errors"][0]["pointer"] == "/label/class"
    assert outcomes[2]["problem"]["type"] == "/problems/no-such-assignment"
    assert Assignment.objects.get(pk=ids.number("asg", theirs)).state == "leased"


def test_the_same_answer_again_is_repeated_and_another_one_refused() -> None:
    build.some_tasks(build.a_live_job(), 1)
    worker = _worker()
    [lease] = worker.post("claims").json()["assignments"]
    said = {"assignment": lease["id"], "label": build.CAT}

    states = [
        worker.post("answers", {"answers": [one]}).json()["outcomes"][0]["state"]
        for one in (said, said, {**said, "label": build.DOG})
    ]

    assert states == ["submitted", "repeated", "refused"]


def test_a_claim_whose_answer_was_lost_is_read_back() -> None:
    build.some_tasks(build.a_live_job(), 2)
    worker = _worker()
    claimed = worker.post("claims", {"count": 2}).json()["assignments"]

    held = worker.get("workers/me/assignments", state="leased").json()["results"]

    assert {row["id"]: row["payload"] for row in held} == {row["id"]: row["payload"] for row in claimed}


def test_a_returned_task_can_be_claimed_by_others_at_once() -> None:
    build.some_tasks(build.a_live_job(slots=1), 1)
    worker, other = _worker(), _worker()
    [lease] = worker.post("claims").json()["assignments"]
    assert other.post("claims").status_code == 404

    returned = worker.post(f"assignments/{lease['id']}/return").json()

    assert returned["state"] == "returned"
    assert len(other.post("claims").json()["assignments"]) == 1


def test_a_known_key_costs_no_query_of_its_own() -> None:
    build.some_tasks(build.a_live_job(), 3)
    worker = _worker()
    worker.post("claims")

    with CaptureQueriesContext(connection) as seen:
        assert worker.post("claims").status_code == 200

    assert not [query["sql"] for query in seen if "accounts_apikey" in query["sql"]]


def test_a_revoked_key_does_nothing_although_it_is_remembered() -> None:
    build.some_tasks(build.a_live_job(), 3)
    key, secret = build.a_worker_key()
    worker = Api(secret)
    [lease] = worker.post("claims").json()["assignments"]

    keys.revoke_key(key)

    for path, body in (
        ("claims", {}),
        ("answers", {"answers": [{"assignment": lease["id"], "label": build.CAT}]}),
        ("work", {"answers": [{"assignment": lease["id"], "label": build.CAT}]}),
    ):
        response = worker.post(path, body)
        assert response.status_code == 401, path
        assert response.json()["type"] == "/problems/key-revoked"
    assert Assignment.objects.get(pk=ids.number("asg", lease["id"])).state == "leased"


def test_a_session_may_claim_but_needs_its_csrf_token() -> None:
    build.some_tasks(build.a_live_job(), 3)
    worker = build.a_worker()
    assert worker.user is not None

    assert Api(user=worker.user).post("claims", {}).status_code == 200
    refused = Api(user=worker.user, csrf=True).post("claims", {})

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/csrf-failed"


def test_an_organisations_key_claims_nothing() -> None:
    response = with_key(build.an_organisation_key(build.an_organisation())).post("claims", {})
    assert (response.status_code, response.json()["type"]) == (403, "/problems/not-a-worker")


def test_a_runaway_client_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "_buckets", throttling.Buckets(per_second=0.001, burst=2))
    worker = _worker()

    statuses = [worker.post("claims", {}).status_code for _ in range(3)]

    assert statuses == [404, 404, 429]


@pytest.mark.parametrize(
    ("struct", "serializer"),
    [
        (getattr(hot, name), getattr(hot_shapes, name))
        for name in (
            "ClaimIn",
            "AnswerIn",
            "AnswersIn",
            "WorkIn",
            "LeaseOut",
            "OutcomeOut",
            "LeasesOut",
            "OutcomesOut",
            "WorkOut",
        )
    ],
    ids=lambda kind: kind.__name__,
)
def test_the_documented_shape_is_the_real_one(
    struct: type[msgspec.Struct], serializer: type[serializers.Serializer[object]]
) -> None:
    real = {field.name: field.required for field in msgspec.structs.fields(struct)}
    documented = {name: field.required for name, field in serializer().fields.items()}
    if struct.__name__.endswith("In"):
        assert documented == real
    assert set(documented) == set(real)
