"""What the hotline cannot go on with by itself: contacts, requests, messages and work that need a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

import channels.queries
from agent_console.visits import NotFoundError, StaffRoute, Visitor, answer, database_of, sent_by_own_form, signed_in
from agent_console.words import CHANNEL_NAMES, CONTACT_KIND_NAMES, CONTACT_STATE_NAMES, MESSAGE_STATE_NAMES, PURPOSE_NAMES, RAW_STATE_NAMES
from channels.models import Contact, ContactState, MessageState, OutboxMessage, RawContact
from foundation.database import Session
from foundation.i18n import say
from foundation.models import DueWork
from foundation.security import who_may_call
from identity.access import Action, masked_address, require
from tickets.timeline import reason_in

router = APIRouter(route_class=StaffRoute)

PATH = "/attention"
RETRY_KINDS = ("contact", "message", "work")


class Retry(Protocol):
    """What `hotline` hands in: plans one more try of one thing; False when there is nothing left to try."""

    def __call__(self, session: Session, kind: str, row_id: UUID, *, actor: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """One thing that waits. `retry_kind` is "" when trying again by hand makes no sense."""

    id: UUID
    at: datetime
    what: str
    state: str
    reason: str
    reference: str
    retry_kind: str


@router.get(PATH)
@who_may_call(Action.SEE_ATTENTION)
def show_attention(request: Request, visitor: Annotated[Visitor, Depends(signed_in)], done: str = "") -> HTMLResponse:
    """Return what waits for a person, oldest first, each with its reason and, where it helps, a button to try again."""
    require(visitor.actor, Action.SEE_ATTENTION)
    language = visitor.language
    with database_of(request).read() as session:
        found = channels.queries.attention(session)
    return answer(
        request,
        "attention/list.html",
        visitor=visitor,
        next_path=PATH,
        contacts=[_contact_row(contact, language) for contact in found.contacts],
        raw=[_raw_row(raw, language) for raw in found.raw],
        messages=[_message_row(message, language) for message in found.messages],
        work=[_work_row(work) for work in found.work],
        may_retry=visitor.may(Action.RETRY_WORK),
        done=done,
    )


@router.post(PATH + "/{kind}/{id}/retry")
@who_may_call(Action.RETRY_WORK)
def retry(request: Request, kind: str, id: UUID, visitor: Annotated[Visitor, Depends(sent_by_own_form)]) -> Response:
    """Try one thing again and return to the page."""
    require(visitor.actor, Action.RETRY_WORK)
    if kind not in RETRY_KINDS:
        raise NotFoundError
    again: Retry = request.app.state.retry
    with database_of(request).write() as session:
        was_planned = again(session, kind, id, actor=visitor.actor.label)
    return RedirectResponse(f"{PATH}?done={'retry' if was_planned else 'nothing'}", status_code=303)


def _contact_row(contact: Contact, language: str) -> AttentionRow:
    return AttentionRow(
        contact.id,
        contact.received_at,
        what=f"{say(language, CHANNEL_NAMES[contact.channel])} · {say(language, CONTACT_KIND_NAMES[contact.kind])}",
        state=say(language, CONTACT_STATE_NAMES[contact.state]),
        reason=reason_in(language, contact.reason or ""),
        reference=contact.receipt,
        retry_kind="" if contact.state is ContactState.WAITING else "contact",
    )


def _raw_row(raw: RawContact, language: str) -> AttentionRow:
    return AttentionRow(
        raw.id,
        raw.received_at,
        what=raw.adapter,
        state=say(language, RAW_STATE_NAMES[raw.state]),
        reason=reason_in(language, raw.reason or ""),
        reference=str(raw.id),
        retry_kind="",
    )


def _message_row(message: OutboxMessage, language: str) -> AttentionRow:
    return AttentionRow(
        message.id,
        message.queued_at,
        what=f"{say(language, CHANNEL_NAMES[message.channel])} · {say(language, PURPOSE_NAMES[message.purpose])}",
        state=say(language, MESSAGE_STATE_NAMES[message.state]),
        reason=reason_in(language, message.last_error or ""),
        reference=masked_address(message.to_value),
        retry_kind="message" if message.state in {MessageState.FAILED, MessageState.UNKNOWN} else "",
    )


def _work_row(work: DueWork) -> AttentionRow:
    reason = work.last_error or ""
    return AttentionRow(work.id, work.due_at, what=work.kind, state="", reason=reason, reference=str(work.id), retry_kind="work")
