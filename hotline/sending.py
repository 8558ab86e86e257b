"""Handing messages to their providers: mark (commit), send (no transaction open), save what became of it (commit)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from channels.contract import OutboundMessage, PermanentSendError, RetryableSendError, Sender, SendError, Sent, UnknownOutcomeError
from channels.models import MessageState
from channels.outbox import begin_sending, save_failure, save_sent
from foundation.clock import monotonic_seconds
from foundation.database import Session
from foundation.models import DueWork
from foundation.work import LeaseLostError, finish, postpone, renew
from hotline.office import Office

log = structlog.get_logger(__name__)


def send_messages(office: Office, works: Sequence[DueWork]) -> None:
    """Send each message of a claimed batch, one after the other; one commit saves an outcome and marks the next message."""
    save: Callable[[Session], None] | None = None
    renewed_at = monotonic_seconds()
    for index, work in enumerate(works):
        assert work.subject_id is not None
        with office.database.write() as session:
            if save is not None:
                save(session)
            if monotonic_seconds() - renewed_at > office.settings.work.lease_seconds / 3:
                renew(session, works[index:], office.settings.lease)
                renewed_at = monotonic_seconds()
            message = begin_sending(session, work.subject_id)
            if message is None:
                with suppress(LeaseLostError):  # nothing was done for it, and the outcome before it must stand
                    finish(session, [work])
        save = None
        if message is not None:
            sender = office.doors.senders.get(message.channel)
            save = partial(_save, work=work, result=_send(sender, message), by=sender.name if sender else "")
    if save is not None:
        with office.database.write() as session:
            save(session)


def _send(sender: Sender | None, message: OutboundMessage) -> Sent | SendError:
    if sender is None:
        return PermanentSendError(f"no door is open that sends by {message.channel}; enable one in settings.toml")
    try:
        return sender.send(message)
    except SendError as error:
        return error
    except Exception as error:
        log.exception("sender_failed", message=message.id, channel=str(message.channel))
        return UnknownOutcomeError(f"the sender broke off: {type(error).__name__}")


def _save(session: Session, *, work: DueWork, result: Sent | SendError, by: str) -> None:
    assert work.subject_id is not None
    # What became of the message is stored also when the lease ran out: whoever took the work over finds it.
    with suppress(LeaseLostError):
        if isinstance(result, Sent):
            save_sent(session, work.subject_id, result, by=by)
            finish(session, [work])
            return
        is_last = work.attempts >= work.max_attempts
        state = save_failure(session, work.subject_id, result, by=by, is_last_try=is_last)
        log.warning("message_not_delivered", message=str(work.subject_id), outcome=type(result).__name__, state=str(state))
        if state is MessageState.QUEUED and isinstance(result, RetryableSendError):
            postpone(session, work, reason=str(result), after=result.after or _delay(work))
        else:
            finish(session, [work])


def _delay(work: DueWork) -> timedelta:
    """Return how long a busy provider is left alone: 1, 5 and 30 minutes, then 2, 6 and 12 hours, then a day."""
    minutes = (1, 5, 30, 120, 360, 720, 1440)
    return timedelta(minutes=minutes[min(work.attempts, len(minutes)) - 1])
