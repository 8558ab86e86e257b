"""The tracking page: number and code show where a matter stands, what was promised and what happened."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

import identity.queries
import tickets.queries
from channels.reading import clean_text
from foundation.clock import monotonic_seconds
from foundation.database import Database, Session
from foundation.i18n import mark, say
from foundation.pages import long_moment
from foundation.security import who_may_call
from identity.models import Department
from public_portal.pages import answer, language_of, settings_of
from tickets.models import Ticket
from tickets.timeline import KIND_NAMES, PUBLIC_STATE_SENTENCES, STATE_NAMES, describe_all

router = APIRouter()

PATH = "/track"

NOT_FOUND = mark("We found no report with this number and code. Please check both: they stand on your receipt and in our messages to you.")
TOO_MANY = mark("That was wrong several times. Please wait a minute and try again, or call us: we can look it up for you.")


@dataclass(slots=True)
class WrongCodes:
    """Counts wrong codes by where they come from, so that codes cannot be tried one after another.

    most, seconds   so many in so long a time; then the peer waits
    peers           how many are remembered, the latest; a flood of peers takes no more memory
    """

    most: int = 10
    seconds: float = 60.0
    peers: int = 10_000
    _tries: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def is_too_many(self, peer: str, now: float) -> bool:
        tries = self._tries.get(peer)
        return tries is not None and sum(1 for moment in tries if moment > now - self.seconds) >= self.most

    def count(self, peer: str, now: float) -> None:
        self._tries.setdefault(peer, deque(maxlen=self.most)).append(now)
        self._tries.move_to_end(peer)
        if len(self._tries) > self.peers:
            self._tries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the public timeline."""

    at: datetime
    sentence: str


@router.get(PATH)
@who_may_call("anyone")
def ask_for_code(request: Request, number: str = "") -> HTMLResponse:
    """Return the question for number and code; messages of ours may link here with the number filled in."""
    return _question_page(request, number=number[:40])


@router.post(PATH)
@who_may_call("anyone")
def show_ticket(request: Request, number: Annotated[str, Form()] = "", code: Annotated[str, Form()] = "") -> HTMLResponse:
    """Return where the ticket stands. A wrong number and a wrong code are answered alike."""
    wrong_codes, peer, now = _wrong_codes(request), request.client.host if request.client else "", monotonic_seconds()
    if wrong_codes.is_too_many(peer, now):
        return _question_page(request, number=number, trouble=TOO_MANY, status=429)
    database: Database = request.app.state.database
    with database.read() as session:
        ticket = tickets.queries.tracked(session, _typed(number), _typed(code))
        if ticket is not None:
            return _ticket_page(request, session, ticket)
    wrong_codes.count(peer, now)
    return _question_page(request, number=number, trouble=NOT_FOUND, status=404)


def _wrong_codes(request: Request) -> WrongCodes:
    """Return this server's count of wrong codes."""
    state = request.app.state
    if not hasattr(state, "wrong_codes"):
        state.wrong_codes = WrongCodes()
    counted: WrongCodes = state.wrong_codes
    return counted


def _typed(text: str) -> str:
    """Return a number or code as it was meant: people add spaces and write small letters."""
    return clean_text("".join(text.split())).upper()[:40]


def _question_page(request: Request, *, number: str, trouble: str = "", status: int = 200) -> HTMLResponse:
    sentence = say(language_of(request), trouble) if trouble else ""
    return answer(request, "track/question.html", status=status, next_path=PATH, number=number, trouble=sentence)


def _ticket_page(request: Request, session: Session, ticket: Ticket) -> HTMLResponse:
    language, zone = language_of(request), settings_of(request).city.zone
    departments = identity.queries.department_names(session)
    lead = departments.get(ticket.lead_department_id) if ticket.lead_department_id else None
    events = tickets.queries.public_timeline(session, ticket)
    names = {department.code: _name(department, language) for department in departments.values()}
    sentences = describe_all(events, language, departments=names, moment=lambda moment: long_moment(moment, zone, language), public=True)
    return answer(
        request,
        "track/ticket.html",
        ticket=ticket,
        zone=zone,
        kind=say(language, KIND_NAMES[ticket.kind]),
        state=say(language, STATE_NAMES[ticket.state]),
        state_sentence=say(language, PUBLIC_STATE_SENTENCES[ticket.state]),
        department=_name(lead, language),
        is_late=_is_late(ticket, session.now),
        steps=[Step(event.at, sentence) for event, sentence in zip(events, sentences, strict=True)],
    )


def _is_late(ticket: Ticket, now: datetime) -> bool:
    return ticket.promised_at is not None and ticket.answered_at is None and ticket.closed_at is None and ticket.promised_at < now


def _name(department: Department | None, language: str) -> str:
    """Return a department's name in the reader's language, "" for none."""
    if department is None:
        return ""
    return department.name_zh if language == "zh" and department.name_zh else department.name
