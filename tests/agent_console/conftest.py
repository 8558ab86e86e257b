"""The staff's pages, with one department, two tickets and an account of every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlmodel import select

from foundation import reference
from foundation.clock import SetClock
from foundation.settings import Settings
from identity import actions as identity_actions
from identity.access import SYSTEM, Role
from identity.models import Department
from tests.site import Browser, Site, open_site
from tickets import actions
from tickets.lifecycle import TicketState
from tickets.models import Ticket

PASSWORD = "a long enough password"
SignIn = Callable[..., Browser]  # a role, and the department of a department's staff


@pytest.fixture
def site(settings: Settings, clock: SetClock) -> Iterator[Site]:
    """The web application, with nothing but the base data."""
    with open_site(settings, clock) as site:
        yield site


@pytest.fixture
def department(site: Site) -> Department:
    with site.database.write() as session:
        department = Department(code="light", name="Street Lighting", name_zh="路灯管理处")
        session.add(department)
        session.flush()
        reference.changed(session)
    return department


@pytest.fixture
def ticket(site: Site, department: Department) -> Ticket:
    """Li Na's dark street lamp, dispatched to street lighting, with a promise."""
    report(site, "The street lamp is dark.", name="Li Na", phone="13800001111")
    with site.database.write() as session:
        ticket = session.exec(select(Ticket)).one()
        if ticket.state is TicketState.RECEIVED:
            actions.accept(session, ticket, actor=SYSTEM)
        actions.assign(session, ticket, department=department, actor=SYSTEM)
        actions.promise(session, ticket, actor=SYSTEM)
    return ticket


@pytest.fixture
def sign_in(site: Site) -> SignIn:
    """Sign somebody in with a role, through the page, and return their browser."""

    def sign_in(role: Role, department: Department | None = None) -> Browser:
        create_staff(site, str(role), role, department_id=department.id if department else None)
        browser = site.browser()
        browser.send(browser.get("/sign-in"), "/sign-in", username=str(role), password=PASSWORD)
        return browser

    return sign_in


def create_staff(site: Site, username: str, role: Role, *, department_id: UUID | None = None, language: str = "en") -> None:
    """Add an account with a password."""
    with site.database.write() as session:
        department = session.get(Department, department_id) if department_id else None
        staff = identity_actions.create_staff(session, username, role=role, name=username.title(), department=department)
        staff.language = language
        identity_actions.set_password(session, staff, PASSWORD)


def report(site: Site, text: str, **typed: str) -> None:
    """Report a matter on the web."""
    browser = site.browser()
    assert browser.send(browser.get("/report"), "/report", text=text, **typed).status == 200
