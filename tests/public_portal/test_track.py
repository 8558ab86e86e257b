"""A citizen follows a report by number and code."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from foundation import reference
from foundation.clock import SetClock
from identity.access import SYSTEM
from identity.models import Department
from public_portal.track import WrongCodes
from tests.site import Page, Site, flaws
from tickets import actions
from tickets.lifecycle import TicketState
from tickets.models import Ticket

ONE_SENTENCE = "We found no report with this number and code."


@pytest.fixture
def ticket(site: Site) -> Ticket:
    """A report about a street lamp, dispatched to street lighting, with a promise."""
    browser = site.browser()
    browser.send(browser.get("/report"), "/report", text="The street lamp is dark.", name="Li Na", phone="13800001111")
    with site.database.write() as session:
        session.add(Department(code="light", name="Street Lighting", name_zh="路灯管理处"))
        session.flush()
        reference.changed(session)
        ticket = session.exec(select(Ticket)).one()
        if ticket.state is TicketState.RECEIVED:
            actions.accept(session, ticket, actor=SYSTEM)
        department = session.exec(select(Department).where(Department.code == "light")).one()
        actions.assign(session, ticket, department=department, actor=SYSTEM)
        actions.promise(session, ticket, actor=SYSTEM)
    return ticket


def _track(site: Site, number: str, code: str, *, language: str = "en") -> Page:
    return site.browser(language=language).post("/track", {"number": number, "code": code})


def test_number_and_code_show_state_promise_and_what_happened(site: Site, ticket: Ticket) -> None:
    page = _track(site, ticket.number, ticket.lookup_code)
    assert page.status == 200
    assert "The department has your report and will confirm that it is responsible." in page.text
    assert "We passed it on to Street Lighting." in page.text
    assert "You will have an answer by" in page.text
    assert flaws(page) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_department_is_named_in_the_readers_language(site: Site, ticket: Ticket) -> None:
    assert "已转交路灯管理处。" in _track(site, ticket.number, ticket.lookup_code, language="zh").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_answer_is_read_on_the_tracking_page(site: Site, ticket: Ticket) -> None:
    with site.database.write() as session:
        answered = session.get(Ticket, ticket.id)
        assert answered is not None
        actions.sign(session, answered, actor=SYSTEM)
        actions.answer(session, answered, text="The lamp was replaced.\nThank you.", actor=SYSTEM)
    page = _track(site, ticket.number, ticket.lookup_code)
    assert "The lamp was replaced. Thank you." in page.text
    assert "Street Lighting answered." in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_number_and_a_wrong_code_are_answered_alike(site: Site, ticket: Ticket) -> None:
    wrong_code, wrong_number = _track(site, ticket.number, "XXXXXXXX"), _track(site, "2026-999999", ticket.lookup_code)
    assert (wrong_code.status, wrong_number.status) == (404, 404)
    assert ONE_SENTENCE in wrong_code.text
    assert wrong_code.html.replace(ticket.number, "") == wrong_number.html.replace("2026-999999", "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_code_typed_with_spaces_and_small_letters_is_understood(site: Site, ticket: Ticket) -> None:
    typed = f" {ticket.lookup_code[:4].lower()} {ticket.lookup_code[4:]} "
    assert _track(site, f" {ticket.number} ", typed).status == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_tracking_page_shows_no_name_and_no_address(site: Site, ticket: Ticket) -> None:
    html = _track(site, ticket.number, ticket.lookup_code).html
    assert "Li Na" not in html
    assert "13800001111" not in html


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_late_answer_is_admitted(site: Site, ticket: Ticket, clock: SetClock) -> None:
    assert ticket.promised_at is not None
    clock.set(ticket.promised_at + timedelta(minutes=1))
    assert "The promised day has passed without an answer." in _track(site, ticket.number, ticket.lookup_code).text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_ten_wrong_codes_even_the_right_one_has_to_wait(site: Site, ticket: Ticket) -> None:
    for _ in range(10):
        assert _track(site, ticket.number, "XXXXXXXX").status == 404
    page = _track(site, ticket.number, ticket.lookup_code)
    assert page.status == 429
    assert "wait a minute" in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_link_fills_in_the_number(site: Site) -> None:
    assert site.browser().get("/track?number=2026-000001").form("/track").fields["number"] == "2026-000001"


def test_wrong_codes_are_forgotten_after_a_minute() -> None:
    wrong_codes = WrongCodes(most=2, seconds=60)
    wrong_codes.count("peer", 0.0)
    wrong_codes.count("peer", 1.0)
    assert wrong_codes.is_too_many("peer", 59.0)
    assert not wrong_codes.is_too_many("peer", 60.5)
    assert not wrong_codes.is_too_many("another", 2.0)


def test_a_flood_of_peers_takes_no_more_memory() -> None:
    wrong_codes = WrongCodes(most=1, peers=3)
    for peer in range(100):
        wrong_codes.count(str(peer), 0.0)
    assert not wrong_codes.is_too_many("0", 0.0)
    assert wrong_codes.is_too_many("99", 0.0)


@pytest.mark.parametrize(("number", "code"), [("\x00", "A"), ("2026-000001", "\x00"), ("\x00" * 50, "x" * 5000)])
def test_signs_that_no_database_stores_are_a_wrong_number(site: Site, number: str, code: str) -> None:
    assert _track(site, number, code).status == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_larger_than_any_form_is_refused_unread(site: Site) -> None:
    page = site.browser().post("/track", {"number": "1", "code": "x" * 2_000_000})
    assert page.status == 413
