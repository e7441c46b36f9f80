"""Two organisations with the same 200 workers: nothing that either is told lets them find out who is who."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from accounts import blocking, organising
from accounts.models import Organisation, User, Worker
from accounts.queries import pseudonym_of
from marketplace.api import ids
from tasks import claiming, judging, releasing, submitting
from tasks.models import Job
from tests import build
from tests.marketplace.api.client import Api

WORKERS = 200


def a_tenant(name: str, workers: list[Worker]) -> tuple[Organisation, User, Job]:
    """An organisation whose job each of the workers has answered one task of, released; one worker is blocked."""
    owner = build.a_user(f"Owner of {name}")
    organisation = build.an_organisation(name, owner=owner)
    job = build.a_live_job(organisation, name=f"{name}'s job", slots=1, budget_micros=1_000 * build.UNIT)
    build.some_tasks(job, len(workers))
    for worker in workers:
        [lease] = claiming.claim_tasks(worker.pk, job_id=job.pk)
        submitting.submit_answer(worker.pk, submitting.Submission(lease.assignment_id, build.CAT))
    judging.judge_waiting(limit=2 * len(workers))
    releasing.seal_release(job, actor="system")
    blocking.block_worker(workers[0], organisation=organisation, reason=f"Not for {name}.", blocked_by=owner)
    return organisation, owner, job


def told(organisation: Organisation, owner: User, job: Job) -> tuple[list[str], list[dict[str, Any]]]:
    """Every answer of the API to the owner, every file of the release, and the pages that show workers, as text; and the
    API's objects that have a worker."""
    api, texts = Api(user=owner), []
    job_id, org = ids.public("job", job.pk), ids.public("org", organisation.pk)

    def asked(path: str, **query: str) -> Any:
        response = api.get(path, **query)
        assert response.status_code == 200, (path, response.content)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        texts.append(body.decode())
        return body.decode()

    tasks: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = json.loads(asked(f"jobs/{job_id}/tasks", limit="200", **({"cursor": cursor} if cursor else {})))
        tasks += [task["id"] for task in page["results"]]
        cursor = page["next"]
    for task in tasks:
        asked(f"tasks/{task}")
    for path in (f"jobs/{job_id}/report", f"organisations/{org}/blocks", f"organisations/{org}/terms", "audit"):
        asked(path)
    [release] = json.loads(asked(f"jobs/{job_id}/releases"))["results"]
    for file in json.loads(asked(f"releases/{release['id']}"))["files"]:
        asked(f"releases/{release['id']}/files/{file['name']}")
    rows = [row for text in texts for line in lines(text) for row in with_worker(line)]
    shown = [asked(reverse("audit"), organisation=org), asked(reverse("organisation_workers", args=[org]))]
    assert all("w_" in page for page in shown), "a worker is shown, by a pseudonym"
    return texts, rows


def lines(text: str) -> Iterator[Any]:
    """A JSON answer, or each line of a JSON-lines file."""
    try:
        yield json.loads(text)
    except ValueError:
        for line in text.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def with_worker(value: Any) -> Iterator[dict[str, Any]]:
    """Every object, however deep, that says whose it is."""
    if isinstance(value, dict):
        if isinstance(value.get("worker"), str):
            yield value
        for inner in value.values():
            yield from with_worker(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from with_worker(inner)


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in it."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield str(value)


def pointing_at_one(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Each value that stands beside one worker only, and the name of that worker."""
    beside: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for leaf in leaves(row):
            beside[leaf].add(row["worker"])
    return {leaf: next(iter(names)) for leaf, names in beside.items() if len(names) == 1}


@pytest.mark.django_db
@pytest.mark.timeout(600)
def test_two_organisations_with_the_same_workers_share_nothing_that_joins_them() -> None:
    workers = [build.a_worker() for _ in range(WORKERS)]
    north, south = a_tenant("North", workers), a_tenant("South", workers)
    for _, owner, _ in (north, south):
        organising.found_organisation(owner, name="Another")

    (north_texts, north_rows), (south_texts, south_rows) = told(*north), told(*south)

    names = [{pseudonym_of(tenant[0], worker.pk) for worker in workers} for tenant in (north, south)]
    assert [{row["worker"] for row in rows} for rows in (north_rows, south_rows)] == names, (
        "each was seen, by its pseudonym"
    )
    joinable = pointing_at_one(north_rows).keys() & pointing_at_one(south_rows).keys()
    assert joinable == set()
    everything = ["\n".join(north_texts), "\n".join(south_texts)]
    assert not [name for name in names[0] if name in everything[1]]
    assert not [name for name in names[1] if name in everything[0]]
    for worker in workers:
        assert worker.user is not None
        private = (ids.public("wrk", worker.pk), worker.user.email, f'"{worker.name}"')
        assert not [one for one in private for text in everything if one in text]


def test_a_value_that_points_at_one_worker_in_both_is_found() -> None:
    here = [{"worker": "w_a", "seconds": 7.25, "label": "cat"}, {"worker": "w_b", "seconds": 3.0, "label": "cat"}]
    there = [{"worker": "w_x", "seconds": 7.25, "label": "cat"}, {"worker": "w_y", "seconds": 1.0, "label": "cat"}]

    assert pointing_at_one(here).keys() & pointing_at_one(there).keys() == {"7.25"}
