"""The world that stories happen in: six people, two requesters, one subject with gold, an exam and a level to reach."""

from __future__ import annotations

from dataclasses import dataclass

from accounts import organising, people
from accounts.models import Organisation, User, Worker
from qualification.models import Domain, Exam, GoldSet
from tests import build


@dataclass(frozen=True, slots=True)
class World:
    """Everybody and everything, by name.

    ada    a specialist, qualified at level 3 in radiology
    ben    a worker who is not qualified in anything
    chen   a worker, qualified as Ada is, and suspended
    dora   owner of the requester ``north``
    edo    owner of the requester ``south``
    fay    admin of the platform
    """

    ada: Worker
    ben: Worker
    chen: Worker
    dora: User
    edo: User
    fay: User
    north: Organisation
    south: Organisation
    medicine: Domain
    radiology: Domain
    gold: GoldSet
    exam: Exam


def a_world() -> World:
    """Make the world, through the acts."""
    fay = build.a_user("Fay")
    organising.give_platform_role(fay, "admin")
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    medicine = build.a_domain("medicine")
    radiology = build.a_domain("medicine/radiology")
    gold = build.a_gold_set(radiology, items=6)
    ada, ben, chen = (build.a_worker(name) for name in ("Ada", "Ben", "Chen"))
    for specialist in (ada, chen):
        build.a_qualification(specialist, radiology, level=3)
    people.suspend_worker(chen, reason="Answers came faster than anybody reads.", actor=f"user:{fay.pk}")
    return World(
        ada=ada,
        ben=ben,
        chen=chen,
        dora=dora,
        edo=edo,
        fay=fay,
        north=build.an_organisation("North", owner=dora),
        south=build.an_organisation("South", owner=edo),
        medicine=medicine,
        radiology=radiology,
        gold=gold,
        exam=build.an_exam(gold, level=2, questions=3),
    )
