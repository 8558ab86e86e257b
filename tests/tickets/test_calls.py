"""A call is one ticket, whatever order its steps come in and wherever it breaks off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from channels.contract import Address, AddressKind, ContactKind
from followup.models import Callback
from identity.models import Citizen, ContactLink, Identifier
from tests.cast import BURST, NOISE, ZHANG, Desk, Person, call_step
from tickets.lifecycle import TicketState
from tickets.models import Promise, TicketEvent

CALL, WORDS, BACK, ENDED = ContactKind.CALL, ContactKind.CALL_WORDS, ContactKind.CALL_BACK, ContactKind.CALL_ENDED
WITHHELD = Person("")
FRIDAY_1630 = datetime(2026, 3, 6, 8, 30, tzinfo=UTC)
MONDAY_0900, MONDAY_1200 = datetime(2026, 3, 9, 1, 0, tzinfo=UTC), datetime(2026, 3, 9, 4, 0, tzinfo=UTC)


def test_a_call_is_one_ticket_of_one_citizen_with_a_line_for_each_step(desk: Desk) -> None:
    numbers = {
        desk.take(call_step(ZHANG, kind, "CA1", text)).ticket_number for kind, text in ((CALL, ""), (WORDS, NOISE), (BACK, ""), (ENDED, ""))
    }
    desk.work()
    (ticket,) = desk.tickets()
    assert numbers == {ticket.number}
    told = [kind for kind in desk.events(ticket) if kind in {"opened", "described", "callback_requested", "call_ended"}]
    assert told == ["opened", "described", "callback_requested", "call_ended"]
    assert (len(desk.all(Citizen)), len(desk.all(ContactLink))) == (1, 4)


def test_the_first_words_say_what_the_call_is_about_and_reroute_it_from_the_fallback(desk: Desk) -> None:
    ticket = desk.opened(call_step(ZHANG, CALL, "CA1"))
    assert (ticket.subject, desk.lead(ticket)) == ("Telephone call", "hotline")
    ticket = desk.opened(call_step(ZHANG, WORDS, "CA1", NOISE))
    assert (ticket.subject, ticket.text, ticket.kind, ticket.category_code) == (NOISE, NOISE, "complaint", "environment.noise")
    assert desk.lead(ticket) == "environment"
    first, second = desk.all(Promise)
    assert (first.rule_code, second.rule_code) == ("usual", "noise")
    assert ticket.promised_at == second.promised_at


def test_urgent_words_make_the_call_urgent_and_its_promise_a_matter_of_hours(desk: Desk) -> None:
    desk.take(call_step(ZHANG, CALL, "CA1"))
    ticket = desk.opened(call_step(ZHANG, WORDS, "CA1", BURST))
    assert (ticket.urgency, desk.all(Promise)[-1].rule_code) == ("urgent", "urgent")


def test_further_words_are_added_and_describe_nothing_anew(desk: Desk) -> None:
    for text in ("", NOISE, "And a burst pipe."):
        desk.take(call_step(ZHANG, WORDS if text else CALL, "CA1", text, external_id=f"CA1:{text}"))
    ticket = desk.tickets()[0]
    assert ticket.text == NOISE
    assert desk.events()[-1] == "appended"


def test_who_presses_one_is_called_back_within_four_working_hours(desk: Desk) -> None:
    desk.clock.set(FRIDAY_1630)
    for kind, text in ((CALL, ""), (WORDS, NOISE), (BACK, "")):
        desk.opened(call_step(ZHANG, kind, "CA1", text))
    (callback,) = desk.all(Callback)
    assert (callback.number, callback.due_at, callback.window_ends_at) == (ZHANG.phone, FRIDAY_1630, MONDAY_1200)
    assert (callback.state, callback.ticket_id, callback.requested_at) == ("due", desk.tickets()[0].id, FRIDAY_1630)


def test_a_callback_asked_for_at_the_weekend_waits_for_monday_morning(desk: Desk) -> None:
    desk.clock.set(FRIDAY_1630)
    desk.later(days=1)
    desk.take(call_step(ZHANG, CALL, "CA1"))
    desk.opened(call_step(ZHANG, BACK, "CA1"))
    assert [(one.state, one.due_at) for one in desk.all(Callback)] == [("planned", MONDAY_0900)]
    desk.clock.set(MONDAY_0900)
    desk.work()
    assert [one.state for one in desk.all(Callback)] == ["due"]


def test_who_hangs_up_without_a_word_is_called_back(desk: Desk) -> None:
    desk.take(call_step(ZHANG, CALL, "CA1"))
    desk.opened(call_step(ZHANG, ENDED, "CA1"))
    assert [callback.number for callback in desk.all(Callback)] == [ZHANG.phone]


def test_who_said_what_it_is_about_and_hangs_up_is_not_called_back(desk: Desk) -> None:
    for kind, text in ((CALL, ""), (WORDS, NOISE), (ENDED, "")):
        desk.opened(call_step(ZHANG, kind, "CA1", text))
    assert desk.all(Callback) == []


def test_two_wishes_for_a_callback_make_one(desk: Desk) -> None:
    desk.take(call_step(ZHANG, CALL, "CA1"))
    for step in ("CA1", "CA1:again"):
        desk.take(call_step(ZHANG, BACK, "CA1", external_id=step))
    desk.opened(call_step(ZHANG, ENDED, "CA1"))
    assert len(desk.all(Callback)) == 1


def test_a_call_from_a_withheld_number_is_called_back_at_the_number_that_was_typed(desk: Desk) -> None:
    typed = Address(AddressKind.PHONE, "+8613811112222")
    desk.take(call_step(WITHHELD, CALL, "CA1"))
    desk.take(call_step(WITHHELD, WORDS, "CA1", NOISE))
    desk.opened(call_step(WITHHELD, BACK, "CA1", sender=typed))
    assert [callback.number for callback in desk.all(Callback)] == [typed.value]
    (citizen,), (identifier,) = desk.all(Citizen), desk.all(Identifier)
    assert (citizen.is_provisional, identifier.citizen_id, identifier.value) == (True, citizen.id, typed.value)


def test_a_speechless_call_from_a_withheld_number_leaves_a_ticket_and_nobody_to_call(desk: Desk) -> None:
    desk.take(call_step(WITHHELD, CALL, "CA1"))
    ticket = desk.opened(call_step(WITHHELD, ENDED, "CA1"))
    assert (ticket.state, desk.all(Callback)) == (TicketState.DISPATCHED, [])


def test_two_calls_of_one_citizen_are_two_tickets(desk: Desk) -> None:
    first, second = (desk.opened(call_step(ZHANG, CALL, call)) for call in ("CA1", "CA2"))
    assert first.id != second.id
    assert first.citizen_id == second.citizen_id


def test_the_steps_of_another_providers_call_of_the_same_name_stay_apart(desk: Desk) -> None:
    desk.take(call_step(ZHANG, CALL, "CA1"))
    desk.take(replace(call_step(ZHANG, WORDS, "CA1", NOISE), adapter="other_voice"))
    assert len(desk.tickets()) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_steps_of_a_call_make_one_described_ticket_and_one_callback_in_any_order(desk: Desk) -> None:
    for number, order in enumerate(permutations((CALL, WORDS, BACK, ENDED))):
        caller = Person("", phone=f"+86138000020{number:02}")
        for kind in order:
            desk.opened(call_step(caller, kind, f"CA{number}", NOISE if kind is WORDS else ""))
        *_, ticket = desk.tickets()
        assert len(desk.tickets()) == number + 1, f"{order} is one call"
        assert (ticket.text, ticket.subject, desk.lead(ticket)) == (NOISE, NOISE, "environment"), order
        assert [callback.ticket_id for callback in desk.all(Callback) if callback.number == caller.phone] == [ticket.id], order
        assert (len(desk.all(Citizen)), len(desk.all(ContactLink))) == (number + 1, 4 * (number + 1))


def test_the_end_of_a_call_of_which_nothing_else_arrived_is_called_back(desk: Desk) -> None:
    ticket = desk.opened(call_step(ZHANG, ENDED, "CA1"))
    assert [callback.ticket_id for callback in desk.all(Callback)] == [ticket.id]
    assert [event.kind for event in desk.all(TicketEvent)][:2] == ["opened", "call_ended"]
