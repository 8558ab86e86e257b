"""Letters: kept before the 250, read in the parser's process, accepted in groups."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import bindparam, update
from sqlmodel import col, select

from channels import inbox
from channels.adapters.email.door import Letter
from channels.adapters.email.parsing import ParseFailure
from channels.adapters.email.reading import LetterToParse, ParserUnavailableError, letters_of
from channels.contract import NO_ADDRESS, Address, AddressKind, Channel, ContactKind, InboundContact
from channels.models import RawContact, RawState
from foundation.database import Session, lock
from foundation.i18n import say
from foundation.logs import kind_of_error
from foundation.models import DueWork
from foundation.prepared import Prepared
from foundation.work import Lane, LeaseLostError, enqueue, finish, postpone
from hotline.intake import take_contact
from hotline.office import Office
from hotline.pace import works_in_time
from hotline.reacting import react_at_once
from tickets.actions import lock_keys

ACCEPT_LETTER = "accept_letter"
ADAPTER = "email"

_READ = Prepared(update(RawContact).where(col(RawContact.id) == bindparam("the_id")).values(state=RawState.READ))

log = structlog.get_logger(__name__)
Read = tuple[DueWork, UUID, list[InboundContact]]


def keep_letter(session: Session, letter: Letter) -> None:
    """Store a letter, byte for byte, with the work that will read it; after the commit the sender hears 250."""
    envelope = {"mail_from": letter.mail_from, "recipients": list(letter.recipients), "peer": letter.peer}
    raw = inbox.keep(session, ADAPTER, letter.body, envelope, state=RawState.KEPT)
    enqueue(session, ACCEPT_LETTER, lane=Lane.INTAKE, subject_id=raw.id)


def accept_letters(office: Office, works: Sequence[DueWork]) -> None:
    """Read a batch of kept letters and accept each contact in them."""
    kept = _kept(office, works)
    letters = {work.id: _letters(kept[work.subject_id]) for work in works if work.subject_id in kept}
    try:
        read = iter(office.parser.parse([letter for some in letters.values() for letter in some]))
    except ParserUnavailableError as error:
        log.error("parser_unavailable")
        with office.database.write() as session:
            for work in works:
                postpone(session, work, reason=str(error) or type(error).__doc__ or "")
        return
    contacts = {
        work_id: [_contact(office, letter, one) for letter, one in zip(some, read, strict=False)] for work_id, some in letters.items()
    }
    _accept(office, [(work, work.subject_id, contacts.get(work.id, [])) for work in works if work.subject_id])


def _kept(office: Office, works: Sequence[DueWork]) -> dict[UUID | None, RawContact]:
    with office.database.read() as session:
        found = session.exec(select(RawContact).where(col(RawContact.id).in_([work.subject_id for work in works])))
        return {raw.id: raw for raw in found}


def _letters(raw: RawContact) -> list[LetterToParse]:
    return letters_of(raw.body, raw.envelope["mail_from"], raw.envelope["recipients"])


def _contact(office: Office, letter: LetterToParse, read: InboundContact | ParseFailure) -> InboundContact:
    """Return the contact; a letter that could not be read becomes one for a person, with the reason."""
    if isinstance(read, InboundContact):
        return read
    language = office.settings.city.language
    return InboundContact(
        adapter=ADAPTER,
        channel=Channel.EMAIL,
        kind=ContactKind.MESSAGE,
        external_id=read.external_id,
        sender=Address(AddressKind.EMAIL, letter.mail_from.lower()) if letter.mail_from else NO_ADDRESS,
        subject=say(language, "A letter that could not be read"),
        text=say(language, "This letter is kept, but no program could read it. Open the original: %(reason)s", reason=read.reason),
        language=language,
        mailbox=letter.mailbox,
        is_machine=not letter.mail_from,
    )


def _accept(office: Office, batch: Sequence[Read]) -> None:
    """Accept a batch in transactions of bounded length; when one fails as a whole, each of its letters alone."""
    rest = batch
    while rest:
        rest = rest[_accept_some(office, rest) :]


def _accept_some(office: Office, batch: Sequence[Read]) -> int:
    """Accept the first letters of a batch and return how many."""
    try:
        with office.database.write() as session:
            return _accept_together(session, batch)
    except Exception as error:
        if len(batch) > 1:
            for one in batch:
                _accept_some(office, [one])
        elif not isinstance(error, LeaseLostError):
            log.exception("letter_not_accepted", work=str(batch[0][0].id))
            with office.database.write() as session:
                postpone(session, batch[0][0], reason=kind_of_error(error))
    return len(batch)


def _accept_together(session: Session, batch: Sequence[Read]) -> int:
    lock(session, [key for _, _, some in batch for inbound in some for key in lock_keys(inbound)])
    session.at_once = []
    done: list[DueWork] = []
    for work, raw_id, some in works_in_time(batch):
        for inbound in some:
            take_contact(session, raw_id, inbound)
        react_at_once(session)
        _READ.run(session, {"the_id": raw_id})
        done.append(work)
    finish(session, done)
    return len(done)
