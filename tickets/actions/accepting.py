"""Contact → ticket, in one savepoint: it stands on a ticket, or it stands pending with its reason and a retry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from channels import inbox
from channels.contract import Channel, ContactKind, InboundContact, Purpose
from channels.models import Contact, ContactState
from channels.outbox import queue_message, sent_lately
from foundation.database import Session, savepoint
from foundation.i18n import Sentence, mark, say
from foundation.logs import kind_of_error
from identity.access import Actor, ActorKind
from identity.actions import address_lock_key, language_for, link_to_known, resolve_citizen
from identity.queries import linked_citizen
from tickets.actions.opening import append, describe, end_call, open_ticket, request_callback
from tickets.joining import CONVERSING, AskWhich, Join, OpenTicket, choose_ticket
from tickets.models import Ticket
from tickets.queries import open_tickets_of, ticket_of_call, ticket_of_thread, waiting_of

log = structlog.get_logger(__name__)

SAME_CALL: Sentence = (mark("It is a step of the same call."), {})


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a contact; ticket is None while it is pending or waits for the citizen's word."""

    contact: Contact
    ticket: Ticket | None


def accept_contact(session: Session, contact: Contact, inbound: InboundContact) -> Accepted:
    """Put a new contact on its ticket, linked to exactly one citizen, or leave it pending; either way it is stored.

    The caller holds the `lock_keys` of the contact.
    """
    try:
        with savepoint(session):
            ticket = _take(session, contact, inbound, may_ask=True, is_retry=False)
    except Exception as error:  # whatever it is, the contact is kept: a person reads the reason, and it is tried again
        log.exception("contact_left_pending", contact=str(contact.id), adapter=contact.adapter)
        inbox.settle(session, contact, ContactState.PENDING, reason=kind_of_error(error)[:500])
        inbox.try_again(session, contact, due_at=session.now + timedelta(seconds=session.settings.work.retry_seconds))
        return Accepted(contact, None)
    return Accepted(contact, ticket)


def lock_keys(inbound: InboundContact) -> list[str]:
    """Return what must be held while a contact is accepted: its own key, its sender's, and its call's or chat's."""
    keys = [inbox.contact_lock_key(inbound)]
    if inbound.sender.is_known:
        keys.append(address_lock_key(inbound.sender))
    if inbound.conversation:
        keys.append(f"conversation:{inbound.adapter}:{inbound.conversation}")
    return keys


def accept_again(session: Session, contact: Contact, *, may_ask: bool = True) -> Ticket | None:
    """Try a kept contact once more; an error is the caller's, who counts the tries.

    may_ask   False once the citizen was asked which ticket is meant and has not said
    """
    if contact.state is ContactState.ACCEPTED:
        return None
    return _take(session, contact, inbox.from_json(contact.parsed), may_ask=may_ask, is_retry=True)


def give_up(session: Session, contact: Contact, *, reason: str) -> None:
    """Set a contact aside for a person after its last try."""
    inbox.settle(session, contact, ContactState.DEAD, reason=reason)


def _take(session: Session, contact: Contact, inbound: InboundContact, *, may_ask: bool, is_retry: bool) -> Ticket | None:
    call = ticket_of_call(session, inbound) if inbound.conversation and inbound.channel is Channel.PHONE else None
    if call is not None:
        link_to_known(session, contact.id, call.citizen_id, SAME_CALL, also=inbound)
        if inbound.kind is not ContactKind.CALL:  # it can come last: the ticket is open already, and nothing was said
            _add_call_step(session, call, contact, inbound)
        inbox.settle(session, contact, ContactState.ACCEPTED, ticket_id=call.id)
        return call
    linked = linked_citizen(session, contact.id) if is_retry else None
    citizen_id = linked or resolve_citizen(session, contact.id, inbound)
    return _choose_and_put(session, contact, inbound, citizen_id, may_ask=may_ask)


def _add_call_step(session: Session, ticket: Ticket, contact: Contact, inbound: InboundContact) -> None:
    step = {
        ContactKind.CALL_WORDS: append if ticket.text else describe,
        ContactKind.CALL_BACK: request_callback,
        ContactKind.CALL_ENDED: end_call,
    }
    step.get(inbound.kind, append)(session, ticket, inbound, contact_id=contact.id, actor=_citizen(ticket.citizen_id), reason=SAME_CALL)


def _choose_and_put(session: Session, contact: Contact, inbound: InboundContact, citizen_id: UUID, *, may_ask: bool) -> Ticket | None:
    thread = ticket_of_thread(session, inbound, citizen_id)
    of_sender = open_tickets_of(session, citizen_id) if inbound.channel in CONVERSING else []
    waiting = waiting_of(session, citizen_id) if of_sender else []
    decision = choose_ticket(
        inbound,
        named=_facts(thread) if thread else None,
        of_sender=[_facts(ticket) for ticket in of_sender],
        now=session.now,
        within=timedelta(hours=session.settings.tickets.join_hours),
        is_asked=bool(waiting),
        may_ask=may_ask,
    )
    if isinstance(decision, AskWhich):
        _wait(session, contact, decision)
        if not waiting:
            _ask_which(session, inbound, decision)
        return None
    if isinstance(decision, Join):
        ticket = thread or next(ticket for ticket in of_sender if ticket.id == decision.ticket.id)
        _put_all(session, ticket, [*_readable(waiting, contact), (contact, inbound)], decision.reason, by=citizen_id)
        return ticket
    contacts = [*_readable(waiting, contact), (contact, inbound)]
    (first, words), others = contacts[0], contacts[1:]
    ticket = open_ticket(session, words, citizen_id, contact_id=first.id, actor=_citizen(citizen_id), reason=decision.reason)
    if words.kind in {ContactKind.CALL_BACK, ContactKind.CALL_ENDED}:  # the steps before it have not arrived
        _add_call_step(session, ticket, first, words)
    inbox.settle(session, first, ContactState.ACCEPTED, ticket_id=ticket.id)
    _put_all(session, ticket, others, decision.reason, by=citizen_id)
    return ticket


def _readable(waiting: Sequence[Contact], contact: Contact) -> list[tuple[Contact, InboundContact]]:
    return [(one, inbox.from_json(one.parsed)) for one in waiting if one.id != contact.id]


def _put_all(session: Session, ticket: Ticket, contacts: Sequence[tuple[Contact, InboundContact]], reason: Sentence, *, by: UUID) -> None:
    for contact, inbound in contacts:
        append(session, ticket, inbound, contact_id=contact.id, actor=_citizen(by), reason=reason)
        inbox.settle(session, contact, ContactState.ACCEPTED, ticket_id=ticket.id)


def _wait(session: Session, contact: Contact, decision: AskWhich) -> None:
    """Keep the contact waiting; without a word within the setting's time it opens a ticket of its own."""
    inbox.settle(session, contact, ContactState.WAITING, reason=decision.reason[0])
    hours = timedelta(hours=session.settings.tickets.ask_which_hours)
    inbox.try_again(session, contact, due_at=session.now + hours, payload={"may_ask": False})


def _ask_which(session: Session, inbound: InboundContact, decision: AskWhich) -> None:
    """Ask which ticket is meant, once for all the messages that wait; a machine that answers each question is not asked for ever."""
    if sent_lately(session, inbound.sender, Purpose.QUESTION, timedelta(hours=1)) >= session.settings.followup.acknowledgements_per_hour:
        return
    language = language_for(inbound, session.settings.city.language)
    lines = "\n".join(f"{ticket.number}: {ticket.subject[:40]}" for ticket in decision.tickets[:5])
    text = say(
        language,
        "You have several open tickets:\n%(tickets)s\nWhich one is your message about? Answer with its number, or with 0 for a new matter.",
        tickets=lines,
    )
    queue_message(session, channel=inbound.channel, to=inbound.sender, purpose=Purpose.QUESTION, subject="", text=text, language=language)


def _facts(ticket: Ticket) -> OpenTicket:
    return OpenTicket(ticket.id, ticket.number, ticket.subject, ticket.last_activity_at, ticket.closed_at is not None)


def _citizen(citizen_id: UUID) -> Actor:
    return Actor(ActorKind.CITIZEN, citizen_id)
