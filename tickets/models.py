"""Tables of tickets: the ticket, who has it, what was promised, and everything that happened."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from channels.contract import Channel
from foundation.tables import JSON_COLUMN, TEXT_COLUMN, Row, enum_column
from tickets.lifecycle import Confidentiality, EventKind, TicketKind, TicketState, Urgency


class Ticket(Row, table=True):
    """One matter of one citizen, known to the public by its number.

    lookup_code          what a citizen shows, with the number, to see it
    lead_department_id   who answers for the whole (主办); also in `assignment`
    promised_at          the promise in force; its arithmetic stands in `promise`
    """

    __tablename__ = "ticket"
    __table_args__ = (
        Index("ix_ticket_citizen_activity", "citizen_id", "last_activity_at"),
        Index("ix_ticket_promised_at", "promised_at", sqlite_where=text("state <> 'closed'"), postgresql_where=text("state <> 'closed'")),
    )

    number: str = Field(max_length=20, unique=True)
    lookup_code: str = Field(max_length=12)
    kind: TicketKind = Field(sa_type=enum_column(TicketKind))
    urgency: Urgency = Field(default=Urgency.NORMAL, sa_type=enum_column(Urgency))
    confidentiality: Confidentiality = Field(default=Confidentiality.NORMAL, sa_type=enum_column(Confidentiality))
    state: TicketState = Field(default=TicketState.RECEIVED, sa_type=enum_column(TicketState))
    channel: Channel = Field(sa_type=enum_column(Channel))
    subject: str = Field(default="", max_length=300)
    text: str = Field(default="", sa_type=TEXT_COLUMN)
    location: str = Field(default="", max_length=300)
    language: str = Field(default="en", max_length=8)
    category_code: str | None = Field(default=None, max_length=40)
    citizen_id: UUID = Field(foreign_key="citizen.id")
    reply_kind: str = Field(default="none", max_length=20)
    reply_to: str = Field(default="", max_length=320)
    mailbox: str = Field(default="", max_length=320)
    lead_department_id: UUID | None = Field(default=None, foreign_key="department.id")
    opened_at: datetime = Field(index=True)
    last_activity_at: datetime
    promised_at: datetime | None = None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    answer: str | None = Field(default=None, sa_type=TEXT_COLUMN)
    redo_count: int = 0
    version: int = 1


class TicketEvent(Row, table=True):
    """One thing that happened to a ticket: the timeline, the tracking page and the cause of every reaction.

    text      words of the citizen or the department that belong to it
    reasons   why, in sentences a person reads, as [message id, values] pairs for translation
    data      facts for reactions and reports
    """

    __tablename__ = "ticket_event"
    __table_args__ = (Index("ix_ticket_event_timeline", "ticket_id", "id"),)

    ticket_id: UUID = Field(foreign_key="ticket.id")
    kind: EventKind = Field(sa_type=enum_column(EventKind))
    at: datetime
    actor_kind: str = Field(max_length=20)
    actor_id: UUID | None = None
    contact_id: UUID | None = Field(default=None, index=True)
    text: str = Field(default="", sa_type=TEXT_COLUMN)
    reasons: list[Any] = Field(default_factory=list, sa_type=JSON_COLUMN)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_COLUMN)


class PartRole(StrEnum):
    LEAD = "lead"  # 主办
    CO_HANDLER = "co_handler"  # 协办


class Assignment(Row, table=True):
    """A department's part in a ticket; `ended_at` is set when another one took over."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index(
            "uq_assignment_lead",
            "ticket_id",
            unique=True,
            sqlite_where=text("role = 'lead' and ended_at is null"),
            postgresql_where=text("role = 'lead' and ended_at is null"),
        ),
        Index("ix_assignment_department", "department_id", "ticket_id"),
    )

    ticket_id: UUID = Field(foreign_key="ticket.id", index=True)
    department_id: UUID = Field(foreign_key="department.id")
    role: PartRole = Field(sa_type=enum_column(PartRole))
    assigned_at: datetime
    signed_at: datetime | None = None
    ended_at: datetime | None = None


class Promise(Row, table=True):
    """What was promised, when, by which rule, and how it was computed. Never changed; a later one replaces it."""

    __tablename__ = "promise"

    ticket_id: UUID = Field(foreign_key="ticket.id", index=True)
    stage: str = Field(default="result", max_length=20)
    promised_at: datetime
    given_at: datetime
    rule_code: str = Field(max_length=60)
    calendar_code: str = Field(max_length=40)
    arithmetic: list[Any] = Field(sa_type=JSON_COLUMN)


class Category(SQLModel, table=True):
    """What a matter can be about; `words` recognise it in a text."""

    __tablename__ = "category"

    code: str = Field(primary_key=True, max_length=40)
    parent_code: str | None = Field(default=None, max_length=40)
    name: str = Field(max_length=200)
    name_zh: str = Field(default="", max_length=200)
    words: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    kind: str | None = Field(default=None, max_length=40)
    urgency: str | None = Field(default=None, max_length=40)


class PromiseRule(SQLModel, table=True):
    """How long a department has. Empty columns match everything; urgency outweighs category, category outweighs kind.

    amount   whole `unit`s; unit is "hours", "working_hours" or "working_days"
    """

    __tablename__ = "promise_rule"

    code: str = Field(primary_key=True, max_length=60)
    kind: str | None = Field(default=None, max_length=40)
    category_code: str | None = Field(default=None, max_length=40)
    urgency: str | None = Field(default=None, max_length=40)
    amount: int
    unit: str = Field(max_length=20)
