"""Which ticket a contact belongs to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from channels.contract import Channel, ContactKind, InboundContact
from tests.cast import CHEN, LI, WANG, ZHANG, call_step, chat, form, letter, sms
from tickets.joining import AskWhich, Join, OpenNew, OpenTicket, choose_ticket

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
WITHIN = timedelta(hours=72)


def standing(number: int = 1, *, hours_ago: float = 1, is_closed: bool = False) -> OpenTicket:
    return OpenTicket(uuid4(), f"2026-{number:06d}", "A lamp", NOW - timedelta(hours=hours_ago), is_closed)


def decided(
    inbound: InboundContact, *of_sender: OpenTicket, named: OpenTicket | None = None, may_ask: bool = True
) -> Join | OpenNew | AskWhich:
    return choose_ticket(inbound, named=named, of_sender=of_sender, now=NOW, within=WITHIN, may_ask=may_ask)


EVERY_DOOR = [sms(LI, "x"), chat(CHEN, "x"), letter(WANG, "x", "x"), form(LI, "x"), call_step(ZHANG, ContactKind.CALL_WORDS, "CA1", "x")]


@pytest.mark.parametrize("inbound", EVERY_DOOR, ids=lambda inbound: str(inbound.channel))
def test_what_names_an_open_ticket_joins_it(inbound: InboundContact) -> None:
    named = standing(7)
    decision = decided(inbound, standing(1), named=named)
    assert isinstance(decision, Join)
    assert decision.ticket is named
    assert decision.reason[1] == {"number": "2026-000007"}


@pytest.mark.parametrize("inbound", EVERY_DOOR, ids=lambda inbound: str(inbound.channel))
def test_what_names_a_closed_ticket_opens_a_new_one_and_says_so(inbound: InboundContact) -> None:
    decision = decided(inbound, standing(1), named=standing(7, is_closed=True))
    assert isinstance(decision, OpenNew)
    assert decision.reason[1] == {"number": "2026-000007"}


@pytest.mark.parametrize(
    "inbound", [letter(WANG, "x", "x"), form(LI, "x"), call_step(ZHANG, ContactKind.CALL, "CA1")], ids=["letter", "form", "call"]
)
def test_a_letter_a_form_and_a_call_that_name_nothing_open_a_ticket_whatever_else_is_open(inbound: InboundContact) -> None:
    assert isinstance(decided(inbound, standing()), OpenNew)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.TELEGRAM, Channel.CHAT])
def test_a_short_message_joins_the_senders_only_open_ticket(channel: Channel) -> None:
    sole = standing()
    decision = decided(_short(channel), sole)
    assert isinstance(decision, Join)
    assert decision.ticket is sole


@pytest.mark.parametrize(("hours_ago", "joins"), [(0, True), (71.9, True), (72, True), (72.1, False), (500, False)])
def test_a_ticket_takes_a_message_for_72_hours_after_its_last_activity(hours_ago: float, joins: bool) -> None:
    assert isinstance(decided(sms(LI, "still dark"), standing(hours_ago=hours_ago)), Join if joins else OpenNew)


def test_the_sender_of_several_open_tickets_is_asked_which_one() -> None:
    one, two, old = standing(1), standing(2), standing(3, hours_ago=100)
    decision = decided(sms(LI, "still dark"), one, two, old)
    assert isinstance(decision, AskWhich)
    assert decision.tickets == (one, two)


def test_one_recent_ticket_among_old_ones_is_the_one_that_is_meant() -> None:
    one = standing(1)
    decision = decided(sms(LI, "still dark"), standing(2, hours_ago=100), one)
    assert isinstance(decision, Join)
    assert decision.ticket is one


@pytest.mark.parametrize("text", ["2026-000002", "It is about 2026-000002!", "工单2026-000002还没好", "(2026-000002)"])
def test_a_number_in_the_text_says_which_one_however_old(text: str) -> None:
    two = standing(2, hours_ago=500)
    decision = decided(sms(LI, text), standing(1), two, standing(3))
    assert isinstance(decision, Join)
    assert decision.ticket is two


@pytest.mark.parametrize("text", ["2026-000009", "92026-000002", "2026-0000021", "000002", "2026-000001 and 2026-000002"])
def test_a_number_of_nobodys_or_two_numbers_say_nothing(text: str) -> None:
    assert isinstance(decided(sms(LI, text), standing(1), standing(2)), AskWhich)


def test_a_strangers_number_opens_a_ticket_of_the_strangers_own() -> None:
    assert isinstance(decided(sms(LI, "2026-000001")), OpenNew)


@pytest.mark.parametrize("word", ["0", " 0 ", "new", "NEW", "新", "新工单"])
def test_who_was_asked_and_says_new_gets_a_new_ticket(word: str) -> None:
    for open_tickets in ([standing(1), standing(2)], [standing(1)]):
        decision = decided(sms(LI, word), *open_tickets, may_ask=False)
        assert isinstance(decision, OpenNew)
        assert "new matter" in decision.reason[0]


def test_a_nought_of_somebody_who_was_not_asked_is_a_message_like_any_other() -> None:
    assert isinstance(decided(sms(LI, "0"), standing(1)), Join)


def test_who_was_asked_and_says_something_else_gets_a_new_ticket() -> None:
    decision = decided(sms(LI, "hurry up"), standing(1), standing(2), may_ask=False)
    assert isinstance(decision, OpenNew)
    assert "did not say" in decision.reason[0]


def _short(channel: Channel) -> InboundContact:
    return InboundContact("x", channel, ContactKind.MESSAGE, "1", sms(LI, "").sender, text="still dark")
