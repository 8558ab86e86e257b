"""What goes out: decided in a transaction, and known by what became of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlmodel import select

from channels.contract import (
    Address,
    AddressKind,
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
from channels.outbox import begin_sending, queue_message, retry_message, save_failure, save_sent, sent_lately
from channels.queries import attention, attention_count, failures_by_adapter, messages_of
from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.ids import new_id
from foundation.models import DueWork

LI = Address(AddressKind.PHONE, "+8613800001111")
TICKET = UUID(int=7)


def queue(session: Session, channel: Channel = Channel.SMS, purpose: Purpose = Purpose.NOTICE, **facts: str) -> OutboxMessage:
    return queue_message(
        session, channel=channel, to=LI, purpose=purpose, subject="s" * 400, text="text", language="zh", ticket_id=TICKET, **facts
    )


def state_of(database: Database, message_id: UUID) -> MessageState:
    with database.read() as session:
        return session.get_one(OutboxMessage, message_id).state


def test_a_message_is_queued_with_its_work_or_not_at_all(database: Database) -> None:
    with database.write() as session:
        message = queue(session)
        assert session.lanes == {"outbox"}
    with suppress(RuntimeError), database.write() as session:
        queue(session)
        raise RuntimeError("its cause failed")
    with database.read() as session:
        (stored,) = session.exec(select(OutboxMessage))
        (work,) = session.exec(select(DueWork))
    assert (stored.id, stored.state, stored.queued_at, len(stored.subject)) == (message.id, "queued", database.clock.now(), 300)
    assert (work.kind, work.subject_id, work.due_at) == ("send_message", message.id, database.clock.now())


def test_a_letter_has_its_message_id_from_the_start(database: Database) -> None:
    with database.write() as session:
        for mailbox, domain in (("hotline@city.example", "city.example"), ("", "hotline.invalid")):
            message = queue(session, Channel.EMAIL, mailbox=mailbox)
            assert message.message_id == f"<{message.id.hex}@{domain}>"
        assert queue(session, Channel.SMS).message_id == ""


def test_the_adapter_gets_everything_that_was_queued(database: Database) -> None:
    with database.write() as session:
        message = queue_message(
            session,
            channel=Channel.EMAIL,
            to=LI,
            purpose=Purpose.ANSWER,
            subject="subject",
            text="text",
            language="zh",
            mailbox="hotline@city.example",
            reply_token="2026-000001",
            in_reply_to=["<1@x>", "<2@x>"],
        )
        handed = begin_sending(session, message.id)
    assert handed == OutboundMessage(
        id=str(message.id),
        channel=Channel.EMAIL,
        to=LI,
        purpose=Purpose.ANSWER,
        subject="subject",
        text="text",
        language="zh",
        mailbox="hotline@city.example",
        reply_token="2026-000001",
        message_id=message.message_id,
        in_reply_to=("<1@x>", "<2@x>"),
    )
    assert state_of(database, message.id) is MessageState.SENDING


OUTCOMES: list[tuple[SendError, str]] = [
    (RetryableSendError("busy"), "queued"),
    (PermanentSendError("refused"), "failed"),
    (OptedOutError("stop"), "opted_out"),
    (UnreachableError("gone"), "unreachable"),
    (UnknownOutcomeError("broken off"), "unknown"),
]


def test_each_outcome_has_its_state(database: Database) -> None:
    for error, state in OUTCOMES:
        with database.write() as session:
            message = queue(session)
            begin_sending(session, message.id)
        with database.write() as session:
            assert save_failure(session, message.id, error, by="twilio_sms", is_last_try=False) == state
        with database.read() as session:
            stored = session.get_one(OutboxMessage, message.id)
        assert (stored.state, stored.sent_by, stored.attempts) == (state, "twilio_sms", 1)
        assert stored.last_error == f"{type(error).__name__}: {error}"


def test_a_busy_provider_on_the_last_try_is_a_failure(database: Database) -> None:
    with database.write() as session:
        message = queue(session)
        begin_sending(session, message.id)
    with database.write() as session:
        assert save_failure(session, message.id, RetryableSendError("busy"), by="x", is_last_try=True) is MessageState.FAILED
    assert state_of(database, message.id) is MessageState.FAILED


def test_a_sent_message_is_never_handed_over_again(database: Database) -> None:
    with database.write() as session:
        message = queue(session)
        begin_sending(session, message.id)
    with database.write() as session:
        save_sent(session, message.id, Sent("SM" + "1" * 300), by="twilio_sms")
    with database.write() as session:
        assert begin_sending(session, message.id) is None
        assert not retry_message(session, message.id)
        stored = session.get_one(OutboxMessage, message.id)
    assert (stored.state, stored.sent_at, stored.sent_by) == ("sent", database.clock.now(), "twilio_sms")
    assert (stored.last_error, len(stored.provider_id or "")) == (None, 200)


def test_a_message_whose_sender_died_is_unknown_and_only_a_person_sends_it_again(database: Database) -> None:
    with database.write() as session:
        message = queue(session)
        begin_sending(session, message.id)
    with database.write() as session:
        assert begin_sending(session, message.id) is None
    with database.read() as session:
        (stuck,) = attention(session).messages
        assert (stuck.id, stuck.state, attention_count(session)) == (message.id, "unknown", 1)
    with database.write() as session:
        assert begin_sending(session, message.id) is None
        assert retry_message(session, message.id)
    with database.write() as session:
        handed = begin_sending(session, message.id)
    assert handed is not None
    assert handed.id == str(message.id), "the same message, so that a receiver can fold the two into one"


def test_a_failure_that_is_told_too_late_does_not_outweigh_that_nobody_knows(database: Database) -> None:
    with database.write() as session:
        message = queue(session)
        begin_sending(session, message.id)
    with database.write() as session:
        begin_sending(session, message.id)  # another worker took it over: unknown
    with database.write() as session:
        save_failure(session, message.id, RetryableSendError("busy"), by="x", is_last_try=False)
    assert state_of(database, message.id) is MessageState.UNKNOWN, "queued again it would wait for work that nobody has"


def test_a_person_may_retry_what_failed_and_never_what_the_citizen_declined(database: Database) -> None:
    for state in MessageState:
        with database.write() as session:
            message = queue(session)
        with database.write() as session:
            session.get_one(OutboxMessage, message.id).state = state
        may_retry = state in {MessageState.FAILED, MessageState.UNKNOWN, MessageState.UNREACHABLE}
        with database.write() as session:
            assert retry_message(session, message.id) is may_retry
        assert state_of(database, message.id) is (MessageState.QUEUED if may_retry else state)
        with database.read() as session:
            planned = [work for work in session.exec(select(DueWork)) if work.subject_id == message.id]
        assert len(planned) == 1 + may_retry


def test_a_message_that_nobody_knows_is_not_sent(database: Database) -> None:
    with database.write() as session:
        assert begin_sending(session, new_id()) is None
        assert not retry_message(session, new_id())


def test_messages_of_a_purpose_to_an_address_are_counted_within_their_span(database: Database, clock: SetClock) -> None:
    with database.write() as session:
        queue(session)
        queue(session, purpose=Purpose.ANSWER)
    clock.set(clock.now() + timedelta(minutes=59))
    with database.write() as session:
        queue(session)
        assert sent_lately(session, LI, Purpose.NOTICE, timedelta(hours=1)) == 2
        assert sent_lately(session, Address(AddressKind.PHONE, "+1"), Purpose.NOTICE, timedelta(hours=1)) == 0
    clock.set(clock.now() + timedelta(minutes=1))
    with database.read() as session:
        assert sent_lately(session, LI, Purpose.NOTICE, timedelta(hours=1)) == 1


def test_failures_are_counted_by_the_adapter_that_had_them(database: Database) -> None:
    with database.write() as session:
        for by, error in (("twilio_sms", PermanentSendError("x")), ("email", UnknownOutcomeError("x")), ("email", UnreachableError("x"))):
            message = queue(session)
            begin_sending(session, message.id)
            session.flush()
            save_failure(session, message.id, error, by=by, is_last_try=False)
    with database.read() as session:
        assert failures_by_adapter(session, timedelta(hours=1)) == {"twilio_sms": 1, "email": 1}
        assert len(messages_of(session, TICKET)) == 3
