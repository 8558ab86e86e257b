"""Questions about what came in and what went out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from channels.models import Contact, ContactState, MessageState, OutboxMessage, RawContact, RawState
from foundation.database import Session
from foundation.models import DueWork
from foundation.work import dead_work

MANY = 100
# Written out, not bound: a partial index serves only a condition that the planner can read.
NOT_ACCEPTED = text("contact.state <> 'accepted'")
NOT_READ = text("raw_contact.state <> 'read'")
NOT_SENT = text("outbox_message.state <> 'sent'")
IS_DEAD = text("due_work.state = 'dead'")
STUCK_MESSAGES = (MessageState.FAILED, MessageState.UNKNOWN, MessageState.UNREACHABLE, MessageState.OPTED_OUT)
STUCK_CONTACTS = (ContactState.PENDING, ContactState.DEAD)


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs a person, oldest first, at most 100 of each."""

    contacts: list[Contact]
    raw: list[RawContact]
    messages: list[OutboxMessage]
    work: list[DueWork]


def attention(session: Session) -> Attention:
    """Return everything that the hotline cannot go on with by itself."""
    contacts = select(Contact).where(NOT_ACCEPTED).order_by(col(Contact.id)).limit(MANY)
    raw = select(RawContact).where(NOT_READ, col(RawContact.state) == RawState.UNREADABLE).order_by(col(RawContact.id)).limit(MANY)
    messages = (
        select(OutboxMessage).where(NOT_SENT, col(OutboxMessage.state).in_(STUCK_MESSAGES)).order_by(col(OutboxMessage.id)).limit(MANY)
    )
    return Attention(list(session.exec(contacts)), list(session.exec(raw)), list(session.exec(messages)), dead_work(session, MANY))


def attention_count(session: Session) -> int:
    """Return how many contacts, requests, messages and pieces of work need a person."""
    contacts = select(func.count()).where(NOT_ACCEPTED, col(Contact.state).in_(STUCK_CONTACTS))
    raw = select(func.count()).where(NOT_READ, col(RawContact.state) == RawState.UNREADABLE)
    messages = select(func.count()).where(NOT_SENT, col(OutboxMessage.state).in_((MessageState.FAILED, MessageState.UNKNOWN)))
    work = select(func.count()).select_from(DueWork).where(IS_DEAD)
    return sum(session.exec(question).one() for question in (contacts, raw, messages, work))


def messages_of(session: Session, ticket_id: UUID) -> list[OutboxMessage]:
    """Return the messages that went out about a ticket, oldest first."""
    return list(session.exec(select(OutboxMessage).where(col(OutboxMessage.ticket_id) == ticket_id).order_by(col(OutboxMessage.id))))


def failures_by_adapter(session: Session, within: timedelta) -> dict[str, int]:
    """Return how many messages each adapter failed to deliver within a span."""
    question = (
        select(OutboxMessage.sent_by, func.count())
        .where(
            col(OutboxMessage.state).in_((MessageState.FAILED, MessageState.UNKNOWN)),
            col(OutboxMessage.queued_at) > session.now - within,
        )
        .group_by(col(OutboxMessage.sent_by))
    )
    return {name: count for name, count in session.exec(question) if name}
