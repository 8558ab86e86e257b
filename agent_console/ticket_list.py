"""The ticket list: newest first, page by page, what is overdue marked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

import followup.queries
import identity.queries
import tickets.queries
from agent_console.visits import StaffRoute, Visitor, answer, database_of, signed_in
from agent_console.words import CHANNEL_NAMES, department_name
from foundation.i18n import say
from foundation.security import who_may_call
from identity.access import Action, require
from identity.models import Department
from tickets.lifecycle import TicketState, Urgency
from tickets.queries import TicketLine
from tickets.timeline import KIND_NAMES, STATE_NAMES, URGENCY_NAMES, words_of

router = APIRouter(route_class=StaffRoute)

PATH = "/"
PAGE_SIZE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class ListRow:
    """One ticket as the list shows it, every word in the visitor's language."""

    line: TicketLine
    kind: str
    state: str
    urgency: str  # "" when normal
    channel: str
    department: str
    next_followup_at: datetime | None


@router.get(PATH)
@who_may_call(Action.LIST_TICKETS)
def show_tickets(request: Request, visitor: Annotated[Visitor, Depends(signed_in)], state: str = "", before: str = "") -> HTMLResponse:
    """Return the newest tickets that the visitor may see.

    state    only those in this state; "" or an unknown word for all
    before   where the page before this one ended, as `position_text` wrote it
    """
    require(visitor.actor, Action.LIST_TICKETS)
    chosen = TicketState(state) if state in set(TicketState) else None
    with database_of(request).read() as session:
        position = read_position(before)
        lines = tickets.queries.list_tickets(session, visitor.actor, state=chosen, before=position, limit=PAGE_SIZE + 1)
        followups = followup.queries.next_followups(session, [line.id for line in lines])
        departments = identity.queries.department_names(session)
    shown = lines[:PAGE_SIZE]
    return answer(
        request,
        "tickets/list.html",
        visitor=visitor,
        next_path=_address(chosen, position),
        rows=[_row(line, departments, followups, visitor.language) for line in shown],
        states=words_of(STATE_NAMES, visitor.language),
        chosen=chosen,
        is_first=position is None,
        newest=_address(chosen, None),
        older=_address(chosen, (shown[-1].opened_at, shown[-1].id)) if len(lines) > PAGE_SIZE else "",
    )


def _row(line: TicketLine, departments: dict[UUID, Department], followups: dict[UUID, datetime], language: str) -> ListRow:
    return ListRow(
        line,
        kind=say(language, KIND_NAMES[line.kind]),
        state=say(language, STATE_NAMES[line.state]),
        urgency="" if line.urgency is Urgency.NORMAL else say(language, URGENCY_NAMES[line.urgency]),
        channel=say(language, CHANNEL_NAMES[line.channel]),
        department=department_name(departments.get(line.lead_department_id) if line.lead_department_id else None, language),
        next_followup_at=followups.get(line.id),
    )


def _address(state: TicketState | None, before: Position | None) -> str:
    asked = {"state": str(state) if state else "", "before": position_text(before) if before else ""}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{PATH}?{query}" if query else PATH


def position_text(position: Position) -> str:
    """Return a place in the list for an address: the moment of opening in microseconds since 1970, and the ticket's id."""
    opened_at, ticket_id = position
    return f"{(opened_at - EPOCH) // timedelta(microseconds=1)}-{ticket_id.hex}"


def read_position(text: str) -> Position | None:
    """Return the place that `position_text` wrote; None for the top, also when the text is none of ours."""
    moment, _, ticket_id = text.partition("-")
    try:
        return EPOCH + timedelta(microseconds=int(moment)), UUID(ticket_id)
    except (ValueError, OverflowError):
        return None
