"""Every kind of work and who does it; the embedded runner and Celery run the very same functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from channels import inbox
from channels.models import Contact
from channels.outbox import SEND_MESSAGE
from followup import actions as followup
from foundation.database import Session, lock
from foundation.models import DueWork
from foundation.work import Lane
from hotline.alarms import raise_alarm
from hotline.letters import ACCEPT_LETTER, accept_letters
from hotline.office import Office
from hotline.reacting import Again, react
from hotline.reactions import REACTIONS
from hotline.sending import send_messages
from tickets import actions as tickets
from tickets.actions.events import reaction_kind

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InTransaction:
    """Work that only touches the database: many of a kind in one transaction, each in a savepoint.

    out_of_tries   what happens to its subject when the last try has failed
    guards_itself  it has savepoints of its own and raises only when nothing was written
    """

    run: Callable[[Session, DueWork], Again | None]
    out_of_tries: Callable[[Session, DueWork, str], None] | None = None
    guards_itself: bool = False


@dataclass(frozen=True, slots=True)
class OnItsOwn:
    """Work that talks to somebody outside, or to the parser: it opens its own transactions around that."""

    run: Callable[[Office, Sequence[DueWork]], None]
    many: int = 10


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something that is done every so often; doing it twice does no harm, so two schedulers need not know of each other."""

    every: timedelta
    run: Callable[[Session], None]


def accept_contact_again(session: Session, work: DueWork) -> Again | None:
    """Try a contact again that was left pending, or whose sender did not say which ticket was meant."""
    contact = session.get_one(Contact, work.subject_id)
    inbound = inbox.from_json(contact.parsed)
    lock(session, tickets.lock_keys(inbound))
    session.refresh(contact)  # while this waited for the lock, the citizen may have said which ticket was meant
    tickets.accept_again(session, contact, may_ask=work.payload.get("may_ask", True))
    return None


def set_contact_aside(session: Session, work: DueWork, reason: str) -> None:
    """Mark a contact as dead: its last try failed, a person decides."""
    tickets.give_up(session, session.get_one(Contact, work.subject_id), reason=reason)


def _about(verb: Callable[[Session, UUID], Any]) -> Callable[[Session, DueWork], Again | None]:
    def run(session: Session, work: DueWork) -> None:
        assert work.subject_id is not None
        verb(session, work.subject_id)

    return run


JOBS: dict[str, InTransaction | OnItsOwn] = {
    **{reaction_kind(kind): InTransaction(react, guards_itself=True) for kind in REACTIONS},
    inbox.ACCEPT_CONTACT: InTransaction(accept_contact_again, out_of_tries=set_contact_aside),
    ACCEPT_LETTER: OnItsOwn(accept_letters, many=50),
    SEND_MESSAGE: OnItsOwn(send_messages, many=10),
    followup.CALLBACK_DUE: InTransaction(_about(followup.put_callback_on_list)),
    followup.REVISIT_DUE: InTransaction(_about(followup.put_revisit_on_list)),
    followup.REMINDER_DUE: InTransaction(_about(followup.remind_department)),
}

PERIODIC: dict[str, Periodic] = {
    "raise_alarm": Periodic(timedelta(minutes=1), raise_alarm),
}

# How many rows of a lane are claimed at once: a whole batch must fit into its lease.
MANY: dict[Lane, int] = {Lane.INTAKE: 50, Lane.REACTIONS: 50, Lane.OUTBOX: 10, Lane.FOLLOWUP: 50, Lane.UPKEEP: 10}
