"""Writing what happened, and changing a ticket only as it was last seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from foundation.database import Session
from foundation.i18n import Sentence
from foundation.prepared import Prepared, store
from foundation.work import Lane, enqueue
from identity.access import Actor
from tickets.lifecycle import EventKind, NotNowError
from tickets.models import Ticket, TicketEvent


def reaction_kind(kind: EventKind) -> str:
    """Return the kind of work that reacts to an event."""
    return f"react_{kind}"


def write_event(
    session: Session,
    ticket: Ticket,
    kind: EventKind,
    *,
    actor: Actor,
    contact_id: UUID | None = None,
    text: str = "",
    reasons: Sequence[Sentence] = (),
    data: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> TicketEvent:
    """Store one event and return it; its reactions follow, in this transaction when somebody here does them, else as work."""
    event = TicketEvent.plain(
        ticket_id=ticket.id,
        kind=kind,
        at=at or session.now,
        actor_kind=actor.kind,
        actor_id=actor.id,
        contact_id=contact_id,
        text=text,
        reasons=[[text, dict(values)] for text, values in reasons],
        data=data or {},
    )
    store(session, event)
    if session.at_once is None:
        enqueue(session, reaction_kind(kind), lane=Lane.REACTIONS, subject_id=event.id)
    elif reaction_kind(kind) not in session.idle_kinds:
        session.at_once.append((event, ticket))
    return event


def touch(session: Session, ticket: Ticket, **values: Any) -> None:
    """Change what nobody else decides upon, whatever else happens to the ticket at this moment: a citizen's words, the activity."""
    values["last_activity_at"] = session.now
    _touch(frozenset(values)).run(session, values | {"the_ticket": ticket.id})
    for name, value in values.items():
        set_committed_value(ticket, name, value)


def change(session: Session, ticket: Ticket, **values: Any) -> None:
    """Change a ticket, here and in the database, if nobody else changed it since it was read; else raise NotNowError."""
    values["version"] = ticket.version + 1
    values.setdefault("last_activity_at", session.now)
    changed = _update(frozenset(values)).run(session, values | {"the_ticket": ticket.id, "the_version": ticket.version})
    if changed != 1:
        raise NotNowError("somebody else changed the ticket at this moment")
    for name, value in values.items():
        set_committed_value(ticket, name, value)


@cache
def _update(columns: frozenset[str]) -> Prepared:
    """Return the statement that changes these columns of a ticket that is still as it was read."""
    as_read = (col(Ticket.id) == bindparam("the_ticket"), col(Ticket.version) == bindparam("the_version"))
    return Prepared(update(Ticket).where(*as_read).values({name: bindparam(name) for name in sorted(columns)}))


@cache
def _touch(columns: frozenset[str]) -> Prepared:
    """Return the statement that changes these columns of a ticket."""
    return Prepared(
        update(Ticket).where(col(Ticket.id) == bindparam("the_ticket")).values({name: bindparam(name) for name in sorted(columns)})
    )
