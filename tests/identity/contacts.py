"""Contacts as they reach identity: kept, but not yet put on a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from channels import inbox
from channels.contract import Address, AddressKind, Channel, ContactKind, InboundContact, Verification
from channels.models import ContactState
from foundation.database import Database, Session, lock
from foundation.ids import new_id
from identity.actions import address_lock_key, resolve_citizen
from identity.models import Citizen, ContactLink, Identifier


def phone(number: str = "+8613800001111", verified_by: Verification = Verification.CLAIMED) -> Address:
    return Address(AddressKind.PHONE, number, verified_by)


def email(value: str = "li@example.com") -> Address:
    return Address(AddressKind.EMAIL, value)


def contact(
    sender: Address, name: str = "", *, channel: Channel = Channel.SMS, also: Sequence[Address] = (), language: str = ""
) -> InboundContact:
    return InboundContact(
        adapter="test",
        channel=channel,
        kind=ContactKind.MESSAGE,
        external_id=new_id().hex,
        sender=sender,
        name=name,
        also=tuple(also),
        language=language,
    )


def keep(session: Session, inbound: InboundContact) -> UUID:
    """Store a contact as the inbox does and return its id."""
    raw = inbox.keep(session, inbound.adapter, b"", {})
    kept = inbox.new_contact(raw.id, inbound, received_at=session.now)
    inbox.settle(session, kept, ContactState.ACCEPTED)
    return kept.id


def resolve(session: Session, inbound: InboundContact) -> UUID:
    lock(session, [address_lock_key(inbound.sender)])
    return resolve_citizen(session, keep(session, inbound), inbound)


def arrive(database: Database, sender: Address, name: str = "", *, channel: Channel = Channel.SMS, also: Sequence[Address] = ()) -> UUID:
    """Let a contact come in and return the citizen that it belongs to."""
    with database.write() as session:
        return resolve(session, contact(sender, name, channel=channel, also=also))


def citizen(database: Database, citizen_id: UUID) -> Citizen:
    with database.read() as session:
        return session.get_one(Citizen, citizen_id)


def identifiers(database: Database, citizen_id: UUID) -> list[Identifier]:
    with database.read() as session:
        return list(session.exec(select(Identifier).where(col(Identifier.citizen_id) == citizen_id).order_by(col(Identifier.id))))


def links(database: Database) -> list[ContactLink]:
    with database.read() as session:
        return list(session.exec(select(ContactLink).order_by(col(ContactLink.id))))
