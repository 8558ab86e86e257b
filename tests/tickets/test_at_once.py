"""What happens at the same moment: contacts of one sender, a question that times out while it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlmodel import select

from channels import inbox
from channels.contract import InboundContact, Outcome
from channels.models import Contact, ContactState
from foundation.clock import SetClock
from foundation.database import Database, Session, lock
from foundation.groups import GroupWriter
from foundation.models import DueWork
from foundation.settings import Settings
from hotline.intake import take_contact
from hotline.jobs import accept_contact_again
from identity.actions import address_lock_key
from identity.models import Citizen
from tests.cast import CHEN, LAMP, LI, WANG, Desk, chat, letter, sms
from tests.live import wait_until
from tickets.actions import accepting
from tickets.actions.opening import open_ticket
from tickets.models import Ticket, TicketEvent

TIMES = 8


@contextmanager
def writers(settings: Settings, clock: SetClock, many: int) -> Iterator[list[GroupWriter]]:
    """Give the group writers of `many` server processes on one database."""
    with ExitStack() as stack:
        opened = []
        for _ in range(many):
            database = Database(settings, clock)
            stack.callback(database.close)
            opened.append(GroupWriter(database, group_size=50))
            stack.callback(opened[-1].close)
        yield opened


def taking(inbound: InboundContact) -> Callable[[Session], Outcome]:
    """Return what a front door submits for a contact."""

    def take(session: Session) -> Outcome:
        raw = inbox.keep(session, inbound.adapter, b"x", {})
        return take_contact(session, raw.id, inbound)

    return take


def submit_at_once(writers: list[GroupWriter], contacts: list[InboundContact]) -> list[Outcome]:
    start = Barrier(len(contacts))

    def submit(number: int, inbound: InboundContact) -> Outcome:
        keys = [inbox.contact_lock_key(inbound), address_lock_key(inbound.sender)]
        start.wait()
        return writers[number % len(writers)].submit(taking(inbound), keys=keys).result(timeout=30)

    with ThreadPoolExecutor(len(contacts)) as threads:
        return list(threads.map(submit, range(len(contacts)), contacts))


def test_letters_of_one_new_sender_at_the_same_moment_make_one_citizen(desk: Desk, settings: Settings, clock: SetClock) -> None:
    with writers(settings, clock, 2) as two:
        outcomes = submit_at_once(two, [letter(WANG, f"Lamp {number}", LAMP) for number in range(TIMES)])
    assert len({outcome.ticket_number for outcome in outcomes}) == TIMES
    assert len(desk.all(Citizen)) == 1
    assert {ticket.citizen_id for ticket in desk.tickets()} == {desk.all(Citizen)[0].id}


def test_messages_of_one_new_sender_at_the_same_moment_make_one_ticket(desk: Desk, settings: Settings, clock: SetClock) -> None:
    with writers(settings, clock, 2) as two:
        outcomes = submit_at_once(two, [sms(LI, f"Dark {number}") for number in range(TIMES)])
    assert {outcome.ticket_number for outcome in outcomes} == {"2026-000001"}
    assert (len(desk.all(Citizen)), desk.events().count("opened"), desk.events().count("appended")) == (1, 1, TIMES - 1)
    assert set(desk.states()) == {ContactState.ACCEPTED}


def test_the_same_contact_at_the_same_moment_is_taken_once(desk: Desk, settings: Settings, clock: SetClock) -> None:
    with writers(settings, clock, 2) as two:
        outcomes = submit_at_once(two, [sms(LI, LAMP, external_id="SM1")] * TIMES)
    assert [outcome.is_repeat for outcome in outcomes].count(False) == 1
    assert len({(outcome.ticket_number, outcome.receipt, outcome.lookup_code) for outcome in outcomes}) == 1
    assert (len(desk.tickets()), [contact.repeats for contact in desk.all(Contact)]) == (1, [TIMES - 1])


def test_a_contact_that_fails_spoils_none_of_its_group(
    desk: Desk, settings: Settings, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: Session, inbound: InboundContact, *arguments: object, **named: object) -> Ticket:
        opened: Ticket = open_ticket(session, inbound, *arguments, **named)  # type: ignore[arg-type]
        if inbound.text == "bad":
            session.execute(text("select no_such_column from ticket"))  # an error of the database, not of ours
        return opened

    monkeypatch.setattr(accepting, "open_ticket", fail)
    contacts = [letter(WANG, "x", word) for word in ("good", "bad", "good too")]

    def take_all(session: Session) -> list[Outcome]:
        return [taking(inbound)(session) for inbound in contacts]

    with writers(settings, clock, 1) as (writer,):
        outcomes = writer.submit(take_all).result(timeout=30)
    assert [outcome.ticket_number is None for outcome in outcomes] == [False, True, False]
    assert [ticket.text for ticket in desk.tickets()] == ["good", "good too"]
    assert desk.states() == [ContactState.ACCEPTED, ContactState.PENDING, ContactState.ACCEPTED]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_question_that_times_out_while_it_is_answered_is_answered_once(desk: Desk, settings: Settings, clock: SetClock) -> None:
    first = desk.opened(chat(CHEN, LAMP))
    desk.later(hours=100)
    desk.opened(chat(CHEN, "A pothole."))
    desk.opened(chat(CHEN, f"{first.number} is still dark."))
    unclear, answer = chat(CHEN, "Nobody came."), chat(CHEN, first.number)
    desk.take(unclear)

    def time_out() -> None:
        with desk.database.write() as session:
            work = session.exec(select(DueWork).where(DueWork.kind == "accept_contact")).one()
            accept_contact_again(session, work)

    with ThreadPoolExecutor(1) as thread:
        with desk.database.write() as session:
            lock(session, [inbox.contact_lock_key(answer), address_lock_key(answer.sender)])
            timing_out = thread.submit(time_out)
            wait_until(lambda: _somebody_waits(desk.database), "the time-out waits for the answer")
            taking(answer)(session)
        timing_out.result(timeout=30)
    assert [event.text for event in desk.all(TicketEvent)].count("Nobody came.") == 1
    assert len(desk.tickets()) == 2


def _somebody_waits(database: Database) -> bool:
    with database.read() as session:
        waiting = text(
            "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = "
            "(select oid from pg_database where datname = current_database())"
        )
        return bool(session.execute(waiting).scalar_one())
