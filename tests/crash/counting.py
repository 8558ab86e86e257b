"""What stands in a database after a crash, counted over everything that was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select

from channels.contract import Purpose
from channels.models import Contact, ContactState, OutboxMessage, RawContact
from foundation.clock import SystemClock
from foundation.database import Database, Session
from foundation.models import DueWork
from foundation.settings import DatabaseSettings, Settings
from foundation.work import Lane
from identity.models import Citizen, ContactLink
from tests.live import wait_until
from tickets.lifecycle import EventKind
from tickets.models import Assignment, PartRole, Promise, Ticket, TicketEvent

AT_ONCE = frozenset({Lane.INTAKE, Lane.REACTIONS, Lane.OUTBOX})  # the lanes whose work is due within moments


@dataclass(slots=True)
class Store:
    """Everything that one run left, read at once."""

    contacts: dict[str, list[Contact]] = field(default_factory=dict)  # by Message-ID or MessageSid
    tickets: list[Ticket] = field(default_factory=list)
    events: list[TicketEvent] = field(default_factory=list)
    citizens: int = 0
    raw_contacts: int = 0
    links: Counter[Any] = field(default_factory=Counter)  # per contact
    leads: Counter[Any] = field(default_factory=Counter)  # per ticket: lead assignments in force
    promises: Counter[Any] = field(default_factory=Counter)  # per ticket
    acknowledgements: Counter[Any] = field(default_factory=Counter)  # per ticket
    messages: Counter[str] = field(default_factory=Counter)  # per state
    waiting_work: int = 0

    def problems(self, *, acknowledged: Iterable[str], sent: Iterable[str]) -> list[str]:
        """Return a line for each promise that was not kept; empty when all is as it must be.

        acknowledged   ids of contacts whose sender was told that they are kept
        sent           ids of all that were sent, acknowledged or not
        """
        found = [f"{key}: acknowledged, but it stands nowhere" for key in acknowledged if key not in self.contacts]
        found += [f"{key}: stands {len(rows)} times" for key, rows in self.contacts.items() if len(rows) > 1]
        found += [f"{key}: never sent" for key in self.contacts.keys() - set(sent)]
        for key, rows in self.contacts.items():
            found += [problem for contact in rows for problem in self._problems_of(key, contact)]
        for ticket in self.tickets:
            found += self._problems_of_ticket(ticket)
        if self.waiting_work:
            found.append(f"{self.waiting_work} rows of work are not done")
        return found

    def _problems_of(self, key: str, contact: Contact) -> list[str]:
        events = [event for event in self.events if event.contact_id == contact.id]
        found = []
        if contact.state is not ContactState.ACCEPTED or contact.ticket_id is None:
            found.append(f"{key}: {contact.state}, {contact.reason}")
        if len(events) != 1 or events[0].ticket_id != contact.ticket_id:
            found.append(f"{key}: {len(events)} events")
        if self.links[contact.id] != 1:
            found.append(f"{key}: {self.links[contact.id]} links to citizens")
        return found

    def _problems_of_ticket(self, ticket: Ticket) -> list[str]:
        opened = sum(event.kind is EventKind.OPENED for event in self.events if event.ticket_id == ticket.id)
        claims = {
            "no lead department": ticket.lead_department_id is not None,
            "no promise": ticket.promised_at is not None and self.promises[ticket.id] == 1,
            f"{self.leads[ticket.id]} lead assignments": self.leads[ticket.id] == 1,
            f"{self.acknowledgements[ticket.id]} acknowledgements": self.acknowledgements[ticket.id] == 1,
            f"opened {opened} times": opened == 1,
        }
        return [f"{ticket.number}: {problem}" for problem, is_kept in claims.items() if not is_kept]


def open_database(database_url: str) -> Database:
    """Return the database, beside the servers that use it."""
    return Database(Settings(database=DatabaseSettings(url=database_url)), SystemClock())


def wait_until_done(database: Database, *, seconds: float = 120.0) -> None:
    """Return once nothing is left to do that is not planned for later."""
    wait_until(lambda: _waiting_work(database) == 0, "all work is done", seconds=seconds)


def _waiting_work(database: Database) -> int:
    with database.read() as session:
        return _count_waiting(session)


def _count_waiting(session: Session) -> int:
    return len(session.exec(select(DueWork.id).where(col(DueWork.lane).in_(AT_ONCE))).all())


def read_store(database: Database) -> Store:
    """Return everything that stands in the database."""
    with database.read() as session:
        store = Store(waiting_work=_count_waiting(session))
        for contact in session.exec(select(Contact)):
            store.contacts.setdefault(sent_id(contact), []).append(contact)
        store.tickets = list(session.exec(select(Ticket)))
        store.events = list(session.exec(select(TicketEvent)))
        store.citizens = len(session.exec(select(Citizen.id)).all())
        store.raw_contacts = len(session.exec(select(RawContact.id)).all())
        store.links.update(session.exec(select(ContactLink.contact_id)))
        in_force = select(Assignment.ticket_id).where(col(Assignment.role) == PartRole.LEAD, col(Assignment.ended_at).is_(None))
        store.leads.update(session.exec(in_force))
        store.promises.update(session.exec(select(Promise.ticket_id)))
        acknowledgements = select(OutboxMessage.ticket_id).where(col(OutboxMessage.purpose) == Purpose.ACKNOWLEDGEMENT)
        store.acknowledgements.update(session.exec(acknowledgements))
        store.messages.update(str(state) for state in session.exec(select(OutboxMessage.state)))
        return store


def sent_id(contact: Contact) -> str:
    """Return by which id the sender knows a contact: a letter's Message-ID, else the provider's id."""
    message_id = contact.parsed["details"].get("message_id", "")
    return message_id.strip("<>").partition("@")[0] or contact.external_id
