"""The office is told that something needs a person, and not again and again."""

from __future__ import annotations

import pytest

from channels.contract import Address, AddressKind, Channel, PermanentSendError, Purpose
from channels.outbox import queue_message
from hotline.alarms import raise_alarm
from hotline.jobs import PERIODIC
from tests.cast import LAMP, LI, Desk, sms


@pytest.fixture
def stuck(desk: Desk) -> Desk:
    """A desk with one message that failed, and a mailbox for alarms."""
    desk.change_settings(alarms={"email": "duty@city.example"})
    desk.sender.answers = [PermanentSendError("refused")]
    desk.opened(sms(LI, LAMP))
    return desk


def tick(desk: Desk) -> int:
    """Let the periodic job look once; return how many alarms went out so far."""
    with desk.database.write() as session:
        raise_alarm(session)
    desk.work()
    return len(desk.messages("alarm"))


def test_nothing_that_waits_for_a_person_raises_no_alarm(desk: Desk) -> None:
    desk.change_settings(alarms={"email": "duty@city.example"})
    desk.opened(sms(LI, LAMP))
    assert tick(desk) == 0


def test_an_alarm_goes_to_the_office_once_an_interval(stuck: Desk) -> None:
    assert [tick(stuck), tick(stuck)] == [1, 1]
    stuck.later(minutes=60)
    assert tick(stuck) == 2
    alarm = stuck.messages("alarm")[0]
    assert (alarm.to_value, alarm.channel, alarm.state) == ("duty@city.example", "email", "sent")
    assert "1 contacts, messages or jobs" in alarm.text
    assert "http://127.0.0.1:8000/attention" in alarm.text


def test_without_a_mailbox_it_is_only_logged(stuck: Desk) -> None:
    stuck.change_settings(alarms={"email": ""})
    assert tick(stuck) == 0


def test_messages_to_citizens_do_not_count_as_alarms(stuck: Desk) -> None:
    with stuck.database.write() as session:
        to = Address(AddressKind.EMAIL, "duty@city.example")
        queue_message(session, channel=Channel.EMAIL, to=to, purpose=Purpose.NOTICE, subject="", text="x", language="en")
    assert tick(stuck) == 1


def test_the_alarm_is_looked_after_every_minute() -> None:
    assert PERIODIC["raise_alarm"].every.total_seconds() == 60
