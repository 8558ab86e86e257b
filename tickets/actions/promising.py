"""Giving a promise: computed once, stored with its arithmetic, never changed."""

from __future__ import annotations

from foundation.calendars import calendar
from foundation.database import Session
from foundation.prepared import store
from identity.access import Actor
from identity.queries import departments
from tickets.actions.events import touch, write_event
from tickets.lifecycle import EventKind
from tickets.models import Promise, Ticket
from tickets.promises import choose_terms, promised_deadline
from tickets.queries import promise_terms


class PromiseMissingError(Exception):
    """The ticket has no promise yet; it is tried again once one was given."""


def promise(session: Session, ticket: Ticket, *, actor: Actor) -> Promise:
    """Compute and store by when the lead department answers; a redo gets less time and starts now.

    Raises   NoPromiseRuleError, NoWorkingDayError, UnknownCalendarError: data to be corrected by an administrator
    """
    lead = departments(session)[ticket.lead_department_id] if ticket.lead_department_id else None
    hours = calendar(session, lead.calendar_code if lead else "default")
    terms = choose_terms(promise_terms(session), kind=ticket.kind, category_code=ticket.category_code, urgency=ticket.urgency)
    is_redo = ticket.redo_count > 0
    deadline = promised_deadline(
        session.now if is_redo else ticket.opened_at,
        terms,
        hours,
        percent=session.settings.tickets.redo_promise_percent if is_redo else 100,
    )
    given = Promise.plain(
        ticket_id=ticket.id,
        promised_at=deadline.promised_at,
        given_at=session.now,
        rule_code=deadline.rule_code,
        calendar_code=hours.code,
        arithmetic=[[text, dict(values)] for text, values in deadline.arithmetic],
    )
    store(session, given)
    touch(session, ticket, promised_at=deadline.promised_at)
    write_event(
        session,
        ticket,
        EventKind.PROMISED,
        actor=actor,
        reasons=deadline.arithmetic,
        data={"promise": str(given.id), "promised_at": deadline.promised_at.isoformat()},
    )
    return given
