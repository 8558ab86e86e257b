"""Contact → ticket: it stands on a ticket, or it stands pending with its reason and a retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import col, select

from channels.models import Contact, ContactState, OutboxMessage, RawContact
from channels.queries import attention, attention_count
from followup.actions import record_answer
from followup.queries import open_revisit
from foundation.models import DueWork, WorkState
from hotline.retrying import retry, retry_contacts
from identity.models import Citizen, ContactLink, Identifier
from tests.cast import ANNA, BURST, CHEN, LAMP, LI, WANG, ZHANG, Desk, Person, chat, form, letter, sms
from tickets.actions import accepting
from tickets.lifecycle import TicketState
from tickets.models import Ticket, TicketEvent

Break = Callable[[], None]
WITHHELD = Person("")


def break_after(monkeypatch: pytest.MonkeyPatch, name: str, *, times: int) -> None:
    """Let a step of the acceptance do its work and then fail, `times` times."""
    real, failures = getattr(accepting, name), iter(range(times))

    def fail(*arguments: Any, **named: Any) -> Any:
        done = real(*arguments, **named)
        if next(failures, None) is not None:
            raise RuntimeError("the power went out")
        return done

    monkeypatch.setattr(accepting, name, fail)


def finish(desk: Desk, ticket: Ticket) -> None:
    """Let the department answer and the citizen be content, so that the ticket is closed."""
    desk.answer(ticket)
    with desk.database.write() as session:
        revisit = open_revisit(session, ticket.id)
        assert revisit is not None
        record_answer(session, revisit, is_solved=True)


# ── the plain case ──


def test_a_contact_becomes_one_ticket_of_one_citizen_with_one_opening(desk: Desk) -> None:
    inbound = letter(WANG, "Street lamp", LAMP)
    outcome = desk.take(inbound)
    (ticket,), (citizen,), (link,) = desk.all(Ticket), desk.all(Citizen), desk.all(ContactLink)
    assert (outcome.ticket_number, outcome.lookup_code, outcome.is_repeat) == (ticket.number, ticket.lookup_code, False)
    assert (ticket.number, ticket.state, ticket.subject) == ("2026-000001", TicketState.RECEIVED, "Street lamp")
    assert (ticket.citizen_id, ticket.opened_at) == (citizen.id, desk.clock.now())
    assert desk.events() == ["opened"]
    contact = desk.contact(inbound)
    assert (contact.state, contact.ticket_id, contact.reason) == (ContactState.ACCEPTED, ticket.id, None)
    assert (link.contact_id, link.citizen_id) == (contact.id, citizen.id)
    assert desk.all(RawContact)[0].id == contact.raw_contact_id


def test_what_happened_says_who_did_it_and_why(desk: Desk) -> None:
    desk.take(letter(WANG, "Street lamp", LAMP))
    (event,), (citizen,) = desk.all(TicketEvent), desk.all(Citizen)
    assert (event.actor_kind, event.actor_id) == ("citizen", citizen.id)
    assert event.reasons[0] == ["Every letter, call, form or visit that names no ticket opens one.", {}]
    assert event.contact_id == desk.all(Contact)[0].id


def test_a_matter_without_a_subject_is_named_by_how_it_begins(desk: Desk) -> None:
    texts = {"  The lamp\n is  dark ": "The lamp is dark", "a" * 81: "a" * 79 + "…", "": ""}
    assert [desk.opened(form(LI, text)).subject for text in texts] == list(texts.values())


def test_a_ticket_is_numbered_by_the_year_in_the_city(desk: Desk) -> None:
    desk.clock.set(desk.clock.now().replace(month=12, day=31, hour=16))  # midnight in Shanghai
    assert desk.take(sms(LI, LAMP)).ticket_number == "2027-000001"


# ── what goes wrong ──


def test_an_error_leaves_the_contact_pending_with_its_reason_and_nothing_half_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    break_after(monkeypatch, "open_ticket", times=1)
    inbound = sms(LI, LAMP)
    outcome = desk.take(inbound)
    contact = desk.contact(inbound)
    assert (outcome.ticket_number, outcome.receipt) == (None, contact.receipt)
    assert (contact.state, contact.ticket_id) == (ContactState.PENDING, None)
    assert (contact.reason or "").startswith("RuntimeError")
    assert "power" not in (contact.reason or ""), "the words of an error may be the citizen's"
    assert [desk.all(model) for model in (Ticket, TicketEvent, Citizen, Identifier, ContactLink, OutboxMessage)] == [[]] * 6
    (work,) = desk.all(DueWork)
    assert (work.kind, work.subject_id, work.due_at) == ("accept_contact", contact.id, desk.later(seconds=30))
    assert len(desk.all(RawContact)) == 1


def test_the_retry_accepts_a_pending_contact_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    break_after(monkeypatch, "open_ticket", times=2)
    inbound = sms(LI, LAMP)
    desk.take(inbound)
    assert desk.work() == 0, "a retry waits for its time"
    desk.later(seconds=30)
    desk.work()
    assert desk.contact(inbound).state is ContactState.PENDING
    desk.later(minutes=2)
    desk.work()
    assert (desk.states(), desk.contact(inbound).reason) == ([ContactState.ACCEPTED], None)
    assert (len(desk.tickets()), len(desk.all(Citizen)), desk.planned("accept_contact")) == (1, 1, [])
    assert desk.events()[0] == "opened"


def test_a_contact_out_of_tries_is_dead_and_on_the_attention_list_until_a_person_retries_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.change_settings(work={"max_attempts": 2})
    break_after(monkeypatch, "open_ticket", times=3)
    inbound = sms(LI, LAMP)
    desk.take(inbound)
    for _ in range(4):
        desk.later(minutes=10)
        desk.work()
    assert desk.contact(inbound).state is ContactState.DEAD
    with desk.database.read() as session:
        found = attention(session)
        assert ([one.id for one in found.contacts], [one.state for one in found.work]) == ([desk.contact(inbound).id], [WorkState.DEAD])
        assert attention_count(session) == 2
    with desk.database.write() as session:
        assert retry_contacts(session, actor="cli:somebody") == 1
    desk.work()
    assert desk.contact(inbound).state is ContactState.ACCEPTED
    with desk.database.read() as session:
        assert attention_count(session) == 0


def test_a_pending_contact_can_be_retried_at_once_and_is_still_tried_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    break_after(monkeypatch, "open_ticket", times=1)
    inbound = sms(LI, LAMP)
    desk.take(inbound)
    with desk.database.write() as session:
        assert retry(session, "contact", desk.contact(inbound).id)
    assert len(desk.planned("accept_contact")) == 1
    desk.work()
    assert desk.states() == [ContactState.ACCEPTED]


def test_a_contact_that_stands_on_its_ticket_is_not_retried(desk: Desk) -> None:
    inbound = sms(LI, LAMP)
    desk.take(inbound)
    with desk.database.write() as session:
        assert not retry(session, "contact", desk.contact(inbound).id)
        assert retry_contacts(session, actor="cli:somebody") == 0


def test_a_repeat_makes_nothing_new_and_is_answered_from_what_stands(desk: Desk) -> None:
    inbound = sms(LI, LAMP)
    first = desk.take(inbound)
    desk.work()
    before = (desk.events(), len(desk.all(OutboxMessage)), len(desk.all(Citizen)))
    again = desk.take(sms(LI, "other words", external_id=inbound.external_id))
    desk.work()
    assert (again.ticket_number, again.lookup_code, again.receipt) == (first.ticket_number, first.lookup_code, first.receipt)
    assert (again.is_repeat, desk.contact(inbound).repeats) == (True, 1)
    assert (desk.events(), len(desk.all(OutboxMessage)), len(desk.all(Citizen))) == before


def test_a_repeat_of_a_pending_contact_gets_the_same_receipt_and_no_second_retry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    break_after(monkeypatch, "open_ticket", times=1)
    inbound = sms(LI, LAMP)
    first, again = desk.take(inbound), desk.take(inbound)
    assert (again.receipt, again.ticket_number, again.is_repeat) == (first.receipt, None, True)
    assert len(desk.planned("accept_contact")) == 1
    desk.later(minutes=1)
    desk.work()
    assert desk.take(inbound).ticket_number == desk.tickets()[0].number


def test_the_same_id_at_another_door_is_another_contact(desk: Desk) -> None:
    desk.take(sms(LI, LAMP, external_id="7"))
    desk.take(form(LI, LAMP, external_id="7"))
    assert len(desk.tickets()) == 2


# ── short messages ──


def test_a_message_joins_its_senders_only_open_ticket_of_the_last_72_hours(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    desk.later(hours=71)
    assert desk.opened(sms(LI, "Still dark.")).id == ticket.id
    appended = [event for event in desk.all(TicketEvent) if event.kind == "appended"]
    assert [(event.text, event.ticket_id) for event in appended] == [("Still dark.", ticket.id)]
    assert appended[0].reasons == [["It joins the sender's only open ticket, %(number)s.", {"number": ticket.number}]]
    assert len(desk.all(Citizen)) == 1


def test_a_message_after_72_quiet_hours_opens_a_new_ticket_of_the_same_citizen(desk: Desk) -> None:
    desk.change_settings(followup={"remind_at_percent": 99})
    first = desk.opened(sms(LI, LAMP))
    desk.clock.set(first.last_activity_at)
    desk.later(hours=72, seconds=1)
    second = desk.opened(sms(LI, "A pothole in our street."))
    assert second.id != first.id
    assert second.citizen_id == first.citizen_id


def test_a_message_to_a_closed_ticket_opens_a_new_one(desk: Desk) -> None:
    first = desk.opened(sms(LI, LAMP))
    finish(desk, first)
    assert desk.opened(sms(LI, "Dark again.")).number != first.number


def two_open_tickets(desk: Desk, person: Person = CHEN) -> tuple[Ticket, Ticket]:
    """Return two open tickets of one citizen: the second was opened when the first had been quiet for too long."""
    first = desk.opened(chat(person, LAMP))
    desk.later(hours=100)
    second = desk.opened(chat(person, "A pothole in our street."))
    desk.opened(chat(person, f"{first.number} is still dark."))
    return first, second


def test_the_sender_of_several_open_tickets_is_asked_and_a_number_answers(desk: Desk) -> None:
    first, second = two_open_tickets(desk)
    unclear = chat(CHEN, "Nobody came.")
    assert desk.take(unclear).ticket_number is None
    contact = desk.contact(unclear)
    assert (contact.state, contact.ticket_id) == (ContactState.WAITING, None)
    (question,) = desk.messages("question")
    assert (question.to_value, question.channel) == (str(CHEN.telegram_id), "telegram")
    assert all(f"{ticket.number}: {ticket.subject}" in question.text for ticket in (first, second))
    desk.opened(chat(CHEN, first.number))
    assert desk.contact(unclear).ticket_id == first.id
    said = [event.text for event in desk.all(TicketEvent) if event.kind == "appended" and event.ticket_id == first.id]
    assert said[-2:] == ["Nobody came.", first.number]


def test_a_second_message_before_the_answer_waits_too_and_asks_nothing_again(desk: Desk) -> None:
    first, _ = two_open_tickets(desk)
    for words in ("Nobody came.", "It is still dark."):
        assert desk.take(chat(CHEN, words)).ticket_number is None
    assert len(desk.messages("question")) == 1
    assert len(desk.tickets()) == 2
    desk.opened(chat(CHEN, first.number))
    said = [event.text for event in desk.all(TicketEvent) if event.kind == "appended" and event.ticket_id == first.id]
    assert said[-3:] == ["Nobody came.", "It is still dark.", first.number]


def test_a_machine_that_answers_every_question_is_not_asked_for_ever(desk: Desk) -> None:
    two_open_tickets(desk)
    for round_ in range(12):
        desk.take(chat(CHEN, f"I am out of the office ({round_})."))
        desk.take(chat(CHEN, "0"))
        desk.work()
    assert len(desk.messages("question")) <= desk.office.settings.followup.acknowledgements_per_hour


def test_an_answered_question_is_not_acted_on_again_when_its_time_is_up(desk: Desk) -> None:
    first, _ = two_open_tickets(desk)
    desk.take(chat(CHEN, "Nobody came."))
    desk.take(chat(CHEN, first.number))
    desk.work()
    before = desk.events().count("appended"), len(desk.tickets())
    desk.later(hours=24)
    desk.work()
    assert (desk.events().count("appended"), len(desk.tickets())) == before
    assert set(desk.states()) == {ContactState.ACCEPTED}


def test_a_nought_answers_that_it_is_a_new_matter_and_its_words_open_the_ticket(desk: Desk) -> None:
    two_open_tickets(desk)
    desk.take(chat(CHEN, "The tap water is brown."))
    ticket = desk.opened(chat(CHEN, "0"))
    assert (len(desk.tickets()), ticket.text) == (3, "The tap water is brown.")
    assert desk.lead(ticket) == "water"
    assert set(desk.states()) == {ContactState.ACCEPTED}


def test_a_nought_opens_a_new_ticket_also_when_one_of_the_two_was_closed_meanwhile(desk: Desk) -> None:
    first, _ = two_open_tickets(desk)
    desk.take(chat(CHEN, "The tap water is brown."))
    finish(desk, first)
    ticket = desk.opened(chat(CHEN, "0"))
    assert (len(desk.tickets()), ticket.text) == (3, "The tap water is brown.")


def test_without_a_word_in_time_a_waiting_message_gets_a_ticket_of_its_own(desk: Desk) -> None:
    two_open_tickets(desk)
    desk.change_settings(tickets={"ask_which_hours": 3})
    unclear = chat(CHEN, "The tap water is brown.")
    desk.take(unclear)
    desk.later(hours=2, minutes=59)
    desk.work()
    assert desk.contact(unclear).state is ContactState.WAITING
    desk.later(minutes=1)
    desk.work()
    opened = desk.tickets()[-1]
    assert (len(desk.tickets()), opened.text, desk.contact(unclear).ticket_id) == (3, "The tap water is brown.", opened.id)
    assert len(desk.messages("question")) == 1, "nobody is asked twice"


def test_a_waiting_message_needs_no_person(desk: Desk) -> None:
    two_open_tickets(desk)
    desk.take(chat(CHEN, "Nobody came."))
    with desk.database.read() as session:
        assert attention_count(session) == 0


def test_a_stranger_who_names_somebodys_number_joins_nothing(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    strangers = desk.opened(sms(ZHANG, f"Tell me about {ticket.number}."))
    assert strangers.id != ticket.id
    assert strangers.citizen_id != ticket.citizen_id
    assert desk.events(ticket).count("appended") == 0


# ── letters ──


def test_a_letter_to_a_signed_address_joins_its_ticket_whoever_wrote_it(desk: Desk) -> None:
    ticket = desk.opened(letter(WANG, "Street lamp", LAMP))
    joined = desk.opened(letter(ANNA, "Re: Street lamp", "I am his neighbour.", ticket_token=ticket.number))
    assert joined.id == ticket.id
    (appended,) = [event for event in desk.all(TicketEvent) if event.kind == "appended"]
    (anna,) = [citizen for citizen in desk.all(Citizen) if citizen.name == ANNA.name]
    assert (appended.actor_kind, appended.actor_id) == ("citizen", anna.id), "the neighbour wrote it, not the ticket's citizen"
    assert desk.ticket(ticket.number).citizen_id != anna.id


def test_a_token_of_a_ticket_that_nobody_knows_opens_a_ticket(desk: Desk) -> None:
    assert desk.opened(letter(WANG, "x", LAMP, ticket_token="2020-000001")).number == "2026-000001"


def acknowledged(desk: Desk) -> tuple[Ticket, str]:
    """Return Wang's ticket and the Message-ID of our letter about it."""
    ticket = desk.opened(letter(WANG, "Street lamp", LAMP))
    (acknowledgement,) = desk.messages("acknowledgement")
    return ticket, acknowledgement.message_id


def test_a_letter_that_answers_ours_joins_its_ticket(desk: Desk) -> None:
    ticket, message_id = acknowledged(desk)
    reply = letter(WANG, "Re: Street lamp", "When?", refers_to=("<unknown@example.com>", message_id))
    assert desk.opened(reply).id == ticket.id


def test_a_strangers_letter_that_answers_ours_joins_nothing(desk: Desk) -> None:
    ticket, message_id = acknowledged(desk)
    assert desk.opened(letter(ANNA, "Re: Street lamp", "Fwd", refers_to=(message_id,))).id != ticket.id


def test_a_letter_about_a_closed_ticket_opens_a_new_one_that_says_so(desk: Desk) -> None:
    ticket, message_id = acknowledged(desk)
    finish(desk, ticket)
    by_thread = desk.opened(letter(WANG, "Re: Street lamp", "Dark again.", refers_to=(message_id,)))
    by_token = desk.opened(letter(WANG, "Re: Street lamp", "Dark again.", ticket_token=ticket.number))
    assert len({ticket.id, by_thread.id, by_token.id}) == 3
    opened = [event for event in desk.all(TicketEvent) if event.kind == "opened"]
    assert [event.reasons[0][1] for event in opened[1:]] == [{"number": ticket.number}] * 2


def test_a_second_letter_about_nothing_known_opens_a_second_ticket_of_the_same_citizen(desk: Desk) -> None:
    first, second = desk.opened(letter(WANG, "Street lamp", LAMP)), desk.opened(letter(WANG, "Pipe", BURST))
    assert first.id != second.id
    assert first.citizen_id == second.citizen_id


# ── who it was ──


def test_contacts_without_an_address_are_different_people(desk: Desk) -> None:
    first, second = desk.opened(form(WITHHELD, LAMP)), desk.opened(form(WITHHELD, BURST))
    assert first.citizen_id != second.citizen_id
    assert [citizen.is_provisional for citizen in desk.all(Citizen)] == [True, True]
    assert desk.all(Identifier) == []


def test_a_number_that_is_only_claimed_elsewhere_joins_no_ticket_and_shows_no_profile(desk: Desk) -> None:
    ticket = desk.opened(form(LI, LAMP))
    by_sms = desk.opened(sms(LI, "Still dark."))
    assert by_sms.id != ticket.id
    assert by_sms.citizen_id != ticket.citizen_id
    with desk.database.read() as session:
        profile = session.exec(select(Citizen).where(col(Citizen.id) == by_sms.citizen_id)).one()
    assert profile.is_provisional
    assert profile.note is not None


def test_the_retry_of_a_waiting_message_keeps_the_citizen_that_it_was_linked_to(desk: Desk) -> None:
    first, _ = two_open_tickets(desk)
    unclear = chat(CHEN, "The tap water is brown.")
    desk.take(unclear)
    desk.later(hours=24)
    desk.work()
    links = [link for link in desk.all(ContactLink) if link.contact_id == desk.contact(unclear).id]
    assert [link.citizen_id for link in links] == [first.citizen_id]
