"""Tables of the foundation: the one queue, the audit trail, working calendars, counters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from foundation.tables import JSON_COLUMN, TEXT_COLUMN, Row, enum_column


class WorkState(StrEnum):
    DUE = "due"
    LEASED = "leased"
    DEAD = "dead"  # out of tries: set aside for a person


class DueWork(Row, table=True):
    """Something to be done at a moment; a row that is done is deleted.

    subject_id   what it is about; the job reads it anew
    payload      small facts, never personal data
    attempts     raised at claim, so that work which kills its worker runs out of tries
    """

    __tablename__ = "due_work"
    __table_args__ = (
        Index("ix_due_work_claim", "lane", "due_at", sqlite_where=text("state = 'due'"), postgresql_where=text("state = 'due'")),
        Index("ix_due_work_lease", "lease_until", sqlite_where=text("state = 'leased'"), postgresql_where=text("state = 'leased'")),
        Index("ix_due_work_dead", "kind", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")),
    )

    kind: str = Field(max_length=60)
    lane: str = Field(max_length=20)
    subject_id: UUID | None = None
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_COLUMN)
    state: WorkState = Field(default=WorkState.DUE, sa_type=enum_column(WorkState))
    due_at: datetime
    lease_until: datetime | None = None
    worker: str | None = Field(default=None, max_length=80)
    attempts: int = 0
    max_attempts: int = 8
    dedupe_key: str | None = Field(default=None, max_length=200, unique=True)
    last_error: str | None = Field(default=None, sa_type=TEXT_COLUMN)


class AuditEntry(Row, table=True):
    """A sensitive read or an administrative act: who, what, when. Rows are only ever added."""

    __tablename__ = "audit_entry"

    at: datetime = Field(index=True)
    actor: str = Field(max_length=80)  # "staff:<id>", "system", "cli:<login>"
    action: str = Field(max_length=60)
    subject: str = Field(default="", max_length=120)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_COLUMN)


class CalendarRow(SQLModel, table=True):
    """A working calendar as data; `foundation.workdays.WorkCalendar` is what reads it.

    intervals   seven lists, Monday first, of ["09:00", "12:00"] pairs
    """

    __tablename__ = "work_calendar"

    code: str = Field(primary_key=True, max_length=40)
    timezone: str = Field(max_length=60)
    intervals: list[Any] = Field(sa_type=JSON_COLUMN)


class CalendarDay(SQLModel, table=True):
    """A public holiday, or a weekend day that is worked to make up for one."""

    __tablename__ = "calendar_day"

    calendar_code: str = Field(primary_key=True, max_length=40, foreign_key="work_calendar.code")
    on: str = Field(primary_key=True, max_length=10)  # ISO date: a day has no time zone
    is_workday: bool
    name: str = Field(default="", max_length=100)


class Serial(SQLModel, table=True):
    """Counters for public numbers on SQLite; PostgreSQL uses sequences of the same names."""

    __tablename__ = "serial"

    name: str = Field(primary_key=True, max_length=40)
    value: int


class ReferenceVersion(SQLModel, table=True):
    """One row; its number rises whenever departments, categories, rules or calendars change."""

    __tablename__ = "reference_version"

    id: int = Field(primary_key=True)
    value: int
