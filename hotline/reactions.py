"""When this happens to a ticket, that follows. To add "when X then also Y", add a name here.

Each reaction runs in its own savepoint; one that fails is tried again without repeating the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from followup import actions as followup
from foundation.database import Session
from identity.access import SYSTEM
from routing import actions as routing
from tickets import actions as tickets
from tickets.lifecycle import EventKind
from tickets.models import Ticket, TicketEvent

Reaction = Callable[[Session, Ticket, TicketEvent], Any]


def route(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    routing.assign_departments(session, ticket)


def redo_by_same_lead(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    routing.redo_by_same_lead(session, ticket)


def take_back(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    routing.take_back(session, ticket)


def promise_and_watch(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    # One reaction: after a promise that failed, watching would find the one of an earlier dispatch.
    tickets.promise(session, ticket, actor=SYSTEM)
    followup.watch_promise(session, ticket)


def tell_answer(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    followup.tell_answer(session, ticket)


def plan_revisit(session: Session, ticket: Ticket, _event: TicketEvent) -> None:
    followup.plan_revisit(session, ticket)


REACTIONS: dict[EventKind, tuple[Reaction, ...]] = {
    EventKind.OPENED: (followup.acknowledge, route),
    EventKind.APPENDED: (),
    EventKind.DESCRIBED: (route,),
    EventKind.ACCEPTED: (),
    EventKind.ASSIGNED: (promise_and_watch,),
    EventKind.PROMISED: (),
    EventKind.CALLBACK_REQUESTED: (followup.plan_callback,),
    EventKind.CALL_ENDED: (followup.call_back_the_speechless,),
    EventKind.SIGNED: (),
    EventKind.STARTED: (),
    EventKind.RETURNED: (take_back,),
    EventKind.ANSWERED: (tell_answer, plan_revisit),
    EventKind.REVISIT_STARTED: (),
    EventKind.REMINDED: (),
    EventKind.REDO_ORDERED: (redo_by_same_lead,),
    EventKind.CLOSED: (),
}
