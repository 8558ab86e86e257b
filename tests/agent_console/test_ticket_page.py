"""One ticket's page: what was said, promised, decided and sent."""

from __future__ import annotations

import pytest

from channels.contract import AddressKind, Channel, Purpose
from channels.models import MessageState, OutboxMessage
from identity.access import SYSTEM, Role
from identity.models import Department
from tests.agent_console.conftest import SignIn, report
from tests.site import Site, flaws
from tickets import actions
from tickets.lifecycle import Confidentiality
from tickets.models import Ticket

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_page_tells_what_happened_and_how_the_deadline_came_about(ticket: Ticket, sign_in: SignIn) -> None:
    page = sign_in(Role.AGENT).get(f"/tickets/{ticket.number}")
    assert "The street lamp is dark." in page.text
    assert "Dispatched to Street Lighting" in page.text
    assert "working days after the day of 2026-03-02" in page.text
    assert "The address was not seen before." in page.text
    assert flaws(page) == []


def test_the_arithmetic_of_the_promise_in_force_stands_once(ticket: Ticket, sign_in: SignIn) -> None:
    assert sign_in(Role.AGENT).get(f"/tickets/{ticket.number}").text.count("after the day of") == 1


def test_every_sentence_of_the_page_is_said_in_chinese_too(ticket: Ticket, sign_in: SignIn) -> None:
    browser = sign_in(Role.AGENT)
    page = browser.follow(browser.send(browser.get(f"/tickets/{ticket.number}"), "/language", language="zh"))
    assert "派单至路灯管理处" in page.text
    assert "个工作日" in page.text
    assert "此联系方式首次出现。" in page.text


def test_a_ticket_of_another_department_and_one_that_is_none_are_answered_alike(
    site: Site, ticket: Ticket, department: Department, sign_in: SignIn
) -> None:
    report(site, "Not yet dispatched")
    browser = sign_in(Role.DEPARTMENT, department)
    other, none = browser.get(f"/tickets/{_next(ticket.number)}"), browser.get("/tickets/1999-000001")
    assert browser.get(f"/tickets/{ticket.number}").status == 200
    assert (other.status, none.status) == (404, 404)
    assert other.html == none.html


def _next(number: str) -> str:
    year, _, count = number.partition("-")
    return f"{year}-{int(count) + 1:0{len(count)}d}"


def test_a_hidden_identity_is_hidden_from_the_department(site: Site, ticket: Ticket, department: Department, sign_in: SignIn) -> None:
    with site.database.write() as session:
        stored = session.get(Ticket, ticket.id)
        assert stored is not None
        stored.confidentiality = Confidentiality.IDENTITY_HIDDEN
    page = sign_in(Role.DEPARTMENT, department).get(f"/tickets/{ticket.number}")
    assert page.status == 200
    assert "Li Na" not in page.html
    assert "identity kept from the department" in page.text


def test_the_address_of_a_message_is_masked_for_those_who_need_not_know_it(
    site: Site, ticket: Ticket, department: Department, sign_in: SignIn
) -> None:
    _store_message(site, ticket)
    assert "+8613800001111" in sign_in(Role.AGENT).get(f"/tickets/{ticket.number}").html
    assert "+8613800001111" not in sign_in(Role.DEPARTMENT, department).get(f"/tickets/{ticket.number}").html


def test_a_message_that_failed_says_so(site: Site, ticket: Ticket, sign_in: SignIn) -> None:
    _store_message(site, ticket)
    page = sign_in(Role.AGENT).get(f"/tickets/{ticket.number}")
    assert "failed" in page.text
    assert "the number is not in use" in page.text


def _store_message(site: Site, ticket: Ticket) -> None:
    with site.database.write() as session:
        session.add(
            OutboxMessage(
                channel=Channel.SMS,
                to_kind=AddressKind.PHONE,
                to_value="+8613800001111",
                purpose=Purpose.ACKNOWLEDGEMENT,
                text="We have it.",
                ticket_id=ticket.id,
                state=MessageState.FAILED,
                queued_at=session.now,
                last_error="the number is not in use",
            )
        )


def test_markup_in_a_citizens_words_is_shown_as_text(site: Site, sign_in: SignIn) -> None:
    report(site, "<img src=x onerror=alert(1)>\nsecond line")
    browser = sign_in(Role.AGENT)
    path = next(link for link in browser.get("/").links if link.startswith("/tickets/"))
    page = browser.get(path)
    assert "<img src=x onerror=alert(1)> second line" in page.text
    assert flaws(page) == []


def test_a_redo_tells_the_second_promise_too(site: Site, ticket: Ticket, sign_in: SignIn) -> None:
    with site.database.write() as session:
        stored = session.get(Ticket, ticket.id)
        assert stored is not None
        actions.sign(session, stored, actor=SYSTEM)
        actions.answer(session, stored, text="Done.", actor=SYSTEM)
        actions.order_redo(session, stored, actor=SYSTEM)
        actions.promise(session, stored, actor=SYSTEM)
    page = sign_in(Role.AGENT).get(f"/tickets/{ticket.number}")
    assert "Sent back to Street Lighting to be done again" in page.text
    assert "A redo gets 50% of the usual time." in page.text
