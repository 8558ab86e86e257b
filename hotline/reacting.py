"""Running what follows an event: within the transaction that wrote it, or later as work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlmodel import col, select

from foundation.database import Session, savepoint
from foundation.logs import kind_of_error
from foundation.models import DueWork
from foundation.work import Lane, enqueue
from hotline.reactions import REACTIONS
from tickets.actions.events import reaction_kind
from tickets.models import Ticket, TicketEvent

REACTING = frozenset(reaction_kind(kind) for kind in REACTIONS)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """The work is not finished; it is tried again after a while with this payload."""

    reason: str
    payload: dict[str, Any]


def react(session: Session, work: DueWork) -> Again | None:
    """Run what follows an event that was written down as work."""
    event = session.get_one(TicketEvent, work.subject_id)
    return _react(session, event, session.get_one(Ticket, event.ticket_id), list(work.payload.get("done", [])))


def react_at_once(session: Session) -> None:
    """Run what follows the events collected in this transaction, within it; what fails is written down as work."""
    while session.at_once:
        event, ticket = session.at_once.pop(0)
        again = _react(session, event, ticket, [])
        if again is not None:
            due_at = session.now + timedelta(seconds=session.settings.work.retry_seconds)
            enqueue(session, reaction_kind(event.kind), lane=Lane.REACTIONS, subject_id=event.id, due_at=due_at, payload=again.payload)


def _react(session: Session, event: TicketEvent, ticket: Ticket, done: list[str]) -> Again | None:
    """Run the reactions that are not done, each in its savepoint; those that are done are remembered for the next try."""
    failures = []
    for reaction in REACTIONS[event.kind]:
        name = reaction.__name__
        if name in done:
            continue
        try:
            with savepoint(session):
                reaction(session, ticket, event)
            done.append(name)
        except Exception as error:
            log.exception("reaction_failed", reaction=name, cause=str(event.id), ticket=str(ticket.id))
            failures.append(f"{name}: {kind_of_error(error)}")
    return Again("; ".join(failures), {"done": done}) if failures else None


def read_ahead(session: Session, works: Sequence[DueWork]) -> list[object]:
    """Read what the reactions of a batch are about in two questions; the session has it for as long as the result is held."""
    event_ids = [work.subject_id for work in works if work.kind in REACTING]
    if not event_ids:
        return []
    events = list(session.exec(select(TicketEvent).where(col(TicketEvent.id).in_(event_ids))))
    tickets_of_them = session.exec(select(Ticket).where(col(Ticket.id).in_({event.ticket_id for event in events})))
    return [*events, *tickets_of_them]
