"""What the hotline and the departments do with a ticket: each verb one event, each refusal one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foundation.database import Session
from identity.access import SYSTEM, Actor, ActorKind, ForbiddenError, Role
from tests.cast import BURST, LAMP, LI, NOISE, ZHANG, Desk, of_department, sms
from tickets import actions
from tickets.actions.handling import AnswerMissingError
from tickets.lifecycle import NotNowError, TicketState
from tickets.models import Assignment, Promise, Ticket

Verb = Callable[[Session, Ticket, Actor], object]
VERBS: dict[str, Verb] = {
    "sign": lambda session, ticket, actor: actions.sign(session, ticket, actor=actor),
    "start": lambda session, ticket, actor: actions.start(session, ticket, actor=actor),
    "return": lambda session, ticket, actor: actions.return_ticket(session, ticket, reason="Not ours.", actor=actor),
    "answer": lambda session, ticket, actor: actions.answer(session, ticket, text="Done.", actor=actor),
}
OTHER_DEPARTMENT = Actor(ActorKind.STAFF, None, Role.DEPARTMENT, None)
CITIZEN = Actor(ActorKind.CITIZEN)


def do(desk: Desk, ticket: Ticket, *verbs: str) -> Ticket:
    """Let the ticket's department do these, each in a transaction of its own."""
    for verb in verbs:
        with desk.database.write() as session:
            fresh = session.get_one(Ticket, ticket.id)
            VERBS[verb](session, fresh, of_department(fresh))
    return desk.ticket(ticket.number)


def test_a_department_signs_begins_and_answers(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    desk.later(hours=2)
    ticket = do(desk, ticket, "sign", "start", "answer")
    assert desk.events(ticket)[-3:] == ["signed", "started", "answered"]
    assert (ticket.state, ticket.answer, ticket.answered_at) == (TicketState.ANSWERED, "Done.", desk.clock.now())
    (part,) = desk.all(Assignment)
    assert part.signed_at == desk.clock.now()


def test_an_answer_needs_no_beginning_but_a_signature(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    with pytest.raises(NotNowError, match="dispatched cannot be answered"):
        do(desk, ticket, "answer")
    assert do(desk, ticket, "sign", "answer").state is TicketState.ANSWERED


def test_only_a_department_that_has_a_part_in_the_ticket_works_on_it(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    roads = Actor(ActorKind.STAFF, None, Role.DEPARTMENT, desk.department("roads").id)
    before = desk.events()
    for stranger in (roads, OTHER_DEPARTMENT, CITIZEN, Actor(ActorKind.STAFF, None, Role.ADMINISTRATOR)):
        with desk.database.write() as session:
            for act in VERBS.values():
                with pytest.raises(ForbiddenError):
                    act(session, session.get_one(Ticket, ticket.id), stranger)
    assert desk.events() == before


def test_a_department_whose_part_has_ended_has_no_say_any_more(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    before = of_department(ticket)
    with desk.database.write() as session:
        actions.assign(session, session.get_one(Ticket, ticket.id), department=desk.department("roads"), actor=SYSTEM)
    with desk.database.write() as session, pytest.raises(ForbiddenError):
        actions.sign(session, session.get_one(Ticket, ticket.id), actor=before)


def test_an_answer_and_a_return_need_words(desk: Desk) -> None:
    ticket = do(desk, desk.opened(sms(LI, LAMP)), "sign")
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        for nothing in ("", "  \n"):
            with pytest.raises(AnswerMissingError):
                actions.answer(session, fresh, text=nothing, actor=of_department(fresh))
            with pytest.raises(AnswerMissingError):
                actions.return_ticket(session, fresh, reason=nothing, actor=of_department(fresh))
    assert desk.ticket(ticket.number).state is TicketState.SIGNED


def test_who_saw_an_older_state_of_a_ticket_changes_nothing(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    with desk.database.read() as session:
        seen = session.get_one(Ticket, ticket.id)
    do(desk, ticket, "sign")
    with desk.database.write() as session, pytest.raises(NotNowError, match="somebody else changed"):
        actions.return_ticket(session, seen, reason="Not ours.", actor=of_department(seen))
    assert desk.ticket(ticket.number).state is TicketState.SIGNED


def test_a_closed_ticket_is_not_reminded_of(desk: Desk) -> None:
    ticket = desk.answered(sms(LI, LAMP))
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        actions.close(session, fresh, actor=SYSTEM)
        with pytest.raises(NotNowError, match="needs no reminder"):
            actions.remind(session, fresh, actor=SYSTEM)


def test_a_reminder_is_no_activity_that_keeps_a_ticket_open_for_messages(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    desk.later(hours=5)
    with desk.database.write() as session:
        actions.remind(session, session.get_one(Ticket, ticket.id), actor=SYSTEM)
    assert desk.ticket(ticket.number).last_activity_at == ticket.last_activity_at


# ── promises ──


def test_a_promise_stands_with_its_rule_its_calendar_and_its_arithmetic(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    (promise,) = desk.all(Promise)
    assert (promise.ticket_id, promise.rule_code, promise.calendar_code) == (ticket.id, "usual", "default")
    assert (ticket.promised_at, promise.given_at) == (promise.promised_at, ticket.opened_at)
    assert [values for _, values in promise.arithmetic] == [
        {"rule": "usual"},
        {"amount": 5, "start": "2026-03-02 09:00", "calendar": "default"},
        {"end": "2026-03-09 17:30", "zone": "Asia/Shanghai"},
    ]


def test_the_clock_of_a_promise_starts_with_the_contact_and_not_with_the_dispatch(desk: Desk) -> None:
    number = desk.take(sms(LI, BURST)).ticket_number
    assert number is not None
    opened_at = desk.clock.now()
    desk.later(hours=6)
    desk.work()
    (promise,) = desk.all(Promise)
    assert (promise.promised_at - opened_at).total_seconds() == 24 * 3600
    assert promise.given_at == desk.clock.now()


def test_a_redo_is_promised_from_now_in_half_the_time(desk: Desk) -> None:
    ticket = desk.answered(sms(ZHANG, NOISE))  # three working days
    desk.later(days=1)
    with desk.database.write() as session:
        actions.order_redo(session, session.get_one(Ticket, ticket.id), actor=SYSTEM)
    desk.work()
    first, second = desk.all(Promise)
    assert second.arithmetic[1:3] == [
        ["A redo gets %(percent)s%% of the usual time.", {"percent": 50}],
        [first.arithmetic[1][0], {"amount": 2, "start": "2026-03-03 09:00", "calendar": "default"}],
    ]
    ticket = desk.ticket(ticket.number)
    assert (ticket.promised_at, ticket.answered_at, ticket.redo_count) == (second.promised_at, None, 1)
