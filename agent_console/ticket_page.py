"""One ticket: what the citizen said, what was promised and how it was computed, and everything that happened. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

import channels.queries
import followup.queries
import identity.queries
import tickets.queries
from agent_console.visits import NotFoundError, StaffRoute, Visitor, answer, database_of, settings_of, signed_in
from agent_console.words import ACTOR_NAMES, CHANNEL_NAMES, LINK_GRADES, MESSAGE_STATE_NAMES, PURPOSE_NAMES, department_name
from channels.models import MessageState, OutboxMessage
from channels.reading import clean_text
from foundation.database import Session
from foundation.i18n import say
from foundation.pages import long_moment
from foundation.security import who_may_call
from identity.access import Action, Actor, ActorKind, TicketFacts, masked_address, masked_name, may, require
from identity.models import Department
from tickets.lifecycle import Confidentiality, EventKind, Urgency
from tickets.models import Promise, Ticket, TicketEvent
from tickets.timeline import CONFIDENTIALITY_NAMES, KIND_NAMES, STATE_NAMES, URGENCY_NAMES, describe_all, reasons_in

router = APIRouter(route_class=StaffRoute)

SHOWN_ABOVE = frozenset({EventKind.DESCRIBED})  # its words stand at the head of the page
# messages that a person should look at; the page marks them
TROUBLED = frozenset({MessageState.FAILED, MessageState.UNKNOWN, MessageState.UNREACHABLE, MessageState.OPTED_OUT})


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event in words. `quoted` is what the citizen or the department wrote."""

    at: datetime
    sentence: str
    actor: str
    quoted: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class LinkRow:
    """Why one contact belongs to the citizen."""

    at: datetime
    grade: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message to the citizen and what became of it; `to` is masked for those who need not know it."""

    queued_at: datetime
    sent_at: datetime | None
    channel: str
    purpose: str
    to: str
    subject: str
    state: str
    is_troubled: bool
    last_error: str


@dataclass(frozen=True, slots=True)
class PromiseView:
    """The promise in force, with how it was computed."""

    promised_at: datetime
    given_at: datetime
    arithmetic: list[str]
    is_overdue: bool


@router.get("/tickets/{number}")
@who_may_call(Action.SEE_TICKET)
def show_ticket(request: Request, number: str, visitor: Annotated[Visitor, Depends(signed_in)]) -> HTMLResponse:
    """Return the ticket, or the same page for one that does not exist and one that the visitor may not see."""
    require(visitor.actor, Action.SEE_TICKET)
    with database_of(request).read() as session:
        ticket = tickets.queries.ticket_for(session, visitor.actor, clean_text(number))
        if ticket is None:
            raise NotFoundError
        facts = _facts(request, session, ticket, visitor)
    return answer(request, "tickets/ticket.html", visitor=visitor, next_path=request.url.path, **facts)


def _facts(request: Request, session: Session, ticket: Ticket, visitor: Visitor) -> dict[str, Any]:
    language, actor, zone = visitor.language, visitor.actor, settings_of(request).city.zone
    access = tickets.queries.facts_for_access(session, ticket)
    departments = identity.queries.department_names(session)
    lead = departments.get(ticket.lead_department_id) if ticket.lead_department_id else None
    events = tickets.queries.timeline(session, actor, ticket)
    promise = tickets.queries.promise_in_force(session, ticket)
    may_see = may(actor, Action.SEE_CITIZEN_ADDRESS, access)
    return {
        "ticket": ticket,
        "kind": say(language, KIND_NAMES[ticket.kind]),
        "state": say(language, STATE_NAMES[ticket.state]),
        "urgency": "" if ticket.urgency is Urgency.NORMAL else say(language, URGENCY_NAMES[ticket.urgency]),
        "secrecy": "" if ticket.confidentiality is Confidentiality.NORMAL else say(language, CONFIDENTIALITY_NAMES[ticket.confidentiality]),
        "channel": say(language, CHANNEL_NAMES[ticket.channel]),
        "citizen_name": _citizen_name(session, ticket, actor, access),
        "department": department_name(lead, language),
        "promise": _promise_view(promise, ticket, language, session.now) if promise else None,
        "next_followup_at": followup.queries.next_followups(session, [ticket.id]).get(ticket.id),
        "timeline": _timeline(events, departments, promise, language, zone),
        "links": _links(session, events, language),
        "messages": [_message_row(message, language, may_see=may_see) for message in channels.queries.messages_of(session, ticket.id)],
    }


def _citizen_name(session: Session, ticket: Ticket, actor: Actor, access: TicketFacts) -> str:
    citizen = identity.queries.citizens(session, [ticket.citizen_id]).get(ticket.citizen_id)
    name = citizen.name if citizen else ""
    return name if may(actor, Action.SEE_CITIZEN_NAME, access) else masked_name(name)


def _promise_view(promise: Promise, ticket: Ticket, language: str, now: datetime) -> PromiseView:
    is_overdue = ticket.answered_at is None and ticket.closed_at is None and promise.promised_at < now
    arithmetic = reasons_in(language, promise.arithmetic)
    return PromiseView(promise.promised_at, promise.given_at, arithmetic, is_overdue)


def _timeline(
    events: list[TicketEvent], departments: dict[UUID, Department], promise: Promise | None, language: str, zone: ZoneInfo
) -> list[TimelineRow]:
    names = {department.code: department_name(department, language) for department in departments.values()}
    sentences = describe_all(events, language, departments=names, moment=lambda moment: long_moment(moment, zone, language))
    return [
        TimelineRow(
            event.at,
            sentence,
            actor=say(language, ACTOR_NAMES[ActorKind(event.actor_kind)]),
            quoted="" if event.kind in SHOWN_ABOVE else event.text,
            # the promise in force stands beside the timeline with its arithmetic
            reasons=[] if promise and event.data.get("promise") == str(promise.id) else reasons_in(language, event.reasons),
        )
        for event, sentence in zip(events, sentences, strict=True)
    ]


def _links(session: Session, events: list[TicketEvent], language: str) -> list[LinkRow]:
    contact_ids = [event.contact_id for event in events if event.contact_id]
    links = identity.queries.links_of(session, contact_ids) if contact_ids else []
    return [
        LinkRow(link.linked_at, say(language, LINK_GRADES.get(link.grade, link.grade)), reasons_in(language, link.reasons))
        for link in links
    ]


def _message_row(message: OutboxMessage, language: str, *, may_see: bool) -> MessageRow:
    return MessageRow(
        message.queued_at,
        message.sent_at,
        channel=say(language, CHANNEL_NAMES[message.channel]),
        purpose=say(language, PURPOSE_NAMES[message.purpose]),
        to=message.to_value if may_see else masked_address(message.to_value),
        subject=message.subject or message.text[:120],
        state=say(language, MESSAGE_STATE_NAMES[message.state]),
        is_troubled=message.state in TROUBLED,
        last_error=message.last_error or "",
    )
