"""The table that the demo prints while contacts pass."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import click
from sqlmodel import col, select

from followup.queries import next_followups
from foundation.database import Database, Session
from identity.models import Citizen
from identity.queries import departments
from tickets.models import Ticket, TicketEvent

COLUMNS = (("contact", 9), ("ticket", 14), ("citizen", 12), ("department", 24), ("promised by", 17), ("next follow-up", 17), ("about", 34))


class Table:
    """Prints a line for each contact, in the city's time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show_head(self) -> None:
        _print_row([name for name, _ in COLUMNS])
        _print_row(["-" * (width - 1) for _, width in COLUMNS])

    def show_newest(self, *, after: datetime | None) -> None:
        """Print the ticket that the last contact stands on; one that joined an older ticket says so."""
        with self._database.read() as session:
            of_contacts = select(TicketEvent).where(col(TicketEvent.contact_id).is_not(None))
            event = session.exec(of_contacts.order_by(col(TicketEvent.id).desc())).first()
            if event is not None:
                self._show(session, session.get_one(Ticket, event.ticket_id), after)

    def _show(self, session: Session, ticket: Ticket, after: datetime | None) -> None:
        citizen = session.get_one(Citizen, ticket.citizen_id)
        lead = departments(session).get(ticket.lead_department_id) if ticket.lead_department_id else None
        next_at = next_followups(session, [ticket.id]).get(ticket.id)
        is_new = after is None or ticket.opened_at > after
        name = citizen.name or ticket.reply_to[:5] + "…"
        _print_row(
            [
                ticket.channel,
                ticket.number if is_new else f"+{ticket.number}",
                name,
                lead.name if lead else "-",
                self._local(ticket.promised_at),
                self._local(next_at),
                " ".join(ticket.subject.split()),
            ]
        )

    def _local(self, moment: datetime | None) -> str:
        return moment.astimezone(self._database.settings.city.zone).strftime("%Y-%m-%d %H:%M") if moment else "-"


def _print_row(cells: list[str]) -> None:
    click.echo("".join(_fitted(cell, width) for cell, (_, width) in zip(cells, COLUMNS, strict=True)).rstrip())


def _fitted(text: str, width: int) -> str:
    """Return `text` cut or filled to `width` columns of a terminal, where a Han character takes two."""
    shown, used = "", 0
    for character in text:
        columns = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used + columns > width - 1:
            break
        shown, used = shown + character, used + columns
    return shown + " " * (width - used)
