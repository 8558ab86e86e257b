"""Trying again what a person decided to try again: contacts, messages, dead work."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from channels import inbox
from channels.models import Contact, ContactState
from channels.outbox import retry_message
from foundation import audit
from foundation.database import Session
from foundation.models import DueWork
from foundation.work import Lane, revive

RETRY_KINDS = frozenset({"contact", "message", "work"})


def retry(session: Session, kind: str, row_id: UUID, *, actor: str = "staff") -> bool:
    """Plan one more try, due now. Returns whether there was something to try.

    kind   "contact", "message" or "work"
    """
    again = {"contact": _retry_contact, "message": retry_message, "work": revive}[kind]
    done = again(session, row_id)
    if done:
        audit.record(session, actor=actor, action=f"{kind}.retried", subject=f"{kind}:{row_id}")
    return done


def retry_contacts(session: Session, *, actor: str) -> int:
    """Plan one more try for every pending and dead contact; return how many."""
    open_states = (ContactState.PENDING, ContactState.DEAD)
    found = session.exec(select(Contact.id).where(col(Contact.state).in_(open_states)))
    return sum(retry(session, "contact", contact_id, actor=actor) for contact_id in found)


def _retry_contact(session: Session, contact_id: UUID) -> bool:
    contact = session.get(Contact, contact_id)
    if contact is None or contact.state not in {ContactState.PENDING, ContactState.DEAD}:
        return False
    planned = session.exec(select(DueWork).where(col(DueWork.dedupe_key) == inbox.retry_key(contact_id))).first()
    if planned is None:
        inbox.try_again(session, contact)
        return True
    if not revive(session, planned.id):
        soon = update(DueWork).where(col(DueWork.id) == planned.id).values(due_at=session.now)
        session.execute(soon.execution_options(synchronize_session=False))
        session.lanes.add(Lane.INTAKE)
    return True
