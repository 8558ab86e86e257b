"""What the hotline does by itself: acknowledge, remind, call back, revisit, act on the citizen's answer."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import psycopg
import pytest
from sqlmodel import col, select

from channels.contract import Channel, ContactKind
from channels.models import OutboxMessage
from followup import actions as followup
from followup.actions import AlreadyAnsweredError, complete_callback, record_answer
from followup.models import Callback, Reminder, Revisit
from followup.planning import FollowUpState
from followup.queries import call_list, next_followups, open_callback, open_revisit
from foundation import reference
from identity.access import SYSTEM
from identity.models import Citizen, Department
from tests.cast import ANNA, CHEN, LAMP, LI, MAILBOX, NOISE, WANG, ZHANG, Desk, call_step, chat, form, letter, sms
from tickets import actions
from tickets.lifecycle import TicketKind, TicketState
from tickets.models import Promise, PromiseRule, Ticket, TicketEvent

MONDAY_EVENING_WEEK = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)  # 17:30 in Shanghai
FRIDAY_0900 = datetime(2026, 3, 6, 1, 0, tzinfo=UTC)


def says(desk: Desk, ticket: Ticket, *, is_solved: bool, satisfaction: int | None = None) -> Revisit:
    """Let the citizen answer the open revisit, and do what follows."""
    with desk.database.write() as session:
        revisit = open_revisit(session, ticket.id)
        assert revisit is not None
        record_answer(session, revisit, is_solved=is_solved, satisfaction=satisfaction, comment="still dark")
    desk.work()
    return next(one for one in desk.all(Revisit) if one.id == revisit.id)


# ── acknowledgement ──


def test_a_citizen_hears_once_on_the_channel_that_they_used(desk: Desk) -> None:
    for number, inbound in enumerate((sms(LI, LAMP), chat(CHEN, LAMP), letter(WANG, "Street lamp", LAMP)), start=1):
        ticket = desk.opened(inbound)
        assert len(desk.all(OutboxMessage)) == len(desk.sender.messages) == number
        message = desk.all(OutboxMessage)[-1]
        assert (message.purpose, message.channel, message.to_value) == ("acknowledgement", inbound.channel, inbound.sender.value)
        assert all(word in message.text for word in (ticket.number, ticket.lookup_code, "http://127.0.0.1:8000/track"))
        assert desk.sender.messages[-1].id == str(message.id)


def test_a_ticket_has_no_second_acknowledgement_whatever_goes_wrong(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    with desk.database.write() as session, pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        followup.acknowledge(session, ticket, session.exec(select(TicketEvent).limit(1)).one())


def test_the_acknowledgement_of_a_letter_answers_it_from_the_mailbox_that_it_came_to(desk: Desk) -> None:
    ticket = desk.opened(letter(WANG, "Street lamp", LAMP, details={"message_id": "<1@example.com>"}))
    (message,) = desk.sender.messages
    assert (message.mailbox, message.in_reply_to, message.reply_token) == (MAILBOX, ("<1@example.com>",), ticket.number)
    assert message.subject == f"[{ticket.number}] Street lamp"
    assert message.message_id.endswith("@city.example>")


def test_a_citizen_is_answered_in_their_language_else_in_the_citys(desk: Desk) -> None:
    for language, words in (("zh", "查询"), ("en", "We have received your message."), ("", "We have received your message.")):
        desk.opened(letter(WANG, "x", LAMP, language=language))
        assert words in desk.sender.messages[-1].text


def test_neither_a_machine_nor_who_was_told_at_once_gets_a_message(desk: Desk) -> None:
    machine = letter(WANG, "Out of office", "I am away.", is_machine=True)
    for inbound in (machine, form(ANNA, LAMP), call_step(ZHANG, ContactKind.CALL, "CA1")):
        assert desk.opened(inbound).state is TicketState.DISPATCHED
    assert desk.all(OutboxMessage) == []


def test_what_is_added_to_a_ticket_is_not_acknowledged_again(desk: Desk) -> None:
    desk.opened(sms(LI, LAMP))
    desk.opened(sms(LI, "Still dark."))
    assert len(desk.messages("acknowledgement")) == 1


def test_an_address_gets_no_more_than_its_hourly_acknowledgements(desk: Desk) -> None:
    desk.change_settings(followup={"acknowledgements_per_hour": 2})
    for number in range(4):
        desk.opened(letter(WANG, f"Lamp {number}", LAMP))
    assert len(desk.messages("acknowledgement")) == 2
    desk.opened(letter(ANNA, "Lamp", LAMP))
    assert len(desk.messages("acknowledgement")) == 3, "another address has its own"
    desk.later(hours=1)
    desk.opened(letter(WANG, "Lamp", LAMP))
    assert len(desk.messages("acknowledgement")) == 4


# ── the promise is watched ──


def test_the_lead_is_reminded_before_its_promise_runs_out_when_it_does_and_each_working_day_after(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    assert ticket.promised_at == MONDAY_EVENING_WEEK
    moments = [
        (datetime(2026, 3, 9, 1, 0, tzinfo=UTC), "The promise runs out soon."),
        (MONDAY_EVENING_WEEK, "The promise was not kept."),
        (datetime(2026, 3, 10, 1, 0, tzinfo=UTC), "The promise was not kept."),
        (datetime(2026, 3, 11, 1, 0, tzinfo=UTC), "The promise was not kept."),
    ]
    for number, (due_at, reason) in enumerate(moments, start=1):
        assert [one.due_at for one in desk.all(Reminder) if one.state == "planned"] == [due_at]
        desk.clock.set(due_at)
        desk.work()
        reminded = [event for event in desk.all(TicketEvent) if event.kind == "reminded"]
        assert (len(reminded), reminded[-1].reasons) == (number, [[reason, {}]])
    notices = desk.messages("notice")
    assert {(notice.to_value, notice.channel, notice.state) for notice in notices} == {("lighting@city.example", Channel.EMAIL, "sent")}
    assert all("2026-03-09 17:30" in notice.text for notice in notices), "told in the city's time"
    desk.answer(ticket)
    assert [one for one in desk.all(Reminder) if one.state == "planned"] == []


def test_a_department_that_has_answered_is_not_reminded(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    assert [one.state for one in desk.all(Reminder)] == ["cancelled"]
    desk.clock.set(MONDAY_EVENING_WEEK)
    desk.work()
    assert "reminded" not in desk.events(ticket)
    assert desk.messages("notice") == []


def test_a_later_promise_replaces_the_reminder_of_an_earlier_one(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    with desk.database.write() as session:
        actions.assign(session, session.get_one(Ticket, ticket.id), department=desk.department("roads"), actor=SYSTEM)
    desk.work()
    first, second = desk.all(Reminder)
    assert (first.state, second.state) == ("cancelled", "planned")
    assert second.promise_id == desk.all(Promise)[-1].id
    desk.clock.set(MONDAY_EVENING_WEEK)
    desk.work()
    assert desk.events(ticket).count("reminded") == 1
    assert [message.to_value for message in desk.messages("notice")] == ["roads@city.example"]


def test_a_department_without_a_mailbox_is_reminded_on_the_timeline_alone(desk: Desk) -> None:
    with desk.database.write() as session:
        lighting = session.exec(select(Department).where(col(Department.code) == "lighting")).one()
        lighting.email = ""
        session.add(lighting)
        reference.changed(session)
    ticket = desk.opened(sms(LI, LAMP))
    desk.clock.set(MONDAY_EVENING_WEEK)
    desk.work()
    assert "reminded" in desk.events(ticket)
    assert desk.messages("notice") == []


# ── the answer, and whether it was one ──


def test_an_answer_is_told_to_the_citizen_and_a_revisit_is_planned_for_the_next_working_day(desk: Desk) -> None:
    desk.clock.set(FRIDAY_0900)
    ticket = desk.answered(sms(LI, LAMP), "The lamp shines again.")
    (told,) = desk.messages("answer")
    assert (told.to_value, told.channel) == (LI.phone, Channel.SMS)
    assert "The lamp shines again." in told.text
    assert ticket.number in told.text
    (revisit,) = desk.all(Revisit)
    assert (revisit.due_at, revisit.state) == (datetime(2026, 3, 9, 1, 0, tzinfo=UTC), "planned")
    assert (revisit.citizen_id, revisit.planned_at) == (ticket.citizen_id, FRIDAY_0900)


def test_a_revisit_comes_on_the_call_list_on_its_day_and_the_ticket_into_its_revisit(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    with desk.database.read() as session:
        assert call_list(session) == []
    desk.later(days=1)
    desk.work()
    assert desk.ticket(ticket.number).state is TicketState.REVISIT
    with desk.database.read() as session:
        assert [one.ticket_id for one in call_list(session)] == [ticket.id]


def test_a_content_citizen_closes_the_ticket(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    revisit = says(desk, ticket, is_solved=True, satisfaction=5)
    ticket = desk.ticket(ticket.number)
    assert (ticket.state, ticket.closed_at) == (TicketState.CLOSED, desk.clock.now())
    assert (revisit.state, revisit.is_solved, revisit.satisfaction, revisit.answered_at) == ("done", True, 5, desk.clock.now())
    assert desk.all(TicketEvent)[-1].reasons == [["The citizen says that it is solved.", {}]]
    with desk.database.read() as session:
        assert next_followups(session, [ticket.id]) == {}


@pytest.mark.parametrize(
    ("is_solved", "satisfaction", "why"), [(False, 1, "not solved"), (False, None, "not solved"), (True, 2, "dissatisfied")]
)
def test_a_dissatisfied_citizen_gets_a_redo_by_the_same_lead_with_a_shorter_promise_and_a_second_revisit(
    desk: Desk, is_solved: bool, satisfaction: int | None, why: str
) -> None:
    ticket = desk.answered(sms(ZHANG, NOISE))
    before = desk.ticket(ticket.number)
    desk.later(days=1)
    desk.work()
    says(desk, ticket, is_solved=is_solved, satisfaction=satisfaction)
    after = desk.ticket(ticket.number)
    assert (desk.lead(ticket), after.state, after.redo_count) == ("environment", TicketState.DISPATCHED, 1)
    assert why in next(event for event in desk.all(TicketEvent) if event.kind == "redo_ordered").reasons[0][0]
    first, second = desk.all(Promise)
    assert second.promised_at - second.given_at < first.promised_at - first.given_at
    assert (before.promised_at, after.promised_at) == (first.promised_at, second.promised_at)
    desk.answer(after, "Now it is quiet.")
    one, two = desk.all(Revisit)
    assert (one.state, two.state) == ("done", "planned")
    assert len(desk.messages("answer")) == 2


def test_the_same_answer_again_changes_nothing_and_another_one_is_refused(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    revisit = says(desk, ticket, is_solved=False, satisfaction=1)
    before = desk.events()
    with desk.database.write() as session:
        record_answer(session, session.get_one(Revisit, revisit.id), is_solved=False, satisfaction=1)
    for is_solved, satisfaction in ((True, 1), (False, 2), (False, None)):
        with desk.database.write() as session, pytest.raises(AlreadyAnsweredError):
            record_answer(session, session.get_one(Revisit, revisit.id), is_solved=is_solved, satisfaction=satisfaction)
    assert desk.events() == before


def test_a_ticket_answered_twice_before_its_revisit_is_revisited_once(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    with desk.database.write() as session:
        actions.order_redo(session, session.get_one(Ticket, ticket.id), actor=SYSTEM)
    desk.work()
    desk.answer(desk.ticket(ticket.number))
    assert len([one for one in desk.all(Revisit) if one.state in {FollowUpState.PLANNED, FollowUpState.DUE}]) == 1


# ── callbacks ──


def test_a_citizen_who_was_reached_is_off_the_call_list(desk: Desk) -> None:
    desk.take(call_step(ZHANG, ContactKind.CALL, "CA1"))
    ticket = desk.opened(call_step(ZHANG, ContactKind.CALL_BACK, "CA1"))
    with desk.database.write() as session:
        callback = open_callback(session, ticket.id)
        assert callback is not None
        complete_callback(session, callback)
    with desk.database.read() as session:
        assert (call_list(session), open_callback(session, ticket.id)) == ([], None)


def test_the_call_list_names_who_has_waited_longest_first(desk: Desk) -> None:
    with desk.database.write() as session:
        for hour, state in ((3, "due"), (1, "due"), (2, "planned"), (0, "done")):
            citizen = Citizen(created_at=session.now)
            session.add(citizen)
            session.flush()
            ticket = Ticket(
                number=f"x{hour}",
                lookup_code="x",
                kind=TicketKind.REQUEST,
                channel=Channel.SMS,
                citizen_id=citizen.id,
                opened_at=session.now,
                last_activity_at=session.now,
            )
            session.add(ticket)
            session.flush()
            due_at = session.now.replace(hour=hour)
            session.add(
                Callback(
                    ticket_id=ticket.id,
                    citizen_id=citizen.id,
                    number="+861",
                    due_at=due_at,
                    window_ends_at=due_at,
                    state=FollowUpState(state),
                    requested_at=session.now,
                )
            )
    with desk.database.read() as session:
        assert [one.due_at.hour for one in call_list(session)] == [1, 3]
        assert len(call_list(session, limit=1)) == 1


# ── what is missing is tried again, and nothing is done on the strength of an old promise ──


def test_a_redo_whose_promise_cannot_be_given_yet_gets_its_reminder_with_the_promise(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    rules = [rule.model_dump() for rule in _rules(desk)]
    with desk.database.write() as session:
        for rule in session.exec(select(PromiseRule)):
            session.delete(rule)
        reference.changed(session)
    says(desk, ticket, is_solved=False)
    assert [one.state for one in desk.all(Reminder)] == ["cancelled"], "the old promise is not watched for the redo"
    with desk.database.write() as session:
        session.add_all(PromiseRule(**rule) for rule in rules)
        reference.changed(session)
    desk.later(minutes=10)
    desk.work()
    first, second = desk.all(Promise)
    assert [(one.promise_id, one.state) for one in desk.all(Reminder)] == [(first.id, "cancelled"), (second.id, "planned")]


def _rules(desk: Desk) -> list[PromiseRule]:
    with desk.database.read() as session:
        return list(session.exec(select(PromiseRule)))
