"""The main job through the API alone: founded, paid in, posted, worked, judged, released."""

import json

import pytest

from accounts import organising
from accounts.models import PlatformRole
from marketplace import sweeps
from tests import build
from tests.marketplace.api.client import Api, with_key


def _job(organisation: str, domain: str) -> dict[str, object]:
    return {
        "organisation": organisation,
        "name": "Cats and dogs",
        "domain": domain,
        "label_definition": build.CLASSES,
        "guidelines": "Look closely.",
        "price": "0.05",
        "budget": "10",
        "policy": "fixed:2",
    }


@pytest.mark.usefixtures("committed_db")
def test_a_posted_job_becomes_a_paid_released_dataset() -> None:
    treasurer, ada = build.a_user("Tess"), build.a_user("Ada")
    organising.give_platform_role(treasurer, PlatformRole.Role.TREASURER)
    domain = build.a_domain()
    owner = Api(user=ada)

    organisation = owner.post("organisations", {"name": "Acme"}).json()
    deposit = {"amount": "10", "reference": "bank 1"}
    paid = Api(user=treasurer).post(f"organisations/{organisation['id']}/deposits", deposit, once=True)
    assert paid.status_code == 201, paid.content
    assert paid.json()["balance"] == "10.00"
    domain_id = next(row["id"] for row in owner.get("domains").json()["results"] if row["path"] == domain.path)
    made = owner.post("jobs", _job(organisation["id"], domain_id), once=True)
    assert made.status_code == 201, made.content
    job = made.json()["id"]
    published = owner.post(f"jobs/{job}/publish", once=True)
    assert published.status_code == 200, published.content
    rows = "".join(json.dumps({"text": f"item {number}"}) + "\n" for number in range(6))
    added = owner.send(
        "POST", f"jobs/{job}/batches?name=first", rows.encode(), content_type="application/x-ndjson", once=True
    )
    assert added.status_code == 201, added.content
    assert added.json()["tasks_added"] == 6

    for _ in range(2):
        worker = with_key(build.a_worker_key())
        leases = worker.post("claims", {"count": 3}).json()["assignments"]
        answers = [{"assignment": lease["id"], "label": {"class": "cat"}, "seconds": 2.5} for lease in leases]
        worked = worker.post("work", {"answers": answers, "count": 3, "job": job}).json()
        assert [outcome["state"] for outcome in worked["outcomes"]] == ["submitted"] * 3
        more = [{"assignment": lease["id"], "label": {"class": "cat"}} for lease in worked["assignments"]]
        handed = worker.post("answers", {"answers": more}).json()
        assert [outcome["state"] for outcome in handed["outcomes"]] == ["submitted"] * 3
    for _ in range(3):
        sweeps.step_all()

    report = owner.get(f"jobs/{job}/report").json()
    assert (report["resolved"], report["answers"], report["paid"]) == (6, 12, "0.60")
    assert worker.get("workers/me/earnings").json()["balance"] == "0.30"
    tasks = owner.get(f"jobs/{job}/tasks", state="resolved").json()["results"]
    task = owner.get(f"tasks/{tasks[0]['id']}").json()
    assert task["consensus"]["label"] == {"class": "cat"}
    assert len({answer["worker"] for answer in task["answers_given"]}) == 2
    sealed = owner.post(f"jobs/{job}/releases", once=True)
    assert sealed.status_code == 201, sealed.content
    release = sealed.json()
    for file in release["files"]:
        got = owner.get(f"releases/{release['id']}/files/{file['name']}")
        assert got.status_code == 200
