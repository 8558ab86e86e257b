"""What the hotline and the departments do with a ticket, from acceptance to closing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select

from foundation.database import Session
from foundation.i18n import Sentence
from foundation.prepared import store
from identity.access import Action, Actor, require
from identity.models import Department
from tickets.actions.events import change, write_event
from tickets.lifecycle import EventKind, NotNowError, TicketState, state_after
from tickets.models import Assignment, PartRole, Ticket, TicketEvent
from tickets.queries import facts_for_access


class AnswerMissingError(Exception):
    """An answer to the citizen needs words. Write what was done, or return the ticket."""


def accept(session: Session, ticket: Ticket, *, actor: Actor, reasons: Sequence[Sentence] = ()) -> TicketEvent:
    """Take the ticket on (受理)."""
    return _move(session, ticket, EventKind.ACCEPTED, actor=actor, reasons=reasons)


def assign(
    session: Session,
    ticket: Ticket,
    *,
    department: Department,
    co_handlers: Sequence[Department] = (),
    actor: Actor,
    reasons: Sequence[Sentence] = (),
    data: dict[str, Any] | None = None,
) -> TicketEvent:
    """Dispatch the ticket to its lead department (主办) and those that help (协办); an earlier lead's part ends."""
    state = state_after(ticket.state, EventKind.ASSIGNED)
    if ticket.lead_department_id is not None:
        ended = update(Assignment).where(col(Assignment.ticket_id) == ticket.id, col(Assignment.ended_at).is_(None))
        session.execute(ended.values(ended_at=session.now).execution_options(synchronize_session=False))
    change(session, ticket, state=state, lead_department_id=department.id)
    store(session, _part(session, ticket, department, PartRole.LEAD))
    for helper in co_handlers:
        store(session, _part(session, ticket, helper, PartRole.CO_HANDLER))
    facts = {"department": department.code, "co_handlers": [helper.code for helper in co_handlers]}
    return write_event(session, ticket, EventKind.ASSIGNED, actor=actor, reasons=reasons, data=facts | (data or {}))


def sign(session: Session, ticket: Ticket, *, actor: Actor) -> TicketEvent:
    """Confirm that the department owns the ticket (签收)."""
    require(actor, Action.HANDLE_TICKET, facts_for_access(session, ticket))
    in_force = (col(Assignment.ticket_id) == ticket.id, col(Assignment.ended_at).is_(None))
    lead = session.exec(select(Assignment).where(*in_force, col(Assignment.role) == PartRole.LEAD)).one()
    lead.signed_at = session.now
    session.add(lead)
    session.flush()
    return _move(session, ticket, EventKind.SIGNED, actor=actor)


def start(session: Session, ticket: Ticket, *, actor: Actor) -> TicketEvent:
    """Say that the work has begun."""
    require(actor, Action.HANDLE_TICKET, facts_for_access(session, ticket))
    return _move(session, ticket, EventKind.STARTED, actor=actor)


def return_ticket(session: Session, ticket: Ticket, *, reason: str, actor: Actor) -> TicketEvent:
    """Give the ticket back with a reason (退单); it is dispatched anew."""
    require(actor, Action.HANDLE_TICKET, facts_for_access(session, ticket))
    if not reason.strip():
        raise AnswerMissingError
    return _move(session, ticket, EventKind.RETURNED, actor=actor, text=reason)


def answer(session: Session, ticket: Ticket, *, text: str, actor: Actor) -> TicketEvent:
    """Store the lead department's answer to the citizen."""
    require(actor, Action.HANDLE_TICKET, facts_for_access(session, ticket))
    if not text.strip():
        raise AnswerMissingError
    return _move(session, ticket, EventKind.ANSWERED, actor=actor, text=text, answer=text, answered_at=session.now)


def remind(session: Session, ticket: Ticket, *, actor: Actor, reasons: Sequence[Sentence] = ()) -> TicketEvent:
    """Note that the lead department was reminded of its promise (催办)."""
    if ticket.state is TicketState.CLOSED:
        raise NotNowError("a closed ticket needs no reminder")
    return write_event(session, ticket, EventKind.REMINDED, actor=actor, reasons=reasons)


def start_revisit(session: Session, ticket: Ticket, *, actor: Actor) -> TicketEvent:
    """Put the ticket on the list of those whose citizens are asked whether it is solved (回访)."""
    return _move(session, ticket, EventKind.REVISIT_STARTED, actor=actor)


def order_redo(session: Session, ticket: Ticket, *, actor: Actor, reasons: Sequence[Sentence] = ()) -> TicketEvent:
    """Send the ticket back to be done again (重办)."""
    lead = ticket.lead_department_id
    return _move(
        session,
        ticket,
        EventKind.REDO_ORDERED,
        actor=actor,
        reasons=reasons,
        data={"lead": str(lead) if lead else None},
        redo_count=ticket.redo_count + 1,
        answered_at=None,
    )


def close(session: Session, ticket: Ticket, *, actor: Actor, reasons: Sequence[Sentence] = ()) -> TicketEvent:
    """End the ticket (结案)."""
    return _move(session, ticket, EventKind.CLOSED, actor=actor, reasons=reasons, closed_at=session.now)


def _move(
    session: Session,
    ticket: Ticket,
    kind: EventKind,
    *,
    actor: Actor,
    text: str = "",
    reasons: Sequence[Sentence] = (),
    data: dict[str, Any] | None = None,
    **values: Any,
) -> TicketEvent:
    change(session, ticket, state=state_after(ticket.state, kind), **values)
    return write_event(session, ticket, kind, actor=actor, text=text, reasons=reasons, data=data)


def _part(session: Session, ticket: Ticket, department: Department, role: PartRole) -> Assignment:
    return Assignment.plain(ticket_id=ticket.id, department_id=department.id, role=role, assigned_at=session.now)
