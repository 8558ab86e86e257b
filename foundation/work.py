"""The one queue: a row of `due_work` is the promise that something will be done.

It is written in the transaction of its cause, claimed under a lease by a worker, and deleted when done. Whatever wakes
the workers (the embedded runner, Celery) may be late or lost; the row is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, bindparam, case, delete, inspect, text, tuple_, update
from sqlmodel import col, select

from foundation.database import Session
from foundation.models import DueWork, WorkState
from foundation.prepared import Prepared, store


class Lane(StrEnum):
    """Kinds of work that do not wait for each other, most pressing first."""

    INTAKE = "intake"
    REACTIONS = "reactions"
    OUTBOX = "outbox"
    FOLLOWUP = "followup"
    UPKEEP = "upkeep"


# Written out, not bound: a partial index serves only a condition that the planner can read.
IS_DUE = text("due_work.state = 'due'")
IS_LEASED = text("due_work.state = 'leased'")
IS_DEAD = text("due_work.state = 'dead'")


class LeaseLostError(Exception):
    """Somebody else took the work over meanwhile; what was done for it is rolled back."""


def enqueue(
    session: Session,
    kind: str,
    *,
    lane: Lane,
    subject_id: UUID | None = None,
    due_at: datetime | None = None,
    payload: dict[str, Any] | None = None,
    dedupe_key: str | None = None,
) -> None:
    """Add work to be done at `due_at` (now when not given), in the transaction of its cause.

    Work of a kind for which this installation does nothing is not written.
    dedupe_key   kind + subject + occurrence; a second row with the same key is refused by the database
    payload      ids and small facts; the job reads its subject anew
    """
    if kind in session.idle_kinds:
        return
    work = DueWork.plain(
        kind=kind,
        lane=lane,
        subject_id=subject_id,
        payload=payload or {},
        due_at=due_at or session.now,
        max_attempts=session.settings.work.max_attempts,
        dedupe_key=dedupe_key,
    )
    store(session, work)
    if work.due_at <= session.now:
        session.lanes.add(lane)


_COLUMNS = tuple(inspect(DueWork).local_table.columns)
_NEXT = (
    select(DueWork.id)
    .where(IS_DUE, col(DueWork.lane) == bindparam("in_lane"), col(DueWork.due_at) <= bindparam("now"))
    .order_by(col(DueWork.due_at), col(DueWork.id))
    .limit(bindparam("many"))
    .with_for_update(skip_locked=True)  # SQLite has one claimer and leaves it out
    .cte("next")
)
_CLAIM = Prepared(
    update(DueWork)
    .where(col(DueWork.id).in_(select(_NEXT.c.id)))
    .values(state=WorkState.LEASED, lease_until=bindparam("until"), worker=bindparam("by"), attempts=col(DueWork.attempts) + 1)
    .returning(*_COLUMNS)
)
_FINISH = Prepared(
    delete(DueWork).where(col(DueWork.id) == bindparam("the_id"), col(DueWork.attempts) == bindparam("in_attempt"), IS_LEASED)
)


def claim(session: Session, lane: Lane, *, worker: str, many: int, lease: timedelta) -> list[DueWork]:
    """Return up to `many` rows that are due, leased to `worker`; the caller commits before it works on them.

    The attempt is counted here, so that work which kills its worker runs out of tries.
    """
    values = {"in_lane": lane, "now": session.now, "many": many, "until": session.now + lease, "by": worker}
    names = [column.name for column in _COLUMNS]
    claimed = [DueWork.plain(**dict(zip(names, row, strict=True))) for row in _CLAIM.rows(session, values)]
    return sorted(claimed, key=lambda work: (work.due_at, work.id))


def finish(session: Session, done: Sequence[DueWork]) -> None:
    """Delete rows in the transaction that did their work. Raises LeaseLostError when a lease was lost."""
    held = [{"the_id": work.id, "in_attempt": work.attempts} for work in done]
    if held and _FINISH.run_many(session, held) != len(held):
        raise LeaseLostError


def renew(session: Session, held: Sequence[DueWork], lease: timedelta) -> None:
    """Extend the leases of rows that are still being worked on."""
    session.execute(_held(held).values(lease_until=session.now + lease))


def postpone(
    session: Session, work: DueWork, *, reason: str, payload: dict[str, Any] | None = None, after: timedelta | None = None
) -> WorkState:
    """Give the row back with its reason, due again after a growing delay; out of tries it is set aside as dead.

    reason   for a person; holds no citizen's data
    Returns  DUE or DEAD; LEASED when the lease was lost and nothing was changed
    """
    is_dead = work.attempts >= work.max_attempts
    delay = after or timedelta(seconds=session.settings.work.retry_seconds * 2 ** min(work.attempts - 1, 10))
    state = WorkState.DEAD if is_dead else WorkState.DUE
    values: dict[str, Any] = {"state": state, "due_at": session.now + delay, "lease_until": None, "worker": None}
    values["last_error"] = reason[:2000]
    if payload is not None:
        values["payload"] = payload
    changed: CursorResult[Any] = session.execute(_held([work]).values(**values))  # type: ignore[assignment]
    return state if changed.rowcount else WorkState.LEASED


def _held(works: Sequence[DueWork]) -> Any:
    """Return an update of those rows that are still leased in the very attempt that `works` know."""
    return (
        update(DueWork)
        .where(
            col(DueWork.id).in_([work.id for work in works]),
            tuple_(col(DueWork.id), col(DueWork.attempts)).in_([(work.id, work.attempts) for work in works]),
            col(DueWork.state) == WorkState.LEASED,
        )
        .execution_options(synchronize_session=False)
    )


def _has_due_work(session: Session, lane: Lane) -> bool:
    due = select(DueWork.id).where(IS_DUE, col(DueWork.lane) == lane, col(DueWork.due_at) <= session.now)
    # The order is the index's: without it a planner may read the table until it meets one.
    return session.exec(due.order_by(col(DueWork.due_at)).limit(1)).first() is not None


def sweep(session: Session) -> list[Lane]:
    """Return expired leases to the queue and name the lanes that have work due; safe to run twice at once.

    A row whose worker died on its last try is dead.
    """
    expired = (IS_LEASED, col(DueWork.lease_until) < session.now)
    died = {"last_error": "the worker died or lost its lease", "lease_until": None, "worker": None}
    no_tries_left = col(DueWork.attempts) >= col(DueWork.max_attempts)
    session.execute(
        update(DueWork).where(*expired, no_tries_left).values(state=WorkState.DEAD, **died).execution_options(synchronize_session=False)
    )
    session.execute(update(DueWork).where(*expired).values(state=WorkState.DUE, **died).execution_options(synchronize_session=False))
    return [lane for lane in Lane if _has_due_work(session, lane)]


def revive(session: Session, work_id: UUID) -> bool:
    """Give dead work all its tries anew, due now. Returns whether there was such a row."""
    work = session.get(DueWork, work_id)
    if work is None or work.state is not WorkState.DEAD:
        return False
    work.state, work.attempts, work.due_at = WorkState.DUE, 0, session.now
    session.lanes.add(work.lane)
    return True


def dead_work(session: Session, limit: int = 100) -> list[DueWork]:
    """Return work that ran out of tries, oldest first."""
    return list(session.exec(select(DueWork).where(IS_DEAD).order_by(col(DueWork.id)).limit(limit)))


def release_leases(session: Session) -> int:
    """Put every leased row back into the queue, for a server that knows that no other worker lives; return how many.

    A row that was on its last try is dead: it may be what killed the server.
    """
    no_tries_left = col(DueWork.attempts) >= col(DueWork.max_attempts)
    state = case((no_tries_left, WorkState.DEAD.value), else_=WorkState.DUE.value)
    released = update(DueWork).where(IS_LEASED).values(state=state, lease_until=None, worker=None)
    return int(session.execute(released.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
