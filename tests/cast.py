"""The people whom the tests know, the city's data, and a desk at which a contact is taken without any socket.

Nobody of them exists; the numbers are given to nobody. The demo plays with the same people and the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from sqlalchemy import Table
from sqlmodel import col, select
from structlog.testing import capture_logs

from channels.adapters.email.reading import ParserProcess
from channels.adapters.registry import Doors, channel_blocks
from channels.contract import (
    NO_ADDRESS,
    Address,
    AddressKind,
    Channel,
    ContactKind,
    InboundContact,
    OutboundMessage,
    Outcome,
    Sent,
    Verification,
)
from channels.models import Contact, ContactState, OutboxMessage
from foundation import reference
from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.models import DueWork, WorkState
from foundation.settings import Settings
from foundation.tables import Row
from foundation.work import Lane
from hotline.demo import DATA, FILES
from hotline.demo.cast import ANNA, CHEN, CITIZENS, LI, SUN, WANG, ZHANG, ZHAO, Person
from hotline.imports import import_file
from hotline.intake import take_by_hand
from hotline.lanes import run_lane
from hotline.office import Office
from hotline.reactions import REACTIONS
from hotline.tables import METADATA
from identity.access import Actor, ActorKind, Role
from identity.models import Department
from tickets import actions
from tickets.actions.events import reaction_kind
from tickets.models import Ticket, TicketEvent

__all__ = ["ANNA", "CHEN", "CITIZENS", "LI", "SUN", "WANG", "ZHANG", "ZHAO", "Desk", "FakeSender", "Person", "open_desk"]

MAILBOX = "hotline@city.example"
NOISE = "The building site makes noise all night long."
BURST = "A burst pipe floods the road."
LAMP = "The street lamp at our door is dark."

CITY_TABLES = [METADATA.tables[name] for name in ("department", "category", "routing_rule", "promise_rule")]
_CITY: dict[Table, list[dict[str, Any]]] = {}

R = TypeVar("R", bound=Row)
_numbers = count(1)


# ── what they send; each contact has an id of its own unless one is given ──


def sms(person: Person, text: str, **facts: Any) -> InboundContact:
    """Return an SMS as the Twilio door reads it."""
    return _contact("twilio_sms", Channel.SMS, ContactKind.MESSAGE, phone(person), text=text, **facts)


def chat(person: Person, text: str, **facts: Any) -> InboundContact:
    """Return a message to the bot; Telegram vouches for the sender."""
    sender = Address(AddressKind.TELEGRAM, str(person.telegram_id), Verification.CHANNEL)
    return _contact("telegram", Channel.TELEGRAM, ContactKind.MESSAGE, sender, text=text, name=person.name, **facts)


def letter(person: Person, subject: str, text: str, **facts: Any) -> InboundContact:
    """Return a letter as the parser reads it."""
    sender = Address(AddressKind.EMAIL, person.email)
    given = {"name": person.name, "mailbox": MAILBOX, **facts}
    return _contact("email", Channel.EMAIL, ContactKind.MESSAGE, sender, subject=subject, text=text, **given)


def form(person: Person, text: str, **facts: Any) -> InboundContact:
    """Return a form filled in on the web."""
    return _contact("web", Channel.WEB, ContactKind.FORM, phone(person), text=text, name=person.name, **facts)


def call_step(person: Person, kind: ContactKind, call: str, text: str = "", **facts: Any) -> InboundContact:
    """Return one step of a call; `call` is its CallSid."""
    given = {"sender": phone(person), "external_id": call, "conversation": call, **facts}
    return _contact("twilio_voice", Channel.PHONE, kind, text=text, **given)


def phone(person: Person) -> Address:
    """Return the person's number, NO_ADDRESS when it is withheld."""
    return Address(AddressKind.PHONE, person.phone) if person.phone else NO_ADDRESS


def _contact(adapter: str, channel: Channel, kind: ContactKind, sender: Address, **facts: Any) -> InboundContact:
    facts.setdefault("external_id", f"{adapter}-{next(_numbers)}")
    return InboundContact(adapter=adapter, channel=channel, kind=kind, sender=sender, **facts)


# ── a provider that we own ──


@dataclass
class FakeSender:
    """Takes every message, unless `answers` holds something else for it: errors are raised, functions called."""

    name: str = "fake"
    answers: list[Exception | Callable[[OutboundMessage], None]] = field(default_factory=list)
    messages: list[OutboundMessage] = field(default_factory=list)

    def send(self, message: OutboundMessage) -> Sent:
        self.messages.append(message)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            answer(message)
        return Sent(f"fake-{message.id}")


# ── the desk ──


@dataclass
class Desk:
    """One installation on a test's database: contacts are taken as the doors take them, work is done when a test says so."""

    office: Office
    clock: SetClock
    sender: FakeSender

    @property
    def database(self) -> Database:
        return self.office.database

    def take(self, inbound: InboundContact) -> Outcome:
        """Take one contact in a transaction of its own."""
        return take_by_hand(self.office, inbound)

    def work(self, *lanes: Lane) -> int:
        """Do what is due now, in these lanes or in all, until nothing is left; return how many rows were claimed."""
        total = 0
        while due := self._lanes_with_work(lanes or tuple(Lane)):
            total += sum(run_lane(self.office, lane, worker="desk") for lane in due)
        return total

    def _lanes_with_work(self, lanes: Sequence[Lane]) -> list[Lane]:
        with self.database.read() as session:
            due = select(DueWork.lane).where(col(DueWork.state) == WorkState.DUE, col(DueWork.due_at) <= session.now)
            found = set(session.exec(due.distinct()))
        return [lane for lane in lanes if lane in found]

    def opened(self, inbound: InboundContact) -> Ticket:
        """Take a contact, do what follows from it, and return its ticket."""
        number = self.take(inbound).ticket_number
        assert number is not None, "the contact stands on no ticket"
        self.work()
        return self.ticket(number)

    def answered(self, inbound: InboundContact, text: str = "It is repaired.") -> Ticket:
        """Open a ticket, let its department sign for it and answer, and do what follows."""
        ticket = self.opened(inbound)
        self.answer(ticket, text)
        return self.ticket(ticket.number)

    def answer(self, ticket: Ticket, text: str = "It is repaired.") -> None:
        """Let the lead department sign and answer, and do what follows."""
        with self.database.write() as session:
            fresh = session.get_one(Ticket, ticket.id)
            actions.sign(session, fresh, actor=of_department(fresh))
            actions.answer(session, fresh, text=text, actor=of_department(fresh))
        self.work()

    def later(self, **span: float) -> datetime:
        """Let time pass, and return the moment."""
        self.clock.set(self.clock.now() + timedelta(**span))
        return self.clock.now()

    def change_settings(self, **blocks: dict[str, Any]) -> None:
        """Change settings of this installation, block by block."""
        changed = {name: getattr(self.office.settings, name).model_copy(update=values) for name, values in blocks.items()}
        self.office.settings = self.database.settings = self.office.settings.model_copy(update=changed)

    # ── what stands ──

    def all(self, model: type[R]) -> list[R]:
        """Return every row of a table, oldest first."""
        with self.database.read() as session:
            return list(session.exec(select(model).order_by(col(model.id))))

    def ticket(self, number: str) -> Ticket:
        with self.database.read() as session:
            return session.exec(select(Ticket).where(col(Ticket.number) == number)).one()

    def tickets(self) -> list[Ticket]:
        return self.all(Ticket)

    def events(self, ticket: Ticket | None = None) -> list[str]:
        """Return the kinds of what happened, oldest first; of all tickets when none is given."""
        return [str(event.kind) for event in self.all(TicketEvent) if ticket is None or event.ticket_id == ticket.id]

    def contact(self, inbound: InboundContact) -> Contact:
        with self.database.read() as session:
            question = select(Contact).where(col(Contact.external_id) == inbound.external_id, col(Contact.kind) == inbound.kind)
            return session.exec(question).one()

    def messages(self, purpose: str) -> list[OutboxMessage]:
        return [message for message in self.all(OutboxMessage) if message.purpose == purpose]

    def planned(self, kind: str) -> list[DueWork]:
        return [work for work in self.all(DueWork) if work.kind == kind]

    def states(self) -> list[ContactState]:
        return [contact.state for contact in self.all(Contact)]

    def department(self, code: str) -> Department:
        with self.database.read() as session:
            return session.exec(select(Department).where(col(Department.code) == code)).one()

    def lead(self, ticket: Ticket) -> str | None:
        """Return the code of the department that leads a ticket now."""
        with self.database.read() as session:
            lead = session.get_one(Ticket, ticket.id).lead_department_id
            return session.get_one(Department, lead).code if lead else None


@pytest.fixture
def desk(settings: Settings, clock: SetClock) -> Iterator[Desk]:
    """An installation with the demo's city, at which contacts are taken without any socket."""
    with capture_logs(), open_desk(settings, clock) as desk:  # printing a failure takes a second, and nobody reads it
        yield desk


@contextmanager
def open_desk(settings: Settings, clock: SetClock) -> Iterator[Desk]:
    """Give a desk with the demo's departments, categories, rules and promises; one fake provider takes every message."""
    database = Database(settings, clock)
    database.idle_kinds = frozenset(reaction_kind(kind) for kind, reactions in REACTIONS.items() if not reactions)
    sender = FakeSender()
    doors = Doors({}, dict.fromkeys((Channel.SMS, Channel.EMAIL, Channel.TELEGRAM), sender), channel_blocks(settings))
    office = Office(settings, clock, database, doors, ParserProcess(doors.block("email"), key=settings.secret_key))
    try:
        with database.write() as session:
            _settle_city(session)
        yield Desk(office, clock, sender)
    finally:
        office.close()


def _settle_city(session: Session) -> None:
    """Store what `import_city` stores; the files are read once in a process, for that takes longer than most tests."""
    if not _CITY:
        import_city(session)
        _CITY.update({table: [dict(row) for row in session.execute(table.select()).mappings()] for table in CITY_TABLES})
        return
    for table, rows in _CITY.items():
        session.execute(table.delete())
        session.execute(table.insert(), rows)
    reference.changed(session)


def import_city(session: Session) -> None:
    """Store the demo's departments, categories, rules and promises."""
    for name in FILES:
        import_file(session, DATA / name, actor="system")


def of_department(ticket: Ticket) -> Actor:
    """Return somebody of the department that leads the ticket."""
    return Actor(ActorKind.STAFF, None, Role.DEPARTMENT, ticket.lead_department_id)


def again(inbound: InboundContact) -> InboundContact:
    """Return the same contact, as a provider brings it once more."""
    return replace(inbound)


def kinds(rows: Sequence[Any]) -> list[str]:
    """Return the kinds of rows, in words."""
    return [str(row.kind) for row in rows]
