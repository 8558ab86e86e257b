"""Letters: kept before the 250, read elsewhere, accepted in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from channels.adapters.email.door import Letter
from channels.adapters.email.parsing import ParseFailure
from channels.adapters.email.reading import LetterToParse, ParserUnavailableError
from channels.contract import InboundContact
from channels.models import Contact, RawContact, RawState
from foundation.database import Session
from foundation.models import DueWork, WorkState
from hotline import letters
from hotline.intake import take_contact
from hotline.letters import keep_letter
from hotline.reactions import REACTIONS
from identity.models import Citizen
from tests.cast import LAMP, MAILBOX, WANG, Desk, letter
from tickets.lifecycle import EventKind
from tickets.models import Ticket, TicketEvent


@dataclass
class FakeParser:
    """Reads every letter as the contact whose number stands in its body; "bad" is unreadable."""

    is_away: bool = False
    groups: list[int] = field(default_factory=list)

    def parse(self, letters: Sequence[LetterToParse]) -> list[InboundContact | ParseFailure]:
        if self.is_away:
            raise ParserUnavailableError
        self.groups.append(len(letters))
        return [self._read(one) for one in letters]

    def _read(self, one: LetterToParse) -> InboundContact | ParseFailure:
        word = one.body.decode()
        if word == "bad":
            return ParseFailure(external_id="bad", reason="it took too long")
        return letter(WANG, word, LAMP, external_id=word, mailbox=one.mailbox)

    def close(self) -> None:
        """Nothing runs."""


@pytest.fixture
def parser(desk: Desk) -> FakeParser:
    parser = FakeParser()
    desk.office.parser.close()
    desk.office.parser = parser  # type: ignore[assignment]
    return parser


def bring(desk: Desk, *words: str, to: Sequence[str] = (MAILBOX,)) -> None:
    """Keep one letter a word, as the mail door does."""
    with desk.database.write() as session:
        for word in words:
            keep_letter(session, Letter("wang@example.com", tuple(to), "192.0.2.1", word.encode()))


def test_a_letter_is_kept_with_its_envelope_before_it_is_read(desk: Desk, parser: FakeParser) -> None:
    bring(desk, "lamp")
    (raw,) = desk.all(RawContact)
    assert (raw.body, raw.state, raw.envelope) == (
        b"lamp",
        RawState.KEPT,
        {"mail_from": "wang@example.com", "recipients": [MAILBOX], "peer": "192.0.2.1"},
    )
    assert (desk.all(Contact), parser.groups) == ([], [])


def test_letters_that_wait_are_read_and_accepted_together(desk: Desk, parser: FakeParser) -> None:
    bring(desk, "lamp", "pipe", "bench")
    desk.work()
    assert [ticket.subject for ticket in desk.tickets()] == ["lamp", "pipe", "bench"]
    assert (parser.groups, len(desk.all(Citizen))) == ([3], 1)
    assert {raw.state for raw in desk.all(RawContact)} == {RawState.READ}
    assert [work.kind for work in desk.all(DueWork) if work.kind == "accept_letter"] == []


def test_the_same_letter_again_is_one_contact(desk: Desk, parser: FakeParser) -> None:
    bring(desk, "lamp", "lamp")
    desk.work()
    bring(desk, "lamp")
    desk.work()
    assert (len(desk.tickets()), [contact.repeats for contact in desk.all(Contact)]) == (1, [2])


def test_a_letter_that_no_program_can_read_becomes_a_ticket_that_says_so(desk: Desk, parser: FakeParser) -> None:
    bring(desk, "lamp", "bad", "pipe")
    desk.work()
    assert [ticket.subject for ticket in desk.tickets()] == ["lamp", "A letter that could not be read", "pipe"]
    unreadable = desk.tickets()[1]
    assert "it took too long" in unreadable.text
    assert unreadable.reply_to == "wang@example.com"


def test_a_parser_that_is_away_loses_no_letter(desk: Desk, parser: FakeParser) -> None:
    parser.is_away = True
    bring(desk, "lamp")
    desk.work()
    (work,) = desk.planned("accept_letter")
    assert (work.state, work.attempts, desk.tickets()) == (WorkState.DUE, 1, [])
    parser.is_away = False
    desk.later(minutes=1)
    desk.work()
    assert [ticket.subject for ticket in desk.tickets()] == ["lamp"]


def test_a_letter_that_cannot_be_stored_is_tried_again_and_the_others_are_accepted(
    desk: Desk, parser: FakeParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: object, raw_id: object, inbound: InboundContact) -> object:
        if inbound.subject == "cursed":
            raise ValueError("not this one")
        return take_contact(session, raw_id, inbound)  # type: ignore[arg-type]

    monkeypatch.setattr(letters, "take_contact", fail)
    bring(desk, "lamp", "cursed", "pipe")
    desk.work()
    assert sorted(ticket.subject for ticket in desk.tickets()) == ["lamp", "pipe"]
    (work,) = desk.planned("accept_letter")
    assert (work.last_error or "").startswith("ValueError")


def test_a_reaction_to_a_letter_that_fails_is_tried_again_and_nothing_else_is_repeated(
    desk: Desk, parser: FakeParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledge, route = REACTIONS[EventKind.OPENED]

    def route_most(session: Session, ticket: Ticket, event: TicketEvent) -> None:
        route(session, ticket, event)
        if ticket.subject == "cursed":
            raise ValueError("not yet")

    with monkeypatch.context() as broken:
        broken.setitem(REACTIONS, EventKind.OPENED, (acknowledge, route_most))
        bring(desk, "lamp", "cursed", "pipe")
        desk.work()
    assert [str(ticket.state) for ticket in desk.tickets()] == ["dispatched", "received", "dispatched"]
    assert [work.payload for work in desk.planned("react_opened")] == [{"done": ["acknowledge"]}]
    desk.later(seconds=30)
    desk.work()
    cursed = desk.tickets()[1]
    assert desk.events(cursed) == ["opened", "accepted", "assigned", "promised"]
    assert len(desk.messages("acknowledgement")) == 3
