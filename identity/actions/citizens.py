"""Linking a contact to exactly one citizen."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlmodel import col, select

from channels.contract import Address, AddressKind, InboundContact
from foundation.database import Session
from foundation.i18n import Sentence, language_of
from foundation.ids import new_id
from foundation.prepared import Prepared, store
from identity.matching import Grade, Holder, Match, match
from identity.models import Citizen, ContactLink, Identifier

MAX_ADDRESS = 320
STATED = "stated"  # not used, only named: no channel that a contact could come back on
MANY_HOLDERS = 100  # a number that more people share says nothing about any of them

_HOLDERS = Prepared(
    select(Citizen.id, Citizen.name, Identifier.channel, Identifier.last_used_at)
    .join(Identifier, col(Identifier.citizen_id) == col(Citizen.id))
    .where(col(Identifier.value) == bindparam("value"), col(Identifier.kind) == bindparam("kind"))
    .order_by(col(Identifier.last_used_at).desc())
    .limit(MANY_HOLDERS)
)
_USED = Prepared(
    update(Identifier)
    .where(
        col(Identifier.citizen_id) == bindparam("of"),
        col(Identifier.kind) == bindparam("in_kind"),
        col(Identifier.value) == bindparam("at_value"),
    )
    .values(last_used_at=bindparam("now"))
)


def address_lock_key(address: Address) -> str:
    """Return the key under which two contacts of one sender wait for each other, so that they make one citizen."""
    return f"address:{address.kind}:{address.value}"


def resolve_citizen(session: Session, contact_id: UUID, inbound: InboundContact) -> UUID:
    """Return the id of the one citizen that the contact belongs to, with the link and its reasons stored.

    The caller holds `address_lock_key` of the sender. Nothing about an address ever fails a contact: in doubt it gets a
    profile of its own with a note why.
    """
    holders = _holders(session, inbound.sender) if inbound.sender.is_known else []
    found = match(inbound.sender, inbound.name, inbound.channel, holders)
    citizen_id = found.citizen_id or _create_citizen(session, inbound, found)
    _remember_address(session, citizen_id, inbound.sender, inbound.channel, is_new=found.citizen_id is None)
    for address in inbound.also:  # among them may be the sender's own once more
        _remember_address(session, citizen_id, address, STATED, is_new=False)
    _link(session, contact_id, citizen_id, found.grade, found.reasons)
    return citizen_id


def link_to_known(session: Session, contact_id: UUID, citizen_id: UUID, reason: Sentence, *, also: InboundContact) -> None:
    """Link a further step of a call to the citizen of its first step, and remember an address that was given in it."""
    _remember_address(session, citizen_id, also.sender, also.channel, is_new=False)
    for address in also.also:
        _remember_address(session, citizen_id, address, STATED, is_new=False)
    _link(session, contact_id, citizen_id, Grade.PROBABLE, (reason,))


def _link(session: Session, contact_id: UUID, citizen_id: UUID, grade: Grade, reasons: Sequence[Sentence]) -> None:
    stored = [[text, dict(values)] for text, values in reasons]
    store(session, ContactLink.plain(contact_id=contact_id, citizen_id=citizen_id, grade=grade, reasons=stored, linked_at=session.now))


def _holders(session: Session, address: Address) -> list[Holder]:
    return [Holder(*row) for row in _HOLDERS.rows(session, {"value": address.value[:MAX_ADDRESS], "kind": address.kind})]


def language_for(inbound: InboundContact, default: str) -> str:
    """Return the language to answer in: what the contact says of itself, else that of its words, else the city's."""
    return (inbound.language or language_of(inbound.text, default))[:8]


def _create_citizen(session: Session, inbound: InboundContact, found: Match) -> UUID:
    citizen = Citizen.plain(
        id=new_id(),
        name=inbound.name[:200],
        language=language_for(inbound, session.settings.city.language),
        is_provisional=found.is_provisional,
        note=found.reasons[0][0] if found.is_provisional else None,
        created_at=session.now,
    )
    store(session, citizen)
    return citizen.id


def _remember_address(session: Session, citizen_id: UUID, address: Address, seen_on: str, *, is_new: bool) -> None:
    if not address.is_known or address.kind is AddressKind.NONE:
        return
    value = address.value[:MAX_ADDRESS]
    if not is_new and _USED.run(session, {"of": citizen_id, "in_kind": address.kind, "at_value": value, "now": session.now}):
        return
    store(
        session,
        Identifier.plain(
            citizen_id=citizen_id,
            kind=address.kind,
            value=value,
            channel=seen_on,
            verified_by=address.verified_by,
            first_seen_at=session.now,
            last_used_at=session.now,
        ),
    )
