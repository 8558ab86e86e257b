"""What goes out: decided in a transaction, handed to the provider outside of any, and known by what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, update
from sqlmodel import col, select

from channels.contract import (
    Address,
    Channel,
    OptedOutError,
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RetryableSendError,
    SendError,
    Sent,
    UnknownOutcomeError,
    UnreachableError,
)
from channels.models import MessageState, OutboxMessage
from foundation.database import Session
from foundation.ids import new_id
from foundation.prepared import Prepared, store
from foundation.work import Lane, enqueue

SEND_MESSAGE = "send_message"

STATE_AFTER: dict[type[SendError], MessageState] = {
    RetryableSendError: MessageState.QUEUED,
    PermanentSendError: MessageState.FAILED,
    OptedOutError: MessageState.OPTED_OUT,
    UnreachableError: MessageState.UNREACHABLE,
    UnknownOutcomeError: MessageState.UNKNOWN,
}


_SENT_LATELY = Prepared(
    select(func.count()).where(
        col(OutboxMessage.to_value) == bindparam("to"),
        col(OutboxMessage.queued_at) > bindparam("since"),
        col(OutboxMessage.purpose) == bindparam("purpose"),
    )
)


_CONTENT = (
    "channel",
    "to_kind",
    "to_value",
    "purpose",
    "subject",
    "text",
    "language",
    "mailbox",
    "reply_token",
    "message_id",
    "in_reply_to",
)
_THIS = col(OutboxMessage.id) == bindparam("the_id")
_BEGIN = Prepared(
    update(OutboxMessage)
    .where(_THIS, col(OutboxMessage.state) == MessageState.QUEUED)
    .values(state=MessageState.SENDING, attempts=col(OutboxMessage.attempts) + 1)
    .returning(*(getattr(OutboxMessage, name) for name in _CONTENT))
)
_ABANDON = Prepared(
    update(OutboxMessage)
    .where(_THIS, col(OutboxMessage.state) == MessageState.SENDING)
    .values(state=MessageState.UNKNOWN, last_error="the sender was stopped before the provider's answer was stored")
)
_SENT = Prepared(
    update(OutboxMessage)
    .where(_THIS)
    .values(
        state=MessageState.SENT, sent_at=bindparam("now"), sent_by=bindparam("by"), provider_id=bindparam("at_provider"), last_error=None
    )
)


def queue_message(
    session: Session,
    *,
    channel: Channel,
    to: Address,
    purpose: Purpose,
    subject: str,
    text: str,
    language: str,
    ticket_id: UUID | None = None,
    mailbox: str = "",
    reply_token: str = "",
    in_reply_to: Sequence[str] = (),
) -> OutboxMessage:
    """Store a message to be sent, with its work, in the transaction of its cause; return it.

    reply_token   the ticket's number; the adapter signs it into an address to answer to
    """
    own_id = new_id()
    # Fixed now, so that every try carries the same one and a receiver can fold two deliveries into one.
    message_id = f"<{own_id.hex}@{mailbox.partition('@')[2] or 'hotline.invalid'}>" if channel is Channel.EMAIL else ""
    message = OutboxMessage.plain(
        id=own_id,
        message_id=message_id,
        channel=channel,
        to_kind=to.kind,
        to_value=to.value,
        purpose=purpose,
        subject=subject[:300],
        text=text,
        language=language,
        ticket_id=ticket_id,
        queued_at=session.now,
        mailbox=mailbox,
        reply_token=reply_token,
        in_reply_to=list(in_reply_to),
    )
    store(session, message)
    enqueue(session, SEND_MESSAGE, lane=Lane.OUTBOX, subject_id=message.id)
    return message


def sent_lately(session: Session, to: Address, purpose: Purpose, within: timedelta) -> int:
    """Return how many messages of this purpose went to an address within a span."""
    return int(_SENT_LATELY.rows(session, {"to": to.value, "since": session.now - within, "purpose": purpose})[0][0])


def begin_sending(session: Session, message_id: UUID) -> OutboundMessage | None:
    """Mark a message as handed over and return it for the adapter; the caller commits before it sends.

    None when it is no longer queued. One that was being sent when its worker died becomes UNKNOWN here: the provider may
    have taken it, so a person decides.
    """
    found = _BEGIN.rows(session, {"the_id": message_id})
    if not found:
        _ABANDON.run(session, {"the_id": message_id})
        return None
    content = dict(zip(_CONTENT, found[0], strict=True))
    to = Address(content.pop("to_kind"), content.pop("to_value"))
    return OutboundMessage(**content | {"id": str(message_id), "to": to, "in_reply_to": tuple(content["in_reply_to"])})


def save_sent(session: Session, message_id: UUID, sent: Sent, *, by: str) -> None:
    """Store that the provider took the message."""
    _SENT.run(session, {"the_id": message_id, "now": session.now, "by": by, "at_provider": sent.provider_id[:200]})


def save_failure(session: Session, message_id: UUID, error: SendError, *, by: str, is_last_try: bool) -> MessageState:
    """Store why the message was not delivered, and return its state: QUEUED only when it is tried again."""
    state = STATE_AFTER[type(error)]
    if state is MessageState.QUEUED and is_last_try:
        state = MessageState.FAILED
    # Only while it is being sent: whoever took the work over meanwhile called it UNKNOWN, and its work is gone.
    being_sent = _update(message_id).where(col(OutboxMessage.state) == MessageState.SENDING)
    session.execute(being_sent.values(state=state, sent_by=by, last_error=f"{type(error).__name__}: {error}"[:500]))
    return state


def retry_message(session: Session, message_id: UUID) -> bool:
    """Queue a message again because a person decided so. Returns whether it was one that had failed."""
    message = session.get(OutboxMessage, message_id)
    if message is None or message.state not in {MessageState.FAILED, MessageState.UNKNOWN, MessageState.UNREACHABLE}:
        return False
    message.state, message.last_error = MessageState.QUEUED, None
    enqueue(session, SEND_MESSAGE, lane=Lane.OUTBOX, subject_id=message.id)
    return True


def _update(message_id: UUID):  # type: ignore[no-untyped-def]
    return update(OutboxMessage).where(col(OutboxMessage.id) == message_id).execution_options(synchronize_session=False)
