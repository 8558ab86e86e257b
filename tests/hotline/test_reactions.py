"""When this happens to a ticket, that follows; each alone, and none of them twice."""

from __future__ import annotations

import pytest

from foundation.database import Session
from foundation.models import WorkState
from hotline import reactions
from hotline.retrying import retry
from identity.access import SYSTEM
from tests.cast import LAMP, LI, NOISE, ZHANG, Desk, of_department, sms
from tickets import actions
from tickets.lifecycle import EventKind, TicketState
from tickets.models import Promise, Ticket, TicketEvent


class Broken:
    """A reaction that writes something and then fails, until it is repaired."""

    __name__ = "broken"

    def __init__(self) -> None:
        self.is_repaired = False
        self.tries = 0

    def __call__(self, session: Session, ticket: Ticket, _event: TicketEvent) -> None:
        self.tries += 1
        actions.remind(session, ticket, actor=SYSTEM)
        if not self.is_repaired:
            raise ValueError("not yet")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    """A broken reaction to the opening, between the two that are there."""
    broken = Broken()
    acknowledge, route = reactions.REACTIONS[EventKind.OPENED]
    monkeypatch.setitem(reactions.REACTIONS, EventKind.OPENED, (acknowledge, broken, route))
    return broken


def test_what_follows_a_contact_is_done_in_one_go(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    assert desk.events(ticket) == ["opened", "accepted", "assigned", "promised"]
    assert (len(desk.messages("acknowledgement")), len(desk.all(Promise))) == (1, 1)
    assert [work.kind for work in desk.planned("react_opened")] == []


def test_a_reaction_that_fails_stops_none_of_the_others_and_leaves_nothing_half_written(desk: Desk, broken: Broken) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    assert desk.events(ticket) == ["opened", "accepted", "assigned", "promised"], "and no reminder"
    assert len(desk.messages("acknowledgement")) == 1
    (work,) = desk.planned("react_opened")
    assert (work.payload, work.state) == ({"done": ["acknowledge", "route"]}, "due")
    assert (work.last_error or "").startswith("broken: ValueError")


def test_the_retry_of_a_failed_reaction_does_not_repeat_the_others(desk: Desk, broken: Broken) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    broken.is_repaired = True
    desk.later(seconds=30)
    desk.work()
    assert desk.events(ticket) == ["opened", "accepted", "assigned", "promised", "reminded"]
    assert (broken.tries, desk.planned("react_opened"), len(desk.messages("acknowledgement"))) == (2, [], 1)


def test_a_reaction_that_never_succeeds_is_set_aside_for_a_person_who_can_revive_it(desk: Desk, broken: Broken) -> None:
    desk.change_settings(work={"max_attempts": 3})
    desk.opened(sms(LI, LAMP))
    for _ in range(5):
        desk.later(hours=1)
        desk.work()
    (work,) = desk.planned("react_opened")
    assert (work.state, broken.tries) == (WorkState.DEAD, 3)
    with desk.database.write() as session:
        assert retry(session, "work", work.id)
    desk.work()
    assert broken.tries == 4


def test_an_event_without_reactions_costs_no_work(desk: Desk) -> None:
    number = desk.take(sms(LI, LAMP)).ticket_number
    assert number is not None
    desk.work()
    ticket = desk.ticket(number)
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        actions.sign(session, fresh, actor=of_department(fresh))
    assert desk.planned("react_signed") == []


def test_a_returned_ticket_comes_back_to_the_fallback_department_with_a_reason(desk: Desk) -> None:
    ticket = desk.opened(sms(ZHANG, NOISE))
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        actions.return_ticket(session, fresh, reason="Not ours.", actor=of_department(fresh))
    desk.work()
    assert (desk.lead(ticket), desk.ticket(ticket.number).state) == ("hotline", TicketState.DISPATCHED)
    assert len(desk.all(Promise)) == 2
