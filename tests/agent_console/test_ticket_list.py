"""The list of tickets, as each role sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from agent_console import ticket_list
from agent_console.ticket_list import position_text, read_position
from foundation.clock import SetClock
from identity.access import Role
from identity.models import Department
from tests.agent_console.conftest import SignIn, report
from tests.site import Site, flaws
from tickets.models import Ticket


def test_the_list_shows_the_promise_in_the_citys_time_and_the_department(ticket: Ticket, sign_in: SignIn) -> None:
    page = sign_in(Role.AGENT).get("/")
    assert ticket.number in page.text
    assert "Street Lighting" in page.text
    assert ticket.promised_at is not None
    in_shanghai = ticket.promised_at + timedelta(hours=8)
    assert in_shanghai.strftime("%Y-%m-%d %H:%M") in page.text
    assert flaws(page) == []


def test_pages_of_the_list_neither_repeat_nor_miss_a_ticket(site: Site, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_list, "PAGE_SIZE", 2)
    for place in range(5):  # all in the same moment: the clock of the test stands
        report(site, f"Hole number {place} in the road")
    browser, path, seen = sign_in(Role.AGENT), "/", []
    while path:
        page = browser.get(path)
        seen += [link for link in page.links if link.startswith("/tickets/")]
        path = next((link for link in page.links if "before=" in link), "")
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_overdue_ticket_is_marked_with_a_word(ticket: Ticket, sign_in: SignIn, clock: SetClock) -> None:
    assert ticket.promised_at is not None
    clock.set(ticket.promised_at)
    browser = sign_in(Role.MANAGER)
    assert "overdue" not in browser.get("/").text
    clock.set(ticket.promised_at + timedelta(seconds=1))
    assert "overdue" in browser.get("/").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_filter_shows_only_tickets_of_a_state(ticket: Ticket, sign_in: SignIn) -> None:
    browser = sign_in(Role.AGENT)
    assert ticket.number in browser.get("/?state=dispatched").text
    assert ticket.number not in browser.get("/?state=closed").text
    assert "No ticket is in this state" in browser.get("/?state=closed").text
    assert ticket.number in browser.get("/?state=invented").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_department_sees_only_what_it_leads_or_helps_with(site: Site, ticket: Ticket, department: Department, sign_in: SignIn) -> None:
    report(site, "Not yet dispatched")
    page = sign_in(Role.DEPARTMENT, department).get("/")
    assert ticket.number in page.text
    assert "Not yet dispatched" not in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_runs_the_installation_sees_no_names(ticket: Ticket, sign_in: SignIn) -> None:
    assert "Li Na" not in sign_in(Role.ADMINISTRATOR).get("/").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_empty_list_says_what_to_do(sign_in: SignIn) -> None:
    page = sign_in(Role.AGENT).get("/")
    assert "There are no tickets yet" in page.text
    assert "/report" in page.links
    assert flaws(page) == []


def test_a_position_comes_back_as_it_was() -> None:
    position = (datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC), uuid4())
    assert read_position(position_text(position)) == position


@pytest.mark.parametrize("text", ["", "x", "12", "12-34", "9" * 40 + "-" + "0" * 32, "-1"])
def test_a_position_that_is_none_of_ours_is_the_top(text: str) -> None:
    assert read_position(text) is None
