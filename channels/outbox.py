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
    message = OutboxMessage(
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
    if channel is Channel.EMAIL:
        # Fixed now, so that every try carries the same one and a receiver can fold two deliveries into one.
        message.message_id = f"<{message.id.hex}@{mailbox.partition('@')[2] or 'hotline.invalid'}>"
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
    stored = session.get(OutboxMessage, message_id, with_for_update=True)
    if stored is None or stored.state not in {MessageState.QUEUED, MessageState.SENDING}:
        return None
    if stored.state is MessageState.SENDING:
        stored.state, stored.last_error = MessageState.UNKNOWN, "the sender was stopped before the provider's answer was stored"
        return None
    stored.state, stored.attempts = MessageState.SENDING, stored.attempts + 1
    return OutboundMessage(
        id=str(stored.id),
        channel=stored.channel,
        to=Address(stored.to_kind, stored.to_value),
        purpose=stored.purpose,
        subject=stored.subject,
        text=stored.text,
        language=stored.language,
        mailbox=stored.mailbox,
        reply_token=stored.reply_token,
        message_id=stored.message_id,
        in_reply_to=tuple(stored.in_reply_to),
    )


def save_sent(session: Session, message_id: UUID, sent: Sent, *, by: str) -> None:
    """Store that the provider took the message."""
    values = {"state": MessageState.SENT, "sent_at": session.now, "sent_by": by, "provider_id": sent.provider_id[:200], "last_error": None}
    session.execute(_update(message_id).values(**values))


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
