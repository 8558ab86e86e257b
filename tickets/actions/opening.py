"""A contact becomes a ticket, or a line on one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import make_transient_to_detached

from channels.contract import Channel, ContactKind, InboundContact
from foundation.database import Session, next_serial
from foundation.i18n import Sentence, mark
from foundation.prepared import store
from foundation.reference import cached
from foundation.security import new_lookup_code
from identity.access import Actor
from identity.actions import language_for
from tickets.actions.events import touch, write_event
from tickets.classification import CategoryFacts, Classification, classify
from tickets.lifecycle import EventKind
from tickets.models import Ticket, TicketEvent
from tickets.queries import categories

MAX_SUBJECT = 80
SPOKEN_CALL = mark("Telephone call")


def open_ticket(session: Session, inbound: InboundContact, citizen_id: UUID, *, contact_id: UUID, actor: Actor, reason: Sentence) -> Ticket:
    """Store a new ticket for a contact and return it."""
    found = _classified(session, f"{inbound.subject}\n{inbound.text}", inbound.requested_kind)
    ticket = Ticket(
        number=_next_number(session),
        lookup_code=new_lookup_code(),
        kind=found.kind,
        urgency=found.urgency,
        category_code=found.category_code,
        channel=inbound.channel,
        subject=_subject(inbound),
        text=inbound.text,
        location=inbound.location[:300],
        language=language_for(inbound, session.settings.city.language),
        citizen_id=citizen_id,
        reply_kind=inbound.sender.kind,
        reply_to=inbound.sender.value,
        mailbox=inbound.mailbox,
        opened_at=session.now,
        last_activity_at=session.now,
    )
    store(session, ticket)
    make_transient_to_detached(ticket)
    session.add(ticket)  # its reactions may follow in this very transaction
    data = {"channel": str(inbound.channel), "is_machine": inbound.is_machine, "message_id": str(inbound.details.get("message_id", ""))}
    write_event(session, ticket, EventKind.OPENED, actor=actor, contact_id=contact_id, reasons=(reason, *found.reasons), data=data)
    return ticket


def append(session: Session, ticket: Ticket, inbound: InboundContact, *, contact_id: UUID, actor: Actor, reason: Sentence) -> TicketEvent:
    """Add a further contact of the citizen to a ticket."""
    touch(session, ticket)
    data = {"channel": str(inbound.channel), "subject": inbound.subject[:300], "is_machine": inbound.is_machine}
    return write_event(
        session, ticket, EventKind.APPENDED, actor=actor, contact_id=contact_id, text=inbound.text, reasons=(reason,), data=data
    )


def describe(session: Session, ticket: Ticket, inbound: InboundContact, *, contact_id: UUID, actor: Actor, reason: Sentence) -> TicketEvent:
    """Store a caller's first words: only now it is known what the matter is."""
    found = _classified(session, inbound.text, "")
    touch(
        session,
        ticket,
        subject=_subject(inbound),
        text=inbound.text,
        kind=found.kind,
        category_code=found.category_code,
        urgency=found.urgency,
    )
    return write_event(
        session, ticket, EventKind.DESCRIBED, actor=actor, contact_id=contact_id, text=inbound.text, reasons=(reason, *found.reasons)
    )


def request_callback(
    session: Session, ticket: Ticket, inbound: InboundContact, *, contact_id: UUID, actor: Actor, reason: Sentence
) -> TicketEvent:
    """Note that the citizen wants to be called back; follow-up plans it."""
    touch(session, ticket)
    data = {"number": inbound.sender.value}
    return write_event(session, ticket, EventKind.CALLBACK_REQUESTED, actor=actor, contact_id=contact_id, reasons=(reason,), data=data)


def end_call(session: Session, ticket: Ticket, inbound: InboundContact, *, contact_id: UUID, actor: Actor, reason: Sentence) -> TicketEvent:
    """Note that the line is down, and whether anything was said before."""
    touch(session, ticket)
    data: dict[str, Any] = {"was_described": bool(ticket.text), "number": inbound.sender.value}
    return write_event(session, ticket, EventKind.CALL_ENDED, actor=actor, contact_id=contact_id, reasons=(reason,), data=data)


def _classified(session: Session, text: str, requested_kind: str) -> Classification:
    known = cached(session, "category_facts", lambda fresh: [_facts(category) for category in categories(fresh)])
    return classify(text, requested_kind=requested_kind, categories=known, kind_words=session.settings.tickets.kind_words)


def _facts(category: Any) -> CategoryFacts:
    return CategoryFacts(category.code, tuple(word.casefold() for word in category.words), category.kind, category.urgency)


def _subject(inbound: InboundContact) -> str:
    """Return one line that says what it is about: the sender's own, or how the text begins."""
    own = " ".join(inbound.subject.split())
    if own:
        return own[:300]
    beginning = " ".join(inbound.text.split())
    if len(beginning) > MAX_SUBJECT:
        return beginning[: MAX_SUBJECT - 1] + "…"
    return beginning or (SPOKEN_CALL if inbound.channel is Channel.PHONE or inbound.kind is ContactKind.CALL else "")


def _next_number(session: Session) -> str:
    """Return a public number such as 2026-000123: the year in the city, and a counter that never starts again."""
    year = session.now.astimezone(session.settings.city.zone).year
    return f"{year}-{next_serial(session, 'ticket'):06d}"
