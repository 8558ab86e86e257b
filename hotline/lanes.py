"""Doing what is due in one lane: claim a batch, do it, save what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import structlog

from foundation.database import Session, savepoint
from foundation.logs import kind_of_error
from foundation.models import DueWork, WorkState
from foundation.work import Lane, LeaseLostError, claim, finish, postpone, sweep
from hotline.jobs import JOBS, MANY, InTransaction, OnItsOwn
from hotline.office import Office
from hotline.pace import works_in_time
from hotline.reacting import Again, react_at_once, read_ahead

log = structlog.get_logger(__name__)


def run_lane(office: Office, lane: Lane, *, worker: str) -> int:
    """Do one batch of what is due in a lane; return how many rows were claimed, 0 when nothing is due."""
    many = min(MANY[lane], office.settings.work.batch_size)
    with office.database.write() as session:
        claimed = claim(session, lane, worker=worker, many=many, lease=office.settings.lease)
    unknown = [work for work in claimed if work.kind not in JOBS]
    _set_aside(office, unknown)
    together = [work for work in claimed if isinstance(JOBS.get(work.kind), InTransaction)]
    while together:
        together = together[_run_together(office, together) :]
    for kind in {work.kind for work in claimed}:
        job = JOBS.get(kind)
        if isinstance(job, OnItsOwn):
            job.run(office, [work for work in claimed if work.kind == kind])
    return len(claimed)


def sweep_lanes(office: Office) -> list[Lane]:
    """Put expired leases back into the queue and return the lanes that have work due."""
    with office.database.write() as session:
        return sweep(session)


def _run_together(office: Office, works: Sequence[DueWork]) -> int:
    """Do rows in one transaction for as long as one may last, and return how many.

    When the transaction itself fails, each row is done alone, so that one cannot fail the others.
    """
    try:
        with office.database.write() as session:
            return _do_in_time(session, works)
    except LeaseLostError:
        if len(works) > 1:
            _run_each(office, works)
        else:
            log.warning("lease_lost", work=str(works[0].id), kind=works[0].kind)
    except Exception as error:
        if len(works) > 1:
            _run_each(office, works)
        else:
            log.exception("work_failed", work=str(works[0].id), kind=works[0].kind)
            with office.database.write() as session:
                _try_later(session, works[0], Again(kind_of_error(error), works[0].payload))
    return len(works)


def _do_in_time(session: Session, works: Sequence[DueWork]) -> int:
    held = read_ahead(session, works)
    session.at_once = []
    taken: list[bool] = []
    for work in works_in_time(works):
        taken.append(_do(session, work))
        react_at_once(session)
    finish(session, [work for work, is_done in zip(works, taken, strict=False) if is_done])
    del held
    return len(taken)


def _run_each(office: Office, works: Sequence[DueWork]) -> None:
    for work in works:
        _run_together(office, [work])


def _do(session: Session, work: DueWork) -> bool:
    """Do one row in its savepoint; return whether it is finished, else it is planned anew."""
    job = JOBS[work.kind]
    assert isinstance(job, InTransaction)
    try:
        with nullcontext() if job.guards_itself else savepoint(session):
            again = job.run(session, work)
    except Exception as error:
        log.exception("work_failed", work=str(work.id), kind=work.kind)
        again = Again(kind_of_error(error), work.payload)
    if again is not None:
        _try_later(session, work, again)
    return again is None


def _try_later(session: Session, work: DueWork, again: Again) -> None:
    state = postpone(session, work, reason=again.reason, payload=again.payload)
    job = JOBS[work.kind]
    if state is WorkState.DEAD:
        log.error("work_is_dead", work=str(work.id), kind=work.kind)
        if isinstance(job, InTransaction) and job.out_of_tries is not None:
            job.out_of_tries(session, work, again.reason)


def _set_aside(office: Office, works: Sequence[DueWork]) -> None:
    """Give back work of kinds that this version does not know; a newer one may be about to start."""
    for work in works:
        log.error("unknown_kind_of_work", work=str(work.id), kind=work.kind)
        with office.database.write() as session:
            postpone(session, work, reason=f"no job does {work.kind}")
