from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event, insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.ids import new_id
from foundation.models import AuditEntry, DueWork, WorkState
from foundation.work import (
    Lane,
    LeaseLostError,
    claim,
    dead_work,
    enqueue,
    finish,
    postpone,
    release_leases,
    renew,
    revive,
    sweep,
)
from tests.conftest import MONDAY_MORNING
from tests.foundation.failing import failing

LEASE = timedelta(minutes=1)
MINUTE = timedelta(minutes=1)
REFUSED = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)


def plan(database: Database, *kinds: str, lane: Lane = Lane.REACTIONS, **more: Any) -> None:
    with database.write() as session:
        for kind in kinds:
            enqueue(session, kind, lane=lane, **more)


def take(database: Database, *, lane: Lane = Lane.REACTIONS, worker: str = "first", many: int = 50) -> list[DueWork]:
    with database.write() as session:
        return claim(session, lane, worker=worker, many=many, lease=LEASE)


def kinds(works: Sequence[DueWork]) -> list[str]:
    return [work.kind for work in works]


def rows(database: Database) -> dict[str, DueWork]:
    with database.read() as session:
        return {work.kind: work for work in session.exec(select(DueWork))}


def swept(database: Database) -> list[Lane]:
    with database.write() as session:
        return sweep(session)


def use_up_all_tries(database: Database, clock: SetClock, work: DueWork) -> DueWork:
    """Postpone `work` until it is dead."""
    for _ in range(work.max_attempts):
        with database.write() as session:
            state = postpone(session, work, reason="no luck")
        if state is WorkState.DEAD:
            return work
        clock.set(clock.now() + timedelta(days=2))
        [work] = take(database)
    raise AssertionError("it never dies")


# ── planning ──


def test_work_is_written_with_its_cause_or_not_at_all(database: Database) -> None:
    with failing(database.write()) as session:
        enqueue(session, "lost", lane=Lane.REACTIONS)
    assert rows(database) == {}


def test_those_who_wait_for_a_lane_are_woken_after_the_commit_and_not_before(database: Database) -> None:
    woken: list[tuple[frozenset[str], list[str]]] = []
    database.nudge = lambda lanes: woken.append((lanes, sorted(rows(database))))
    with database.write() as session:
        enqueue(session, "now", lane=Lane.OUTBOX)
        enqueue(session, "later", lane=Lane.FOLLOWUP, due_at=session.now + MINUTE)
        assert woken == []
    assert woken == [(frozenset({Lane.OUTBOX}), ["later", "now"])]


def test_nobody_is_woken_by_a_transaction_that_failed(database: Database) -> None:
    woken: list[frozenset[str]] = []
    database.nudge = woken.append
    with failing(database.write()) as session:
        enqueue(session, "lost", lane=Lane.OUTBOX)
    assert woken == []


def test_the_same_occurrence_is_never_planned_twice(database: Database) -> None:
    plan(database, "remind", dedupe_key="remind:1")
    plan(database, "remind another", dedupe_key="remind:2")
    with pytest.raises(REFUSED):
        plan(database, "remind again", dedupe_key="remind:1")
    assert sorted(rows(database)) == ["remind", "remind another"]


def test_work_that_this_installation_does_nothing_for_is_not_written(database: Database) -> None:
    database.idle_kinds = frozenset({"idle"})
    plan(database, "idle", "busy")
    assert list(rows(database)) == ["busy"]


def test_a_row_keeps_what_its_job_needs(database: Database) -> None:
    subject = new_id()
    plan(database, "a", subject_id=subject, payload={"done": ["one"], "号": None})
    [work] = take(database)
    assert (work.subject_id, work.payload, work.max_attempts) == (subject, {"done": ["one"], "号": None}, 8)


# ── claiming ──


def test_what_is_due_longest_is_claimed_first_and_what_is_not_due_stays(database: Database, clock: SetClock) -> None:
    plan(database, "third", due_at=MONDAY_MORNING)
    plan(database, "first", due_at=MONDAY_MORNING - 2 * MINUTE)
    plan(database, "second", "second too", due_at=MONDAY_MORNING - MINUTE)
    plan(database, "tomorrow", due_at=MONDAY_MORNING + timedelta(days=1))
    assert kinds(take(database, many=3)) == ["first", "second", "second too"]
    assert kinds(take(database)) == ["third"]
    clock.set(MONDAY_MORNING + timedelta(days=1))
    assert kinds(take(database)) == ["tomorrow"]


def test_lanes_do_not_touch_each_other(database: Database) -> None:
    plan(database, "letter", lane=Lane.OUTBOX)
    plan(database, "reaction", lane=Lane.REACTIONS)
    assert kinds(take(database, lane=Lane.OUTBOX)) == ["letter"]
    assert kinds(take(database, lane=Lane.INTAKE)) == []
    assert kinds(take(database, lane=Lane.REACTIONS)) == ["reaction"]


def test_a_claim_is_written_down_with_its_worker_its_end_and_its_try(database: Database) -> None:
    plan(database, "a")
    [work] = take(database, worker="worker 7")
    for seen in (work, rows(database)["a"]):
        assert (seen.state, seen.worker, seen.lease_until, seen.attempts) == (WorkState.LEASED, "worker 7", MONDAY_MORNING + LEASE, 1)


def test_a_try_counts_when_it_begins_even_if_its_worker_dies(database: Database, clock: SetClock) -> None:
    plan(database, "killer")
    for attempt in (1, 2, 3):
        [work] = take(database)
        assert work.attempts == attempt
        clock.set(clock.now() + 2 * LEASE)
        swept(database)


def test_four_claimers_never_hold_the_same_row(database: Database) -> None:
    plan(database, *(f"work {number:02}" for number in range(60)))
    start = Barrier(4)

    def empty_the_lane(number: int) -> list[UUID]:
        start.wait(timeout=30)
        held: list[UUID] = []
        while claimed := take(database, worker=f"worker {number}", many=3):
            held += [work.id for work in claimed]
        return held

    with ThreadPoolExecutor(4) as threads:
        held = [each for one in threads.map(empty_the_lane, range(4)) for each in one]
    assert len(held) == len(set(held)) == 60


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_claimer_does_not_wait_for_one_that_has_not_committed(database: Database) -> None:
    plan(database, *(f"work {number}" for number in range(6)))
    with database.write() as session:
        first = claim(session, Lane.REACTIONS, worker="first", many=4, lease=LEASE)
        second = take(database, worker="second", many=4)
    assert kinds(first) == ["work 0", "work 1", "work 2", "work 3"]
    assert kinds(second) == ["work 4", "work 5"]


# ── finishing, giving back ──


def test_finished_work_is_gone(database: Database) -> None:
    plan(database, "a", "b", "c")
    claimed = take(database)
    with database.write() as session:
        finish(session, claimed[:2])
    assert list(rows(database)) == ["c"]


def test_what_was_done_under_a_lost_lease_is_rolled_back(database: Database, clock: SetClock) -> None:
    plan(database, "a", "b")
    late = take(database, worker="late")
    clock.set(MONDAY_MORNING + 2 * LEASE)
    swept(database)
    current = take(database, worker="current")
    with pytest.raises(LeaseLostError), database.write() as session:
        do_and_finish(session, late)
    with database.read() as session:
        assert session.exec(select(AuditEntry)).all() == []
    assert {work.worker for work in rows(database).values()} == {"current"}
    with database.write() as session:
        finish(session, current)
    assert rows(database) == {}


def do_and_finish(session: Session, works: Sequence[DueWork]) -> None:
    session.add(AuditEntry(at=session.now, actor="system", action="done"))
    finish(session, works)


def test_a_lease_that_was_swept_is_lost_even_if_nobody_took_it_over(database: Database, clock: SetClock) -> None:
    plan(database, "a")
    late = take(database)
    clock.set(MONDAY_MORNING + 2 * LEASE)
    swept(database)
    with pytest.raises(LeaseLostError), database.write() as session:
        finish(session, late)
    assert rows(database)["a"].state is WorkState.DUE


def test_rows_in_different_tries_are_finished_together(database: Database, clock: SetClock) -> None:
    both = one_in_its_second_try(database, clock)
    assert sorted(work.attempts for work in both) == [1, 2]
    with database.write() as session:
        finish(session, both)
    assert rows(database) == {}


def one_in_its_second_try(database: Database, clock: SetClock) -> list[DueWork]:
    """Plan "first" and "second" and claim both, "second" for the second time."""
    plan(database, "second")
    take(database, worker="dead")
    clock.set(clock.now() + 2 * LEASE)
    swept(database)
    plan(database, "first")
    return take(database, worker="late")


def test_nothing_to_finish_is_fine(database: Database) -> None:
    with database.write() as session:
        finish(session, [])


def test_delays_grow_until_the_work_is_dead_with_its_reason(database: Database, clock: SetClock) -> None:
    plan(database, "a")
    delays, states = [], []
    while claimed := take(database):
        with database.write() as session:
            states.append(postpone(session, claimed[0], reason="the provider is away"))
        due_at = rows(database)["a"].due_at
        delays.append((due_at - clock.now()).total_seconds())
        clock.set(due_at)
    row = rows(database)["a"]
    assert delays == [30, 60, 120, 240, 480, 960, 1920, 3840]
    assert states == [WorkState.DUE] * 7 + [WorkState.DEAD]
    assert (row.state, row.last_error, row.worker, row.lease_until) == (WorkState.DEAD, "the provider is away", None, None)


def test_postponed_work_is_not_due_a_moment_too_early(database: Database, clock: SetClock) -> None:
    plan(database, "a")
    [work] = take(database)
    with database.write() as session:
        postpone(session, work, reason="the provider said when", after=timedelta(minutes=10), payload={"done": ["one"]})
    clock.set(MONDAY_MORNING + timedelta(minutes=10) - timedelta(microseconds=1))
    assert take(database) == []
    clock.set(MONDAY_MORNING + timedelta(minutes=10))
    assert [work.payload for work in take(database)] == [{"done": ["one"]}]


def test_an_endless_reason_is_cut(database: Database) -> None:
    plan(database, "a")
    [work] = take(database)
    with database.write() as session:
        postpone(session, work, reason="错" * 5000)
    assert rows(database)["a"].last_error == "错" * 2000


def test_a_late_worker_changes_nothing_of_the_one_that_took_over(database: Database, clock: SetClock) -> None:
    # The late one holds tries 1 and 2; the lost row is in its second try now, with somebody else.
    late = one_in_its_second_try(database, clock)
    with database.write() as session:
        renew(session, [work for work in late if work.kind == "second"], timedelta(days=1))
    clock.set(clock.now() + 2 * LEASE)
    swept(database)
    [taken_over] = take(database, worker="current")
    assert (taken_over.kind, taken_over.attempts) == ("first", 2)
    before = rows(database)["first"].model_dump()
    clock.set(clock.now() + timedelta(seconds=1))
    with database.write() as session:
        renew(session, late, LEASE)
    assert rows(database)["first"].model_dump() == before
    with database.write() as session:
        postpone(session, next(work for work in late if work.kind == "first"), reason="too late")
    assert rows(database)["first"].model_dump() == before


def test_a_renewed_lease_is_not_swept(database: Database, clock: SetClock) -> None:
    plan(database, "a", "b")
    first, second = take(database)
    clock.set(MONDAY_MORNING + LEASE - timedelta(seconds=1))
    with database.write() as session:
        renew(session, [second], LEASE)
    clock.set(MONDAY_MORNING + LEASE + timedelta(seconds=1))
    swept(database)
    assert {kind: work.state for kind, work in rows(database).items()} == {first.kind: WorkState.DUE, second.kind: WorkState.LEASED}


# ── what was lost ──


def test_the_sweep_returns_expired_leases_and_names_the_lanes_with_work(database: Database, clock: SetClock) -> None:
    plan(database, "expired")
    take(database)
    clock.set(MONDAY_MORNING + LEASE)
    plan(database, "held")
    take(database)
    plan(database, "letter", lane=Lane.OUTBOX)
    plan(database, "later", lane=Lane.FOLLOWUP, due_at=clock.now() + timedelta(hours=1))
    assert swept(database) == [Lane.OUTBOX]  # a lease that ends this moment still holds
    clock.set(clock.now() + timedelta(seconds=1))
    assert sorted(swept(database)) == [Lane.OUTBOX, Lane.REACTIONS]
    states = {kind: work.state for kind, work in rows(database).items()}
    assert states == {"expired": WorkState.DUE, "held": WorkState.LEASED, "letter": WorkState.DUE, "later": WorkState.DUE}


def test_work_that_kills_its_worker_every_time_ends_as_dead(database: Database, clock: SetClock) -> None:
    plan(database, "killer")
    for _ in range(8):
        assert kinds(take(database)) == ["killer"]
        clock.set(clock.now() + 2 * LEASE)
        swept(database)
    assert take(database) == []
    with database.read() as session:
        [dead] = dead_work(session)
    assert (dead.kind, dead.attempts, dead.worker) == ("killer", 8, None)
    assert dead.last_error


def test_two_sweeps_at_once_do_no_harm(database: Database, clock: SetClock) -> None:
    plan(database, *(f"work {number}" for number in range(40)))
    take(database)
    clock.set(MONDAY_MORNING + 2 * LEASE)
    start = Barrier(2)

    def sweep_at_once(_: int) -> list[Lane]:
        start.wait(timeout=30)
        return swept(database)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(sweep_at_once, range(2))) == [[Lane.REACTIONS]] * 2
    assert {(work.state, work.attempts) for work in rows(database).values()} == {(WorkState.DUE, 1)}


def test_dead_work_is_revived_with_all_its_tries_and_wakes_its_lane(database: Database, clock: SetClock) -> None:
    plan(database, "a")
    [work] = take(database)
    use_up_all_tries(database, clock, work)
    woken: list[frozenset[str]] = []
    database.nudge = woken.append
    with database.write() as session:
        assert revive(session, work.id)
    assert woken == [frozenset({Lane.REACTIONS})]
    with database.read() as session:
        assert dead_work(session) == []
    use_up_all_tries(database, clock, take(database)[0])


def test_only_dead_work_is_revived(database: Database) -> None:
    plan(database, "due", "leased")
    take(database, many=1)
    with database.write() as session:
        assert not any(revive(session, work.id) for work in rows(database).values())
        assert not revive(session, new_id())
    assert sorted(work.attempts for work in rows(database).values()) == [0, 1]


def test_a_server_that_starts_takes_over_what_a_killed_one_had_claimed(database: Database) -> None:
    plan(database, "a", "b", "c")
    late = take(database, many=2)
    with database.write() as session:
        assert release_leases(session) == 2
        assert release_leases(session) == 0
    assert kinds(take(database)) == ["a", "b", "c"]
    with pytest.raises(LeaseLostError), database.write() as session:
        finish(session, late)


def test_work_that_kills_the_server_at_every_start_ends_as_dead(database: Database) -> None:
    plan(database, "killer")
    for _ in range(8):
        assert kinds(take(database)) == ["killer"]
        with database.write() as session:
            release_leases(session)
    assert take(database) == []
    with database.read() as session:
        assert kinds(dead_work(session)) == ["killer"]


# ── speed ──

MANY = 10_000


def fill(database: Database) -> None:
    """Store what stands in every old installation: a future of follow-ups, and work that died."""

    def row(number: int, state: WorkState) -> dict[str, Any]:
        due_at = MONDAY_MORNING + timedelta(days=1 if state is WorkState.DUE else -1, seconds=number)
        work = DueWork(kind=f"{state} {number}", lane=Lane.REACTIONS, due_at=due_at, state=state)
        return {name: getattr(work, name) for name in DueWork.model_fields}

    with database.write() as session:
        for state in (WorkState.DUE, WorkState.DEAD):
            session.execute(insert(DueWork), [row(number, state) for number in range(MANY)])
        for number in range(20):
            enqueue(session, f"due {number:02}", lane=Lane.REACTIONS)


def explained(database: Database, act: Any) -> str:
    """Return how the database runs each statement of `act` that touches the queue."""
    statements: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "due_work" in statement:
            statements.append((statement, parameters))

    with database.write() as session:
        past_sqlalchemy = session.execute_on_driver

        def keep_too(statement: str, parameters: Any = ()) -> Any:
            keep(None, None, statement, tuple(parameters) if isinstance(parameters, list) else parameters)
            return past_sqlalchemy(statement, parameters)

        vars(session)["execute_on_driver"] = keep_too
        event.listen(database.engine, "before_cursor_execute", keep)
        act(session)
        event.remove(database.engine, "before_cursor_execute", keep)
        session.rollback()
    assert statements
    explain = "explain query plan" if database.is_sqlite else "explain"
    lines: list[str] = []
    with database.read() as session:
        for statement, parameters in statements:
            lines += [str(line[-1]) for line in session.connection().exec_driver_sql(f"{explain} {statement}", parameters)]
    return "\n".join(lines)


def test_twenty_thousand_rows_that_are_not_due_cost_a_claim_and_a_sweep_nothing(database: Database) -> None:
    fill(database)

    def claim_some(session: Session) -> None:
        assert len(claim(session, Lane.REACTIONS, worker="w", many=50, lease=LEASE)) == 20

    for is_analysed in (False, True):
        if is_analysed:
            analyse(database)
        claiming, sweeping = explained(database, claim_some), explained(database, sweep)
        assert "ix_due_work_claim" in claiming, claiming
        assert "SCAN due_work" not in claiming, claiming  # not even of the whole index
        assert sweeping.count("ix_due_work_lease") >= 2, sweeping
        for plan in (claiming, sweeping):
            assert "Seq Scan on due_work" not in plan, plan
            assert not re.search("SCAN due_work(?! USING (COVERING )?INDEX)", plan), plan


def analyse(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("analyze due_work")
