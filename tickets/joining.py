"""Which ticket a contact belongs to. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from channels.contract import Channel, ContactKind, InboundContact
from foundation.i18n import Sentence, mark

# Channels on which one matter is talked about in many short messages.
CONVERSING = frozenset({Channel.SMS, Channel.TELEGRAM, Channel.CHAT})
NUMBER = re.compile(r"(?<!\d)(20\d\d-\d{6,9})(?!\d)")
NEW_WORDS = frozenset({"new", "新", "新工单", "0"})


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """A ticket of the same citizen that could be meant."""

    id: UUID
    number: str
    subject: str
    last_activity_at: datetime
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    ticket: OpenTicket
    reason: Sentence


@dataclass(frozen=True, slots=True)
class OpenNew:
    reason: Sentence


@dataclass(frozen=True, slots=True)
class AskWhich:
    tickets: tuple[OpenTicket, ...]
    reason: Sentence


Decision = Join | OpenNew | AskWhich


def choose_ticket(
    inbound: InboundContact,
    *,
    named: OpenTicket | None,
    of_sender: Sequence[OpenTicket],
    now: datetime,
    within: timedelta,
    is_asked: bool = False,
    may_ask: bool = True,
) -> Decision:
    """Return whether the contact joins a ticket, opens one, or the citizen must be asked.

    named       the ticket that a signed token, a thread or this call's first step names; None when nothing does
    of_sender   the sender's open tickets
    within      how long after its last activity a ticket still takes a message without a word about which
    is_asked    earlier messages of the citizen wait for the answer to "which ticket do you mean?"
    may_ask     False when that answer did not come in time
    """
    if named is not None:
        if named.is_closed:
            return OpenNew((mark("It answers ticket %(number)s, which is closed, so it opens a new one."), {"number": named.number}))
        return Join(named, (mark("It belongs to ticket %(number)s: the thread says so."), {"number": named.number}))
    if inbound.channel not in CONVERSING or inbound.kind is not ContactKind.MESSAGE:
        return OpenNew((mark("Every letter, call, form or visit that names no ticket opens one."), {}))
    mentioned = _mentioned(inbound.text, of_sender)
    if mentioned is not None:
        return Join(mentioned, (mark("The citizen named ticket %(number)s."), {"number": mentioned.number}))
    if inbound.text.strip().casefold() in NEW_WORDS and (is_asked or not may_ask):
        return OpenNew((mark("The citizen said that it is a new matter."), {}))
    recent = [ticket for ticket in of_sender if ticket.last_activity_at >= now - within]
    if not recent:
        return OpenNew((mark("The sender has no open ticket with recent activity."), {}))
    if len(recent) == 1:
        return Join(recent[0], (mark("It joins the sender's only open ticket, %(number)s."), {"number": recent[0].number}))
    if not may_ask:
        return OpenNew((mark("The citizen was asked which ticket is meant and did not say, so it opens a new one."), {}))
    return AskWhich(tuple(recent), (mark("The sender has several open tickets and was asked which one is meant."), {}))


def _mentioned(text: str, tickets: Sequence[OpenTicket]) -> OpenTicket | None:
    """Return the one ticket of the sender whose number stands in the text; a stranger's number counts for nothing."""
    numbers = set(NUMBER.findall(text))
    named = [ticket for ticket in tickets if ticket.number in numbers]
    return named[0] if len(named) == 1 else None
