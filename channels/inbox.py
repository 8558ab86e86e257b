"""What came in, kept before anything else is tried with it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, inspect, update
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import col, select

from channels.contract import Address, AddressKind, Attachment, Channel, ContactKind, InboundContact, RawRequest, Verification
from channels.models import Contact, ContactState, RawContact, RawState
from foundation.database import Session
from foundation.prepared import Prepared, store
from foundation.work import Lane, enqueue

ACCEPT_CONTACT = "accept_contact"  # the kind of work that tries a kept contact again
MAX_EXTERNAL_ID = 200

_FIND = Prepared(
    select(Contact.id).where(
        col(Contact.adapter) == bindparam("adapter"),
        col(Contact.kind) == bindparam("kind"),
        col(Contact.external_id) == bindparam("external_id"),
    )
)
_NESTED_FIELDS = frozenset({"sender", "also", "refers_to", "attachments", "details", "occurred_at"})
_PLAIN_FIELDS = tuple(field.name for field in fields(InboundContact) if field.name not in _NESTED_FIELDS)


def contact_lock_key(inbound: InboundContact) -> str:
    """Return the key under which a contact and its repeats wait for each other."""
    return f"contact:{inbound.adapter}:{inbound.kind}:{inbound.external_id}"


def keep(
    session: Session, adapter: str, body: bytes, envelope: dict[str, Any], *, state: RawState = RawState.READ, reason: str | None = None
) -> RawContact:
    """Store what the provider sent, byte for byte, and return it.

    envelope   path, headers without secrets, sender, recipients: what is not in the body
    reason     why no contact could be read from it, with state UNREADABLE
    """
    raw = RawContact.plain(
        adapter=adapter,
        received_at=session.now,
        envelope=envelope,
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        state=state,
        reason=reason,
    )
    store(session, raw)
    return raw


def envelope_of(request: RawRequest) -> dict[str, Any]:
    """Return what is worth keeping of a request beside its body; signatures, tokens and cookies are left out."""
    kept = {name: value for name, value in request.headers.items() if name in {"content-type", "user-agent", "content-length"}}
    return {"path": request.path_and_query, "headers": kept, "peer": request.peer}


def find(session: Session, inbound: InboundContact) -> Contact | None:
    """Return the contact that stands under this one's key, None when it comes for the first time."""
    found = _FIND.rows(session, {"adapter": inbound.adapter, "kind": inbound.kind, "external_id": inbound.external_id[:MAX_EXTERNAL_ID]})
    return session.get(Contact, found[0][0]) if found else None


def count_repeat(session: Session, contact: Contact) -> None:
    """Note that the provider brought the contact once more."""
    session.execute(
        update(Contact)
        .where(col(Contact.id) == contact.id)
        .values(repeats=col(Contact.repeats) + 1)
        .execution_options(synchronize_session=False)
    )


def new_contact(raw_contact_id: UUID, inbound: InboundContact, *, received_at: datetime) -> Contact:
    """Return the row for a contact that comes for the first time; it is stored once it is known what becomes of it."""
    contact = Contact(
        raw_contact_id=raw_contact_id,
        adapter=inbound.adapter,
        channel=inbound.channel,
        kind=inbound.kind,
        external_id=inbound.external_id[:MAX_EXTERNAL_ID],
        receipt="",
        conversation=inbound.conversation[:200],
        received_at=received_at,
        parsed=to_json(inbound),
    )
    contact.receipt = contact.id.hex[-8:].upper()
    return contact


def settle(session: Session, contact: Contact, state: ContactState, *, ticket_id: UUID | None = None, reason: str | None = None) -> None:
    """Store what became of a contact, whether it is new or stands already."""
    contact.state, contact.ticket_id, contact.reason = state, ticket_id, reason
    if inspect(contact).transient:
        store(session, contact)
        make_transient_to_detached(contact)
        return
    values = {"state": state, "ticket_id": ticket_id, "reason": reason}
    session.execute(update(Contact).where(col(Contact.id) == contact.id).values(**values).execution_options(synchronize_session=False))


def try_again(session: Session, contact: Contact, *, due_at: datetime | None = None, payload: dict[str, Any] | None = None) -> None:
    """Plan another try at a contact that stands pending or waits for the citizen's word."""
    key = retry_key(contact.id)
    enqueue(session, ACCEPT_CONTACT, lane=Lane.INTAKE, subject_id=contact.id, due_at=due_at, payload=payload, dedupe_key=key)


def retry_key(contact_id: UUID) -> str:
    """Return the key of the one retry that a contact can have."""
    return f"{ACCEPT_CONTACT}:{contact_id}"


def to_json(inbound: InboundContact) -> dict[str, Any]:
    """Return a contact as JSON values, for `from_json`."""
    return {name: getattr(inbound, name) for name in _PLAIN_FIELDS} | {
        "sender": _address_json(inbound.sender),
        "also": [_address_json(one) for one in inbound.also],
        "refers_to": list(inbound.refers_to),
        "attachments": [asdict(one) for one in inbound.attachments],
        "details": dict(inbound.details),
        "occurred_at": inbound.occurred_at.isoformat() if inbound.occurred_at else None,
    }


def from_json(values: dict[str, Any]) -> InboundContact:
    """Return the contact that `to_json` wrote."""
    plain = dict(values)
    return InboundContact(
        **plain
        | {
            "channel": Channel(plain["channel"]),
            "kind": ContactKind(plain["kind"]),
            "sender": _address(plain["sender"]),
            "also": tuple(_address(one) for one in plain["also"]),
            "refers_to": tuple(plain["refers_to"]),
            "attachments": tuple(Attachment(**one) for one in plain["attachments"]),
            "occurred_at": datetime.fromisoformat(plain["occurred_at"]) if plain["occurred_at"] else None,
        }
    )


def _address_json(address: Address) -> dict[str, str]:
    return {"kind": address.kind, "value": address.value, "verified_by": address.verified_by}


def _address(values: dict[str, Any]) -> Address:
    return Address(AddressKind(values["kind"]), values["value"], Verification(values["verified_by"]))
