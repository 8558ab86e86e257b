"""Doing what is due: in batches, each row alone when it must be, and never for somebody who lost it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from foundation import audit
from foundation.database import Session
from foundation.ids import new_id
from foundation.models import AuditEntry, DueWork, WorkState
from foundation.work import Lane, claim, enqueue
from hotline.jobs import JOBS, InTransaction, OnItsOwn
from hotline.lanes import run_lane, sweep_lanes
from hotline.office import Office
from hotline.reacting import Again
from hotline.runner import Runner
from tests.cast import Desk
from tests.live import wait_until

GOOD, POISON, NOT_YET, ODD, ALONE = "good", "poison", "not_yet", "odd", "alone"


def do_well(session: Session, work: DueWork) -> None:
    audit.record(session, actor="system", action="done", subject=str(work.subject_id))


def fail(session: Session, work: DueWork) -> None:
    do_well(session, work)
    raise ValueError("poison")


def ask_for_more_time(session: Session, work: DueWork) -> Again:
    do_well(session, work)
    return Again("half of it", {"half": len(work.payload)})


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[UUID | None]:
    """Jobs of the tests' own; gives the subjects of poison that was set aside."""
    set_aside: list[UUID | None] = []
    monkeypatch.setitem(JOBS, GOOD, InTransaction(do_well))
    monkeypatch.setitem(JOBS, POISON, InTransaction(fail, out_of_tries=lambda _session, work, _reason: set_aside.append(work.subject_id)))
    monkeypatch.setitem(JOBS, NOT_YET, InTransaction(ask_for_more_time))
    return set_aside


def plan(desk: Desk, *kinds: str, lane: Lane = Lane.UPKEEP) -> list[UUID]:
    """Plan one piece of work of each kind, due now; return their subjects."""
    subjects = [new_id() for _ in kinds]
    with desk.database.write() as session:
        for kind, subject_id in zip(kinds, subjects, strict=True):
            enqueue(session, kind, lane=lane, subject_id=subject_id)
    return subjects


def done(desk: Desk) -> list[str]:
    return [entry.subject for entry in desk.all(AuditEntry) if entry.action == "done"]


def test_poison_goes_dead_after_its_tries_while_its_neighbours_succeed(desk: Desk, jobs: list[UUID | None]) -> None:
    desk.change_settings(work={"max_attempts": 3})
    first, poison, last = plan(desk, GOOD, POISON, GOOD)
    for _ in range(6):
        desk.work()
        desk.later(hours=1)
    assert done(desk) == [str(first), str(last)], "nothing of the poison's own stands"
    (work,) = desk.all(DueWork)
    assert (work.state, work.attempts) == (WorkState.DEAD, 3)
    assert (work.last_error or "").startswith("ValueError")
    assert jobs == [poison], "its subject is set aside, once"


def test_each_further_wait_is_twice_as_long(desk: Desk) -> None:
    plan(desk, POISON)
    waits = []
    for _ in range(5):
        desk.work()
        (work,) = desk.all(DueWork)
        waits.append((work.due_at - desk.clock.now()).total_seconds())
        desk.clock.set(work.due_at)
    assert waits == [30, 60, 120, 240, 480]


def test_work_that_is_half_done_keeps_what_it_wrote_and_what_it_remembers(desk: Desk) -> None:
    (subject,) = plan(desk, NOT_YET)
    desk.work()
    (work,) = desk.all(DueWork)
    assert (done(desk), work.payload, work.last_error) == ([str(subject)], {"half": 0}, "half of it")


def test_a_lost_lease_rolls_the_work_back_and_its_neighbours_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_it(session: Session, work: DueWork) -> None:
        do_well(session, work)
        stolen = session.get_one(DueWork, work.id)
        stolen.attempts += 1  # somebody else claimed it meanwhile
        session.flush()

    monkeypatch.setitem(JOBS, ODD, InTransaction(lose_it))
    lost, good = plan(desk, ODD, GOOD)
    run_lane(desk.office, Lane.UPKEEP, worker="slow")
    assert done(desk) == [str(good)]
    assert [work.subject_id for work in desk.all(DueWork)] == [lost]


def test_work_of_a_worker_that_died_is_done_by_another_after_its_lease(desk: Desk) -> None:
    (subject,) = plan(desk, GOOD)
    with desk.database.write() as session:
        assert len(claim(session, Lane.UPKEEP, worker="dies", many=5, lease=timedelta(seconds=60))) == 1
    assert run_lane(desk.office, Lane.UPKEEP, worker="other") == 0, "it is leased"
    desk.later(seconds=59)
    assert sweep_lanes(desk.office) == []
    desk.later(seconds=2)
    assert sweep_lanes(desk.office) == [Lane.UPKEEP]
    desk.work()
    assert done(desk) == [str(subject)]


def test_work_that_kills_its_worker_again_and_again_ends_dead(desk: Desk) -> None:
    desk.change_settings(work={"max_attempts": 2})
    plan(desk, GOOD)
    for _ in range(3):
        with desk.database.write() as session:
            claim(session, Lane.UPKEEP, worker="dies", many=5, lease=timedelta(seconds=60))
        desk.later(seconds=61)
        sweep_lanes(desk.office)
    (work,) = desk.all(DueWork)
    assert (work.state, work.attempts, work.last_error) == (WorkState.DEAD, 2, "the worker died or lost its lease")


def test_work_of_a_kind_that_this_version_does_not_know_waits_for_one_that_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (subject,) = plan(desk, "from_the_future")
    desk.work()
    (work,) = desk.all(DueWork)
    assert (work.state, work.last_error) == ("due", "no job does from_the_future")
    monkeypatch.setitem(JOBS, "from_the_future", InTransaction(do_well))
    desk.clock.set(work.due_at)
    desk.work()
    assert done(desk) == [str(subject)]


def test_lanes_do_not_wait_for_each_other(desk: Desk) -> None:
    plan(desk, GOOD, lane=Lane.INTAKE)
    assert run_lane(desk.office, Lane.UPKEEP, worker="x") == 0
    assert run_lane(desk.office, Lane.INTAKE, worker="x") == 1


def test_a_batch_is_no_larger_than_the_setting_and_begins_with_what_waited_longest(desk: Desk) -> None:
    desk.change_settings(work={"batch_size": 2})
    subjects = []
    for _ in range(3):
        subjects += [str(subject) for subject in plan(desk, GOOD)]
        desk.later(seconds=1)
    assert run_lane(desk.office, Lane.UPKEEP, worker="x") == 2
    assert done(desk) == subjects[:2]


def test_work_with_others_outside_gets_its_batch_with_no_transaction_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[UUID | None]] = []

    def run(office: Office, works: object) -> None:
        with office.database.write():  # would wait for ever if one were open
            batches.append([work.subject_id for work in works])  # type: ignore[attr-defined]

    monkeypatch.setitem(JOBS, ALONE, OnItsOwn(run))
    subjects = plan(desk, ALONE, ALONE)
    run_lane(desk.office, Lane.UPKEEP, worker="x")
    assert batches == [subjects]


def test_the_runner_does_what_it_is_nudged_for_and_stops_when_told(desk: Desk) -> None:
    desk.change_settings(work={"sweep_seconds": 3600})
    runner = Runner(desk.office)
    runner.start()
    try:
        (subject,) = plan(desk, GOOD)
        wait_until(lambda: done(desk) == [str(subject)], "the runner did the work", seconds=20)
        assert runner.is_alive
    finally:
        runner.stop()
    assert not runner.is_alive


def test_the_runner_outlives_a_database_that_is_away_for_a_moment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = run_lane, iter([OSError("the database is away")])

    def fail_once(office: Office, lane: Lane, *, worker: str) -> int:
        for failure in failures:
            raise failure
        return real(office, lane, worker=worker)

    monkeypatch.setattr("hotline.runner.run_lane", fail_once)
    runner = Runner(desk.office)
    (subject,) = plan(desk, GOOD)
    runner.start()
    try:
        wait_until(lambda: done(desk) == [str(subject)], "the runner went on", seconds=20)
    finally:
        runner.stop()
