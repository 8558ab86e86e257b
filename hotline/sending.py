"""Handing messages to their providers: mark (commit), send (no transaction open), save what became of it (commit)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from channels.contract import OutboundMessage, PermanentSendError, RetryableSendError, Sender, SendError, Sent, UnknownOutcomeError
from channels.models import MessageState
from channels.outbox import begin_sending, save_failure, save_sent
from foundation.models import DueWork
from foundation.work import LeaseLostError, finish, postpone, renew
from hotline.office import Office

log = structlog.get_logger(__name__)


def send_messages(office: Office, works: Sequence[DueWork]) -> None:
    """Send each message of a claimed batch, one after the other, with its lease renewed before each."""
    for index, work in enumerate(works):
        assert work.subject_id is not None
        with office.database.write() as session:
            renew(session, works[index:], office.settings.lease)
            message = begin_sending(session, work.subject_id)
            if message is None:
                finish(session, [work])
        if message is not None:
            sender = office.doors.senders.get(message.channel)
            _save(office, work, _send(sender, message), by=sender.name if sender else "")


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


def _save(office: Office, work: DueWork, result: Sent | SendError, *, by: str) -> None:
    assert work.subject_id is not None
    # What became of the message is stored also when the lease ran out: whoever took the work over finds it.
    with office.database.write() as session, suppress(LeaseLostError):
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
