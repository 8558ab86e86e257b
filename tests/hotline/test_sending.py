"""Handing messages to their providers: never twice, never with a transaction open, and always known by what became of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from channels.adapters.console import ConsoleSender
from channels.contract import (
    Address,
    AddressKind,
    Channel,
    OptedOutError,
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RetryableSendError,
    Sent,
    UnknownOutcomeError,
    UnreachableError,
)
from channels.models import MessageState, OutboxMessage
from channels.outbox import begin_sending, queue_message, save_sent
from channels.queries import attention, attention_count
from foundation.models import DueWork
from foundation.work import Lane, claim
from hotline.lanes import sweep_lanes
from hotline.retrying import retry
from tests.cast import Desk

LI = Address(AddressKind.PHONE, "+8613800001111")


def queue(desk: Desk, text: str = "hello", channel: Channel = Channel.SMS) -> UUID:
    with desk.database.write() as session:
        message = queue_message(session, channel=channel, to=LI, purpose=Purpose.NOTICE, subject="", text=text, language="en")
    return message.id


def stored(desk: Desk, message_id: UUID) -> OutboxMessage:
    with desk.database.read() as session:
        return session.get_one(OutboxMessage, message_id)


def claim_outbox(desk: Desk) -> list[DueWork]:
    with desk.database.write() as session:
        return claim(session, Lane.OUTBOX, worker="another", many=10, lease=timedelta(seconds=60))


def test_a_message_is_sent_once_and_its_work_is_gone(desk: Desk) -> None:
    message_id = queue(desk)
    desk.work()
    desk.later(days=2)
    desk.work()
    found = stored(desk, message_id)
    assert (found.state, found.sent_by, found.provider_id) == ("sent", "fake", f"fake-{message_id}")
    assert (len(desk.sender.messages), desk.all(DueWork)) == (1, [])


FINAL = {
    "failed": PermanentSendError("x"),
    "opted_out": OptedOutError("x"),
    "unreachable": UnreachableError("x"),
    "unknown": UnknownOutcomeError("x"),
}


def test_what_must_not_be_tried_again_is_not(desk: Desk) -> None:
    mistake = ValueError("a mistake of the adapter")  # the provider may have it
    desk.sender.answers = [*FINAL.values(), mistake]
    ids = [queue(desk, state) for state in (*FINAL, "mistake")]
    desk.work()
    desk.later(days=2)
    desk.work()
    assert [stored(desk, message_id).state for message_id in ids] == [*FINAL, "unknown"]
    assert (len(desk.sender.messages), desk.all(DueWork)) == (len(ids), [])
    assert "a mistake" not in (stored(desk, ids[-1]).last_error or ""), "an unexpected error may repeat the citizen's words"


def test_a_busy_provider_is_left_alone_for_longer_and_longer_and_then_given_up(desk: Desk) -> None:
    desk.sender.answers = [RetryableSendError("busy") for _ in range(20)]
    message_id = queue(desk)
    waits: list[timedelta] = []
    desk.work()
    while (planned := desk.planned("send_message")) and len(waits) < 20:
        waits.append(planned[0].due_at - desk.clock.now())
        assert desk.work() == 0
        desk.clock.set(planned[0].due_at)
        desk.work()
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]
    assert (stored(desk, message_id).state, stored(desk, message_id).attempts) == ("failed", 8)
    with desk.database.read() as session:
        assert attention_count(session) == 1


def test_a_provider_that_says_when_to_come_again_is_asked_then(desk: Desk) -> None:
    desk.sender.answers = [RetryableSendError("slow down", after=timedelta(seconds=17))]
    message_id = queue(desk)
    desk.work()
    assert [work.due_at for work in desk.planned("send_message")] == [desk.later(seconds=17)]
    desk.work()
    assert stored(desk, message_id).state is MessageState.SENT


def test_nothing_is_open_while_the_provider_is_asked(desk: Desk) -> None:
    def look(message: OutboundMessage) -> None:
        with desk.database.write() as session:  # would wait for ever for a writer that is held
            assert session.get_one(OutboxMessage, UUID(message.id)).state is MessageState.SENDING, "it is marked before it is sent"

    desk.sender.answers = [look]
    message_id = queue(desk)
    desk.work()
    assert stored(desk, message_id).state is MessageState.SENT


def test_a_worker_that_dies_while_sending_leaves_an_unknown_outcome_for_a_person(desk: Desk) -> None:
    message_id = queue(desk)
    claim_outbox(desk)
    with desk.database.write() as session:
        begin_sending(session, message_id)
    desk.later(seconds=61)
    sweep_lanes(desk.office)
    desk.work()
    assert (stored(desk, message_id).state, desk.sender.messages, desk.all(DueWork)) == ("unknown", [], [])
    with desk.database.read() as session:
        assert [message.id for message in attention(session).messages] == [message_id]
    with desk.database.write() as session:
        assert retry(session, "message", message_id)
    desk.work()
    assert (stored(desk, message_id).state, len(desk.sender.messages)) == ("sent", 1)


def test_a_worker_that_dies_before_sending_loses_nothing(desk: Desk) -> None:
    message_id = queue(desk)
    claim_outbox(desk)
    desk.later(seconds=61)
    sweep_lanes(desk.office)
    desk.work()
    assert (stored(desk, message_id).state, len(desk.sender.messages)) == ("sent", 1)


def test_the_leases_of_those_that_wait_are_renewed_while_a_slow_provider_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotline.sending.monotonic_seconds", lambda: desk.clock.now().timestamp())
    seen: list[list[datetime | None]] = []

    def be_slow(_message: OutboundMessage) -> None:
        desk.later(seconds=50)
        sweep_lanes(desk.office)
        seen.append([work.lease_until for work in desk.planned("send_message")])

    desk.sender.answers = [be_slow, be_slow, be_slow]
    ids = [queue(desk, text) for text in "abc"]
    desk.work()
    assert [message.text for message in desk.sender.messages] == ["a", "b", "c"], "in 150 seconds, with leases of 60"
    assert [len(leases) for leases in seen] == [3, 2, 1]
    assert all(lease is not None for leases in seen for lease in leases)
    assert {stored(desk, message_id).state for message_id in ids} == {MessageState.SENT}


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_message_that_the_provider_took_is_sent_also_when_the_lease_ran_out_meanwhile(desk: Desk, taken_over: bool) -> None:
    def be_too_slow(message: OutboundMessage) -> None:
        desk.later(seconds=61)
        sweep_lanes(desk.office)
        if taken_over:
            claim_outbox(desk)
            with desk.database.write() as session:
                assert begin_sending(session, UUID(message.id)) is None

    desk.sender.answers = [be_too_slow]
    message_id = queue(desk)
    desk.work()
    assert (stored(desk, message_id).state, len(desk.sender.messages)) == ("sent", 1)
    desk.later(seconds=61)
    sweep_lanes(desk.office)
    desk.work()
    assert (len(desk.sender.messages), desk.all(DueWork)) == (1, []), "who claims it next finds it sent"


def test_what_became_of_a_message_stands_also_when_the_next_one_was_taken_over(desk: Desk) -> None:
    def be_too_slow(_message: OutboundMessage) -> None:
        desk.later(seconds=61)
        sweep_lanes(desk.office)
        claim_outbox(desk)
        with desk.database.write() as session:
            begin_sending(session, second)
            save_sent(session, second, Sent("by another"), by="another")

    desk.sender.answers = [be_too_slow]
    first, second = queue(desk, "a"), queue(desk, "b")
    desk.work()
    assert [stored(desk, message_id).state for message_id in (first, second)] == ["sent", "sent"]
    assert [message.text for message in desk.sender.messages] == ["a"]


def test_one_message_that_fails_holds_up_none_of_its_batch(desk: Desk) -> None:
    desk.sender.answers = [PermanentSendError("x"), RuntimeError("y")]
    ids = [queue(desk, text) for text in "abc"]
    desk.work()
    assert [stored(desk, message_id).state for message_id in ids] == ["failed", "unknown", "sent"]


def test_a_message_for_which_no_door_is_open_fails_and_says_so(desk: Desk) -> None:
    message_id = queue(desk, channel=Channel.CHAT)
    desk.work()
    found = stored(desk, message_id)
    assert (found.state, found.last_error) == (
        "failed",
        "PermanentSendError: no door is open that sends by chat; enable one in settings.toml",
    )


def test_the_console_twin_takes_what_a_provider_would(desk: Desk, tmp_path: Path) -> None:
    desk.office.doors.senders[Channel.SMS] = ConsoleSender(Channel.SMS, tmp_path / "console")
    message_id = queue(desk, "路灯")
    desk.work()
    (line,) = (tmp_path / "console" / "sms.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(line)["to"], json.loads(line)["text"], json.loads(line)["id"]) == (LI.value, "路灯", str(message_id))
    assert (stored(desk, message_id).state, stored(desk, message_id).sent_by) == ("sent", "console")


def test_a_console_that_cannot_be_written_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("a file where the folder should be", encoding="utf-8")
    desk.office.doors.senders[Channel.SMS] = ConsoleSender(Channel.SMS, tmp_path / "console")
    message_id = queue(desk)
    desk.work()
    assert stored(desk, message_id).state is MessageState.QUEUED
    (tmp_path / "console").unlink()
    desk.later(minutes=1)
    desk.work()
    assert stored(desk, message_id).state is MessageState.SENT
