"""Over HTTP: a revocation ends the lease with its reason, and a requester sees which answers it casts doubt on, not why."""

from __future__ import annotations

import pytest

from accounts import organising
from marketplace.api import ids
from tasks import claiming
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db


def test_a_revocation_reaches_the_worker_with_its_reason_and_the_requester_without() -> None:
    owner, fay, domain = build.a_user(), build.a_user(), build.a_domain()
    organising.give_platform_role(fay, "admin")
    job = build.a_live_job(build.an_organisation(owner=owner), slots=1, requirements=((domain.pk, 1),))
    build.some_tasks(job, 2)
    grant = build.a_qualification(domain=domain)
    answered, held = claiming.claim_tasks(grant.worker_id, count=2)
    worker = with_key(build.a_worker_key(grant.worker))
    said = {"assignment": ids.public("asg", answered.assignment_id), "label": build.CAT}
    assert worker.post("answers", {"answers": [said]}).json()["outcomes"][0]["state"] == "submitted"

    revoked = Api(user=fay).post(f"qualifications/{ids.public('qlf', grant.pk)}/revoke", {"reason": "Guessed."})

    assert (revoked.status_code, revoked.json()["revoked_reason"]) == (200, "Guessed.")
    late = {"assignment": ids.public("asg", held.assignment_id), "label": build.CAT}
    [outcome] = worker.post("answers", {"answers": [late]}).json()["outcomes"]
    assert outcome["problem"]["type"].endswith("/lease-taken-back")
    assert "Guessed." in outcome["problem"]["detail"]
    shown = Api(user=owner).get(f"tasks/{ids.public('tsk', answered.task_id)}").json()
    [answer] = shown["answers_given"]
    assert [flag["kind"] for flag in answer["flags"]] == ["qualification_revoked"]
    assert "Guessed" not in str(shown)
