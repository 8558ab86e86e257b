"""Sending a ticket to the department that answers for it."""

from __future__ import annotations

from sqlmodel import col, select

from foundation.database import Session
from foundation.i18n import Sentence, mark
from foundation.reference import cached
from identity.access import SYSTEM
from identity.models import Department
from identity.queries import department_by_code, departments
from routing.models import RoutingRule
from routing.rules import DepartmentFacts, Matter, NoFallbackDepartmentError, Rule, choose_route
from tickets import actions as tickets
from tickets.lifecycle import TicketState
from tickets.models import Ticket


class UnknownDepartmentError(Exception):
    """A routing rule names a department that does not exist; correct the rule or import the department."""


def assign_departments(session: Session, ticket: Ticket) -> None:
    """Dispatch the ticket to its lead and co-handlers.

    A ticket that a department signed for stays where it is; one that was sent to the right place already, too.
    """
    if ticket.state not in {TicketState.RECEIVED, TicketState.ACCEPTED, TicketState.DISPATCHED}:
        return
    route = choose_route(_matter(ticket), _rules(session), _department_facts(session))
    lead = _department(session, route.lead)
    if ticket.state is TicketState.DISPATCHED and ticket.lead_department_id == lead.id:
        return
    if ticket.state is TicketState.RECEIVED:
        tickets.accept(session, ticket, actor=SYSTEM)
    helpers = [_department(session, code) for code in route.co_handlers if code != route.lead]
    tickets.assign(session, ticket, department=lead, co_handlers=helpers, actor=SYSTEM, reasons=route.reasons)


def take_back(session: Session, ticket: Ticket) -> None:
    """Give a ticket that a department returned to the fallback department: the rules chose wrongly, so a person chooses."""
    if ticket.state is not TicketState.RETURNED:
        return
    fallback = next((one for one in departments(session).values() if one.is_fallback), None)
    if fallback is None:
        raise NoFallbackDepartmentError
    reason: Sentence = (mark("The department returned it, so the fallback department decides."), {})
    tickets.assign(session, ticket, department=fallback, actor=SYSTEM, reasons=[reason])


def redo_by_same_lead(session: Session, ticket: Ticket) -> None:
    """Send a ticket that must be done again to the department that had it."""
    if ticket.lead_department_id is None:
        assign_departments(session, ticket)
        return
    lead = departments(session)[ticket.lead_department_id]
    tickets.assign(session, ticket, department=lead, actor=SYSTEM, data={"is_redo": True})


def _matter(ticket: Ticket) -> Matter:
    return Matter(f"{ticket.subject}\n{ticket.text}".casefold(), ticket.location.casefold(), str(ticket.kind), ticket.category_code)


def _department(session: Session, code: str) -> Department:
    found = department_by_code(session, code)
    if found is None:
        raise UnknownDepartmentError(code)
    return found


def _rules(session: Session) -> list[Rule]:
    return cached(session, "routing_rules", _load_rules)


def _department_facts(session: Session) -> list[DepartmentFacts]:
    return cached(
        session,
        "department_facts",
        lambda fresh: [
            DepartmentFacts(one.code, tuple(one.duties), tuple(one.areas), one.is_fallback) for one in departments(fresh).values()
        ],
    )


def _load_rules(session: Session) -> list[Rule]:
    return [
        Rule(
            row.code,
            row.position,
            row.department_code,
            row.kind,
            row.category_code,
            tuple(row.words),
            tuple(row.areas),
            tuple(row.co_handler_codes),
        )
        for row in session.exec(select(RoutingRule).order_by(col(RoutingRule.position)))
    ]
