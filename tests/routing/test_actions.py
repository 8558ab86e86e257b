"""Sending a ticket to the department that answers for it."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from foundation import reference
from identity.access import SYSTEM
from identity.models import Department
from routing import actions as routing
from routing.actions import UnknownDepartmentError
from routing.models import RoutingRule
from tests.cast import BURST, LI, NOISE, WANG, ZHANG, Desk, form, letter, of_department, sms
from tickets import actions
from tickets.lifecycle import TicketState
from tickets.models import Assignment, PartRole, Ticket, TicketEvent


def parts(desk: Desk, ticket: Ticket) -> set[tuple[str, str]]:
    """Return (department, role) of every part that has not ended."""
    with desk.database.read() as session:
        question = select(Department.code, Assignment.role).join(Assignment, col(Assignment.department_id) == col(Department.id))
        found = session.exec(question.where(col(Assignment.ticket_id) == ticket.id, col(Assignment.ended_at).is_(None)))
        return {(code, str(role)) for code, role in found}


def test_a_rule_sends_a_ticket_to_its_lead_and_those_who_help(desk: Desk) -> None:
    ticket = desk.opened(sms(ZHANG, NOISE))
    assert parts(desk, ticket) == {("environment", "lead"), ("police", "co_handler")}
    assert ticket.state is TicketState.DISPATCHED
    assert desk.lead(ticket) == "environment"


def test_a_dispatch_carries_its_reasons_and_the_departments_codes(desk: Desk) -> None:
    ticket = desk.opened(letter(LI, "", BURST))
    assigned = next(event for event in desk.all(TicketEvent) if event.kind == "assigned")
    assert assigned.data == {"department": "water", "co_handlers": ["works"]}
    assert assigned.reasons == [["Rule %(rule)s matches: %(hits)s.", {"rule": "burst-pipe", "hits": "utilities.burst"}]]
    assert assigned.ticket_id == ticket.id


def test_what_nobody_is_responsible_for_goes_to_the_fallback_department(desk: Desk) -> None:
    assert desk.lead(desk.opened(form(WANG, "Nothing of the kind."))) == "hotline"


def test_routing_the_same_ticket_again_changes_nothing(desk: Desk) -> None:
    ticket = desk.opened(sms(ZHANG, NOISE))
    with desk.database.write() as session:
        routing.assign_departments(session, session.get_one(Ticket, ticket.id))
    assert desk.events(ticket).count("assigned") == 1
    assert len(parts(desk, ticket)) == 2


def test_a_ticket_that_a_department_signed_for_stays_where_it_is(desk: Desk) -> None:
    ticket = desk.opened(sms(ZHANG, NOISE))
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        actions.sign(session, fresh, actor=of_department(fresh))
    with desk.database.write() as session:
        for rule in session.exec(select(RoutingRule)):
            rule.department_code = "roads"
            session.add(rule)
        reference.changed(session)
    with desk.database.write() as session:
        routing.assign_departments(session, session.get_one(Ticket, ticket.id))
    assert desk.lead(ticket) == "environment"


def test_another_department_ends_the_parts_of_the_first_one_and_its_helpers(desk: Desk) -> None:
    ticket = desk.opened(sms(ZHANG, NOISE))
    with desk.database.write() as session:
        actions.assign(session, session.get_one(Ticket, ticket.id), department=desk.department("roads"), actor=SYSTEM)
    assert parts(desk, ticket) == {("roads", "lead")}
    ended = [part for part in desk.all(Assignment) if part.ended_at is not None]
    assert {part.role for part in ended} == {PartRole.LEAD, PartRole.CO_HANDLER}


def test_a_redo_goes_to_the_lead_that_the_ticket_has_whatever_the_rules_say_by_now(desk: Desk) -> None:
    ticket = desk.answered(sms(ZHANG, NOISE))
    with desk.database.write() as session:
        for rule in session.exec(select(RoutingRule)):
            session.delete(rule)
        reference.changed(session)
    with desk.database.write() as session:
        fresh = session.get_one(Ticket, ticket.id)
        actions.order_redo(session, fresh, actor=SYSTEM)
        routing.redo_by_same_lead(session, fresh)
    assert desk.lead(ticket) == "environment"
    assert desk.ticket(ticket.number).state is TicketState.DISPATCHED


def test_a_rule_that_names_a_department_nobody_knows_is_said_by_its_name(desk: Desk) -> None:
    with desk.database.write() as session:
        session.add(RoutingRule(code="gone", position=1, department_code="gone"))
        reference.changed(session)
    number = desk.take(sms(LI, "x")).ticket_number
    assert number is not None
    with desk.database.write() as session, pytest.raises(UnknownDepartmentError, match="gone"):
        routing.assign_departments(session, session.exec(select(Ticket)).one())
    assert desk.ticket(number).state is TicketState.RECEIVED, "an error leaves nothing half-written"


def test_a_changed_department_counts_for_the_very_next_ticket(desk: Desk) -> None:
    first = desk.opened(form(WANG, "The fountain is dry."))
    with desk.database.write() as session:
        works = session.exec(select(Department).where(col(Department.code) == "works")).one()
        works.duties = ["fountain"]
        session.add(works)
        reference.changed(session)
    assert (desk.lead(first), desk.lead(desk.opened(form(WANG, "The fountain is still dry.")))) == ("hotline", "works")
