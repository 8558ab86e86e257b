"""Tables of follow-up: callbacks promised, revisits planned, reminders before a deadline."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from followup.planning import FollowUpState
from foundation.tables import TEXT_COLUMN, Row, enum_column

OPEN = "state in ('planned', 'due')"


class Callback(Row, table=True):
    """The hotline calls a citizen back, because it said so. Due from `due_at`, promised until `window_ends_at`."""

    __tablename__ = "callback"
    __table_args__ = (Index("uq_callback_open", "ticket_id", unique=True, sqlite_where=text(OPEN), postgresql_where=text(OPEN)),)

    ticket_id: UUID = Field(foreign_key="ticket.id")
    citizen_id: UUID = Field(foreign_key="citizen.id", index=True)
    number: str = Field(max_length=40)
    due_at: datetime
    window_ends_at: datetime
    state: FollowUpState = Field(default=FollowUpState.PLANNED, sa_type=enum_column(FollowUpState))
    requested_at: datetime


class Revisit(Row, table=True):
    """The hotline asks whether the problem is really solved (回访).

    is_solved, satisfaction   the citizen's answer; satisfaction 1 (very dissatisfied) to 5
    """

    __tablename__ = "revisit"
    __table_args__ = (Index("uq_revisit_open", "ticket_id", unique=True, sqlite_where=text(OPEN), postgresql_where=text(OPEN)),)

    ticket_id: UUID = Field(foreign_key="ticket.id")
    citizen_id: UUID = Field(foreign_key="citizen.id", index=True)
    due_at: datetime
    state: FollowUpState = Field(default=FollowUpState.PLANNED, sa_type=enum_column(FollowUpState))
    planned_at: datetime
    answered_at: datetime | None = None
    is_solved: bool | None = None
    satisfaction: int | None = None
    comment: str | None = Field(default=None, sa_type=TEXT_COLUMN)


class Reminder(Row, table=True):
    """The lead department is reminded before its promise runs out."""

    __tablename__ = "reminder"
    __table_args__ = (Index("uq_reminder_open", "ticket_id", unique=True, sqlite_where=text(OPEN), postgresql_where=text(OPEN)),)

    ticket_id: UUID = Field(foreign_key="ticket.id")
    promise_id: UUID = Field(foreign_key="promise.id")
    due_at: datetime
    state: FollowUpState = Field(default=FollowUpState.PLANNED, sa_type=enum_column(FollowUpState))
