"""Who sees which tickets, and how much of them."""

from __future__ import annotations

from uuid import UUID

from identity.access import SYSTEM, Actor, ActorKind, Role
from tests.cast import BURST, LAMP, LI, NOISE, WANG, ZHANG, Desk, form, letter, sms
from tickets.lifecycle import PUBLIC_EVENTS, Confidentiality, TicketState
from tickets.models import Ticket
from tickets.queries import list_tickets, public_timeline, ticket_for, timeline, tracked


def staff(role: Role, department: UUID | None = None, level: int = 0) -> Actor:
    return Actor(ActorKind.STAFF, None, role, department, level)


def hide(desk: Desk, ticket: Ticket, confidentiality: Confidentiality) -> None:
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        fresh.confidentiality = confidentiality
        session.add(fresh)


def numbers(desk: Desk, viewer: Actor) -> list[str]:
    with desk.database.read() as session:
        return [line.number for line in list_tickets(session, viewer)]


def test_a_list_goes_on_where_the_page_before_ended(desk: Desk) -> None:
    opened = []
    for number in range(5):  # two of them at the same moment
        opened.append(desk.take(form(LI, f"{LAMP} {number}")).ticket_number)
        desk.later(minutes=number % 2)
    with desk.database.read() as session:
        pages, before = [], None
        while lines := list_tickets(session, SYSTEM, before=before, limit=2):
            pages.append([line.number for line in lines])
            before = (lines[-1].opened_at, lines[-1].id)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [number for page in pages for number in page] == opened[::-1]


def test_a_list_can_be_narrowed_to_a_state(desk: Desk) -> None:
    desk.opened(sms(LI, LAMP))
    answered = desk.answered(sms(ZHANG, NOISE))
    with desk.database.read() as session:
        assert [line.number for line in list_tickets(session, SYSTEM, state=TicketState.ANSWERED)] == [answered.number]


def test_a_department_sees_what_it_leads_and_what_it_helps_with_and_nothing_else(desk: Desk) -> None:
    lamp, noise = desk.opened(sms(LI, LAMP)), desk.opened(sms(ZHANG, NOISE))
    seen = {
        code: numbers(desk, staff(Role.DEPARTMENT, desk.department(code).id)) for code in ("lighting", "environment", "police", "roads")
    }
    assert seen == {"lighting": [lamp.number], "environment": [noise.number], "police": [noise.number], "roads": []}
    assert numbers(desk, staff(Role.DEPARTMENT)) == [], "staff of no department see nothing"
    assert numbers(desk, Actor(ActorKind.CITIZEN)) == []


def test_a_sealed_ticket_is_there_only_for_those_with_the_level(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    hide(desk, ticket, Confidentiality.SEALED)
    ticket = desk.ticket(ticket.number)
    for viewer, sees in ((staff(Role.MANAGER, level=1), False), (staff(Role.MANAGER, level=2), True), (SYSTEM, True)):
        assert numbers(desk, viewer) == ([ticket.number] if sees else [])
        with desk.database.read() as session:
            assert (ticket_for(session, viewer, ticket.number) is not None) is sees
            assert bool(timeline(session, viewer, ticket)) is sees


def test_a_hidden_identity_is_masked_for_all_without_the_level(desk: Desk) -> None:
    ticket = desk.opened(letter(WANG, "x", BURST))
    hide(desk, ticket, Confidentiality.IDENTITY_HIDDEN)
    water = desk.department("water").id
    with desk.database.read() as session:
        shown = {
            level: list_tickets(session, viewer)[0].citizen_name
            for level, viewer in {
                "department": staff(Role.DEPARTMENT, water),
                "agent": staff(Role.AGENT),
                "agent with the level": staff(Role.AGENT, level=1),
                "administrator": staff(Role.ADMINISTRATOR, level=2),
            }.items()
        }
    assert shown == {"department": "王**", "agent": "王**", "agent with the level": "王小明", "administrator": "王**"}


def test_a_ticket_is_overdue_from_its_promise_on_until_it_is_answered(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))

    def is_overdue() -> bool:
        with desk.database.read() as session:
            return list_tickets(session, SYSTEM)[0].is_overdue

    assert ticket.promised_at is not None
    desk.clock.set(ticket.promised_at)
    assert not is_overdue()
    desk.later(seconds=1)
    assert is_overdue()
    desk.answer(ticket)
    assert not is_overdue()


def test_a_citizen_follows_a_ticket_by_its_number_and_its_code_together(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    number, code = ticket.number, ticket.lookup_code
    with desk.database.read() as session:
        for right in ((number, code), (f" {number} ", f" {code.lower()} ")):
            assert tracked(session, *right) is not None
        for wrong in ((number, "XXXXXXXX"), ("2026-999999", code), ("", ""), (number, ""), (number, "码")):
            assert tracked(session, *wrong) is None, wrong


def test_the_citizen_reads_only_what_is_public(desk: Desk) -> None:
    ticket = desk.opened(sms(LI, LAMP))
    assert ticket.promised_at is not None
    desk.clock.set(ticket.promised_at)
    desk.work()
    with desk.database.read() as session:
        shown = [event.kind for event in public_timeline(session, ticket)]
        everything = [event.kind for event in timeline(session, SYSTEM, ticket)]
    assert "reminded" in everything
    assert shown == [kind for kind in everything if kind in PUBLIC_EVENTS]
