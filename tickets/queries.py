"""Questions about tickets. Those that a person sees the answer of take the viewer and ask `identity.access`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, false, or_, text, true
from sqlmodel import col, select

from channels.contract import Channel, InboundContact
from channels.models import Contact, ContactState, OutboxMessage
from foundation.database import Session
from foundation.prepared import Prepared
from foundation.reference import cached
from foundation.security import equals
from identity.access import Action, Actor, TicketFacts, masked_name, may, ticket_scope
from identity.models import Citizen, ContactLink
from tickets.lifecycle import PUBLIC_EVENTS, Confidentiality, TicketKind, TicketState, Urgency
from tickets.models import Assignment, Category, Promise, PromiseRule, Ticket, TicketEvent
from tickets.promises import PromiseTerms, PromiseUnit

MANY_OPEN = 50
Page = tuple[datetime, UUID]
# Written out, not bound: a partial index serves only a condition that the planner can read.
HAS_CONVERSATION = text("contact.conversation <> ''")
HAS_MESSAGE_ID = text("outbox_message.message_id <> ''")
LEVELS = {confidentiality: confidentiality.security_level for confidentiality in Confidentiality}


@dataclass(frozen=True, slots=True)
class TicketLine:
    """One line of a list of tickets; the citizen's name is masked as the viewer may see it."""

    id: UUID
    number: str
    kind: TicketKind
    state: TicketState
    urgency: Urgency
    channel: Channel
    subject: str
    citizen_id: UUID
    citizen_name: str
    lead_department_id: UUID | None
    promised_at: datetime | None
    opened_at: datetime
    is_overdue: bool


# ── for people ──


def list_tickets(
    session: Session,
    viewer: Actor,
    *,
    state: TicketState | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int | None = 50,
) -> list[TicketLine]:
    """Return the tickets that `viewer` may see, newest first.

    before   (opened_at, id) of the last line of the page before
    """
    question = select(Ticket, Citizen.name).join(Citizen, col(Citizen.id) == col(Ticket.citizen_id)).where(_visible_to(viewer))
    if state is not None:
        question = question.where(col(Ticket.state) == state)
    if before is not None:
        opened_at, last_id = before
        earlier = and_(col(Ticket.opened_at) == opened_at, col(Ticket.id) < last_id)
        question = question.where(or_(col(Ticket.opened_at) < opened_at, earlier))
    question = question.order_by(col(Ticket.opened_at).desc(), col(Ticket.id).desc()).limit(limit)
    return [_line(session, viewer, ticket, name) for ticket, name in session.exec(question)]


def ticket_for(session: Session, viewer: Actor, number: str) -> Ticket | None:
    """Return the ticket with that number if `viewer` may see it; None when there is none, or none for them."""
    return session.exec(select(Ticket).where(col(Ticket.number) == number, _visible_to(viewer))).first()


def timeline(session: Session, viewer: Actor, ticket: Ticket) -> list[TicketEvent]:
    """Return everything that happened to a ticket, oldest first; nothing when `viewer` may not see it."""
    if not may(viewer, Action.SEE_TICKET, facts_for_access(session, ticket)):
        return []
    return list(session.exec(select(TicketEvent).where(col(TicketEvent.ticket_id) == ticket.id).order_by(col(TicketEvent.id))))


def tracked(session: Session, number: str, code: str) -> Ticket | None:
    """Return the ticket that a citizen asks for by number and lookup code; None when they do not belong together."""
    ticket = session.exec(select(Ticket).where(col(Ticket.number) == number.strip())).first()
    given = code.strip().upper()
    if ticket is None:
        equals(given, "········")  # as long as a real comparison
        return None
    return ticket if equals(given, ticket.lookup_code) else None


def public_timeline(session: Session, ticket: Ticket) -> list[TicketEvent]:
    """Return what a citizen may read of a ticket that `tracked` returned, oldest first."""
    question = select(TicketEvent).where(col(TicketEvent.ticket_id) == ticket.id, col(TicketEvent.kind).in_(PUBLIC_EVENTS))
    return list(session.exec(question.order_by(col(TicketEvent.id))))


def promise_in_force(session: Session, ticket: Ticket) -> Promise | None:
    """Return the latest promise with its arithmetic, None when none was given yet."""
    return session.exec(select(Promise).where(col(Promise.ticket_id) == ticket.id).order_by(col(Promise.id).desc())).first()


_PROMISE_SPAN = Prepared(
    select(Promise.id, Promise.given_at, Promise.promised_at)
    .where(col(Promise.ticket_id) == bindparam("of_ticket"))
    .order_by(col(Promise.id).desc())
    .limit(1)
)


def promise_span(session: Session, ticket: Ticket) -> tuple[UUID, datetime, datetime] | None:
    """Return id, beginning and end of the latest promise, None when none was given yet."""
    found = _PROMISE_SPAN.rows(session, {"of_ticket": ticket.id})
    return (found[0][0], found[0][1], found[0][2]) if found else None


def facts_for_access(session: Session, ticket: Ticket) -> TicketFacts:
    """Return what `identity.access` must know of a ticket."""
    parts = session.exec(select(Assignment.department_id).where(col(Assignment.ticket_id) == ticket.id, col(Assignment.ended_at).is_(None)))
    hidden = ticket.confidentiality is not Confidentiality.NORMAL
    return TicketFacts(frozenset(parts), ticket.confidentiality.security_level, identity_hidden=hidden)


def _visible_to(viewer: Actor) -> Any:
    scope = ticket_scope(viewer)
    if scope.nothing or not may(viewer, Action.LIST_TICKETS):
        return false()
    too_secret = [confidentiality for confidentiality, level in LEVELS.items() if level > scope.security_level]
    condition = col(Ticket.confidentiality).not_in(too_secret) if too_secret else true()
    if scope.department_id is None:
        return condition
    mine = select(Assignment.ticket_id).where(col(Assignment.department_id) == scope.department_id, col(Assignment.ended_at).is_(None))
    return and_(condition, col(Ticket.id).in_(mine))


def _line(session: Session, viewer: Actor, ticket: Ticket, name: str) -> TicketLine:
    departments = frozenset({ticket.lead_department_id} - {None}) | ({viewer.department_id} if viewer.department_id else frozenset())
    facts = TicketFacts(departments, ticket.confidentiality.security_level, ticket.confidentiality is not Confidentiality.NORMAL)  # type: ignore[arg-type]
    shown = name if may(viewer, Action.SEE_CITIZEN_NAME, facts) else masked_name(name)
    is_open = ticket.answered_at is None and ticket.closed_at is None
    is_overdue = is_open and ticket.promised_at is not None and ticket.promised_at < session.now
    return TicketLine(
        ticket.id,
        ticket.number,
        ticket.kind,
        ticket.state,
        ticket.urgency,
        ticket.channel,
        ticket.subject,
        ticket.citizen_id,
        shown,
        ticket.lead_department_id,
        ticket.promised_at,
        ticket.opened_at,
        is_overdue,
    )


# ── for the other rooms ──


_HAS_OPEN = Prepared(
    select(Ticket.id).where(col(Ticket.citizen_id) == bindparam("of_citizen"), col(Ticket.state) != TicketState.CLOSED).limit(1)
)


def open_tickets_of(session: Session, citizen_id: UUID) -> list[Ticket]:
    """Return the citizen's tickets that are not closed, latest activity first, at most 50."""
    if not _HAS_OPEN.rows(session, {"of_citizen": citizen_id}):  # most who write are new
        return []
    question = select(Ticket).where(col(Ticket.citizen_id) == citizen_id, col(Ticket.state) != TicketState.CLOSED)
    return list(session.exec(question.order_by(col(Ticket.last_activity_at).desc()).limit(MANY_OPEN)))


def ticket_of_call(session: Session, inbound: InboundContact) -> Ticket | None:
    """Return the ticket that the first step of this call to arrive has opened, None when this is that step."""
    question = (
        select(Ticket)
        .join(Contact, col(Contact.ticket_id) == col(Ticket.id))
        .where(
            text("contact.conversation <> ''"), col(Contact.conversation) == inbound.conversation, col(Contact.adapter) == inbound.adapter
        )
        .order_by(col(Contact.id))
    )
    return session.exec(question).first()


def ticket_of_thread(session: Session, inbound: InboundContact, citizen_id: UUID) -> Ticket | None:
    """Return the ticket that a letter answers, None when it answers none of ours.

    A signed token names its ticket whoever sends it. A Message-ID can be guessed or forwarded, so it counts only when the
    ticket belongs to the sender.
    """
    if inbound.ticket_token:
        found = session.exec(select(Ticket).where(col(Ticket.number) == inbound.ticket_token)).first()
        if found is not None:
            return found
    if not inbound.refers_to:
        return None
    question = (
        select(Ticket)
        .join(OutboxMessage, col(OutboxMessage.ticket_id) == col(Ticket.id))
        .where(
            text("outbox_message.message_id <> ''"),
            col(OutboxMessage.message_id).in_(inbound.refers_to[:50]),
            col(Ticket.citizen_id) == citizen_id,
        )
        .order_by(col(OutboxMessage.id).desc())
    )
    return session.exec(question).first()


def waiting_of(session: Session, citizen_id: UUID) -> list[Contact]:
    """Return the citizen's contacts about which they were asked and have not answered, oldest first."""
    question = (
        select(Contact)
        .join(ContactLink, col(ContactLink.contact_id) == col(Contact.id))
        .where(col(ContactLink.citizen_id) == citizen_id, text("contact.state <> 'accepted'"), col(Contact.state) == ContactState.WAITING)
        .order_by(col(Contact.id))
    )
    return list(session.exec(question))


def categories(session: Session) -> list[Category]:
    """Return all categories by code. They are kept in memory: read them, never change them."""
    return cached(session, "categories", _load_categories)


def promise_terms(session: Session) -> list[PromiseTerms]:
    """Return all promise rules as the pure rule reads them."""
    return cached(session, "promise_terms", _load_terms)


def _load_categories(session: Session) -> list[Category]:
    found = list(session.exec(select(Category).order_by(col(Category.code))))
    for category in found:
        session.expunge(category)
    return found


def _load_terms(session: Session) -> list[PromiseTerms]:
    return [
        PromiseTerms(rule.code, rule.amount, PromiseUnit(rule.unit), rule.kind, rule.category_code, rule.urgency)
        for rule in session.exec(select(PromiseRule).order_by(col(PromiseRule.code)))
    ]
