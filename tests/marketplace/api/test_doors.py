"""What all addresses have in common: who asks, how often, pages of lists, and the committed schema."""

from pathlib import Path

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisDown

from accounts import keys
from marketplace.api import explanations, ids, throttling
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]


def test_writing_by_session_needs_the_csrf_token_and_by_key_does_not() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    job = build.a_live_job(organisation)
    address = f"jobs/{ids.public('job', job.pk)}/pause"

    refused = Api(user=owner, csrf=True).post(address)
    paused = Api(build.an_organisation_key(organisation)[1], csrf=True).post(address)

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/csrf-failed")
    assert paused.json()["state"] == "paused"


def test_a_key_is_judged_alone_even_where_a_session_comes_along() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    api = Api(user=owner)
    api.headers = with_key(build.an_organisation_key(organisation, ["money:read"])).headers

    response = api.get(f"jobs/{ids.public('job', build.a_draft_job(organisation).pk)}")

    assert (response.status_code, response.json()["right"]) == (403, "jobs:read")


def test_a_key_of_somebody_who_was_deactivated_is_refused() -> None:
    worker = build.a_worker()
    api = with_key(build.a_worker_key(worker))
    assert api.get("me").status_code == 200
    assert worker.user is not None
    worker.user.is_active = False
    worker.user.save(update_fields=["is_active"])

    assert api.get("me").status_code == 401


def test_a_secret_is_shown_once() -> None:
    owner = build.a_user()
    organisation = ids.public("org", build.an_organisation(owner=owner).pk)
    api = Api(user=owner)

    issued = api.post(f"organisations/{organisation}/keys", {"name": "ci", "scopes": ["jobs:read"]}).json()
    listed = api.get(f"organisations/{organisation}/keys")

    assert Api(issued["secret"]).get("me").json()["scopes"] == ["jobs:read"]
    assert issued["secret"] not in listed.content.decode()
    assert api.delete(f"keys/{issued['id']}").status_code == 204
    assert Api(issued["secret"]).get("me").status_code == 401


def test_a_key_cannot_issue_a_key() -> None:
    organisation = build.an_organisation()
    key = with_key(build.an_organisation_key(organisation))
    body = {"name": "more", "scopes": list(keys.ORGANISATION_SCOPES)}

    assert key.post(f"organisations/{ids.public('org', organisation.pk)}/keys", body).status_code == 403


def test_pages_follow_each_other_and_show_every_row_once() -> None:
    owner = build.a_user()
    job = build.a_live_job(build.an_organisation(owner=owner))
    tasks = build.some_tasks(job, 7)
    api, address = Api(user=owner), f"jobs/{ids.public('job', job.pk)}/tasks"

    seen, asked = [], {"limit": "3"}
    while True:
        page = api.get(address, **asked).json()
        seen += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        asked = {"limit": "3", "cursor": page["next"]}

    assert seen == [ids.public("tsk", task.pk) for task in tasks]


def test_hidden_gold_is_listed_for_who_may_read_gold_and_for_nobody_else() -> None:
    organisation = build.an_organisation()
    job = build.a_live_job(organisation)
    plain = build.some_tasks(job, 2)
    [gold, *_] = build.gold_tasks(job, build.a_gold_set(items=2))
    address = f"jobs/{ids.public('job', job.pk)}/tasks"
    with_gold = with_key(build.an_organisation_key(organisation, ["jobs:read", "answers:read", "gold:read"]))
    without = with_key(build.an_organisation_key(organisation, ["jobs:read", "answers:read"]))

    assert len(with_gold.get(address).json()["results"]) == 4
    assert [row["id"] for row in without.get(address).json()["results"]] == [ids.public("tsk", one.pk) for one in plain]
    assert with_gold.get(f"tasks/{ids.public('tsk', gold.pk)}").json()["gold"] is True
    assert without.get(f"tasks/{ids.public('tsk', gold.pk)}").status_code == 404


def test_two_organisations_know_one_worker_by_two_names() -> None:
    worker, names = build.a_worker(), set()
    for _ in range(2):
        owner = build.a_user()
        [task] = build.some_tasks(build.a_live_job(build.an_organisation(owner=owner)), 1)
        build.an_answer(task, worker=worker)
        shown = Api(user=owner).get(f"tasks/{ids.public('tsk', task.pk)}").json()
        names.add(shown["answers_given"][0]["worker"])
        assert ids.public("wrk", worker.pk) not in str(shown)
    assert len(names) == 2


def test_asking_too_often_is_refused_with_a_time_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(throttling.PER_MINUTE, "read", 3)
    api = Api(user=build.a_user())

    responses = [api.get("me") for _ in range(4)]

    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert 1 <= int(responses[-1]["Retry-After"]) <= 60
    assert Api(user=build.a_user()).get("me").status_code == 200


def test_a_forged_forwarding_header_does_not_lift_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(throttling.PER_MINUTE, "read", 2)
    stranger = Api()

    statuses = []
    for number in range(3):
        stranger.headers["X-Forwarded-For"] = f"10.0.0.{number}"
        statuses.append(stranger.get("line").status_code)

    assert statuses == [200, 200, 429]


def test_without_a_cache_the_api_answers_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> bool:
        raise RedisDown

    monkeypatch.setattr(cache, "add", down)
    assert Api(user=build.a_user()).get("me").status_code == 200


def test_an_address_that_leads_nowhere_is_a_problem_too() -> None:
    response = Api().get("no/such/thing")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_health_and_readiness_are_told() -> None:
    stranger = Api()
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").json() == {"status": "ok"}


def test_the_schema_is_the_committed_file() -> None:
    assert explanations.schema_text().decode().strip() == (ROOT / "docs/reference/openapi.yaml").read_text().strip()
    assert Api().get("schema").content == explanations.schema_text()


def test_the_reference_loads_nothing_from_elsewhere() -> None:
    page = Api().get("docs").content.decode()
    assert "://" not in page
    assert "swagger-ui-bundle.js" in page


def test_raw_managers_are_used_in_the_policies_alone() -> None:
    api = ROOT / "marketplace" / "api"
    using = {path.name for path in api.glob("*.py") if ".objects" in path.read_text()}
    # Policies of credentials, and of agreements and blocks, stand in modules of their own.
    assert using == {"policies.py", "dossiers.py", "covenants.py", "idempotency.py"}
