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
from foundation.models import DueWork, WorkState
from foundation.work import Lane, revive
from hotline.letters import ACCEPT_LETTER

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
    """Plan one more try for every pending and dead contact, and every kept letter whose reading was given up; return how many."""
    open_states = (ContactState.PENDING, ContactState.DEAD)
    contacts = session.exec(select(Contact.id).where(col(Contact.state).in_(open_states))).all()
    letters = session.exec(select(DueWork.id).where(col(DueWork.state) == WorkState.DEAD, col(DueWork.kind) == ACCEPT_LETTER)).all()
    planned = [("contact", contact_id) for contact_id in contacts] + [("work", work_id) for work_id in letters]
    return sum(retry(session, kind, row_id, actor=actor) for kind, row_id in planned)


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
