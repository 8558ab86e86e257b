"""Questions about what is to be done next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from followup.models import OPEN, Callback, Reminder, Revisit
from followup.planning import FollowUpState
from foundation.database import Session


def next_followups(session: Session, ticket_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """Return, per ticket, when the hotline acts next by itself: a callback, a revisit or a reminder of the department."""
    ids = list(ticket_ids)
    soonest: dict[UUID, datetime] = {}
    for model in (Callback, Revisit, Reminder):
        is_open = text(f"{model.__tablename__}.{OPEN}")
        question = select(model.ticket_id, func.min(model.due_at)).where(col(model.ticket_id).in_(ids), is_open)
        for ticket_id, due_at in session.exec(question.group_by(col(model.ticket_id))):
            soonest[ticket_id] = min(due_at, soonest.get(ticket_id, due_at))
    return soonest


def open_revisit(session: Session, ticket_id: UUID) -> Revisit | None:
    """Return the revisit that is planned or due for a ticket, None when there is none."""
    return session.exec(select(Revisit).where(col(Revisit.ticket_id) == ticket_id, text(f"revisit.{OPEN}"))).first()


def open_callback(session: Session, ticket_id: UUID) -> Callback | None:
    """Return the callback that is planned or due for a ticket, None when there is none."""
    return session.exec(select(Callback).where(col(Callback.ticket_id) == ticket_id, text(f"callback.{OPEN}"))).first()


def call_list(session: Session, limit: int = 100) -> list[Callback | Revisit]:
    """Return the callbacks and revisits whose moment has come, the longest waiting first."""
    callbacks = select(Callback).where(text(f"callback.{OPEN}"), col(Callback.state) == FollowUpState.DUE)
    revisits = select(Revisit).where(text(f"revisit.{OPEN}"), col(Revisit.state) == FollowUpState.DUE)
    due: list[Callback | Revisit] = [
        *session.exec(callbacks.order_by(col(Callback.due_at)).limit(limit)),
        *session.exec(revisits.order_by(col(Revisit.due_at)).limit(limit)),
    ]
    return sorted(due, key=lambda one: one.due_at)[:limit]
