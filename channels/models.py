"""Tables of the doors: what came in, as it came; each contact once; every message out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from channels.contract import AddressKind, Channel, ContactKind, Purpose
from foundation.tables import BYTES_COLUMN, JSON_COLUMN, TEXT_COLUMN, Row, enum_column


class RawState(StrEnum):
    KEPT = "kept"  # durable; its contacts are not read yet
    READ = "read"  # its contacts stand in `contact`
    UNREADABLE = "unreadable"  # genuine, but no contact could be read: a person looks


class RawContact(Row, table=True):
    """A provider's request or a letter, byte for byte, with the envelope it came in."""

    __tablename__ = "raw_contact"
    __table_args__ = (
        Index("ix_raw_contact_state", "state", sqlite_where=text("state <> 'read'"), postgresql_where=text("state <> 'read'")),
    )

    adapter: str = Field(max_length=40)
    received_at: datetime = Field(index=True)
    envelope: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_COLUMN)
    body: bytes = Field(sa_type=BYTES_COLUMN)
    sha256: str = Field(max_length=64)
    state: RawState = Field(default=RawState.READ, sa_type=enum_column(RawState))
    reason: str | None = Field(default=None, sa_type=TEXT_COLUMN)


class ContactState(StrEnum):
    PENDING = "pending"  # kept with a reason; a retry is due
    WAITING = "waiting"  # the citizen was asked which ticket it belongs to
    ACCEPTED = "accepted"  # stands on a ticket
    DEAD = "dead"  # out of tries: a person decides


class Contact(Row, table=True):
    """One contact, once for ever: (adapter, kind, external_id) is unique.

    parsed      the InboundContact as JSON, for a retry
    ticket_id   where it stands; the ticket belongs to a higher floor, so no foreign key
    repeats     how often the provider brought it again
    """

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("adapter", "kind", "external_id"),
        Index(
            "ix_contact_conversation", "conversation", sqlite_where=text("conversation <> ''"), postgresql_where=text("conversation <> ''")
        ),
        Index("ix_contact_open", "state", sqlite_where=text("state <> 'accepted'"), postgresql_where=text("state <> 'accepted'")),
    )

    raw_contact_id: UUID = Field(foreign_key="raw_contact.id")
    adapter: str = Field(max_length=40)
    channel: Channel = Field(sa_type=enum_column(Channel))
    kind: ContactKind = Field(sa_type=enum_column(ContactKind))
    external_id: str = Field(max_length=200)
    receipt: str = Field(max_length=20)
    conversation: str = Field(default="", max_length=200)
    received_at: datetime
    state: ContactState = Field(default=ContactState.PENDING, sa_type=enum_column(ContactState))
    reason: str | None = Field(default=None, sa_type=TEXT_COLUMN)
    parsed: dict[str, Any] = Field(default_factory=dict, sa_type=JSON_COLUMN)
    ticket_id: UUID | None = Field(default=None, index=True)
    repeats: int = 0


class MessageState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"  # handed to the provider, answer not seen yet
    SENT = "sent"
    FAILED = "failed"  # refused for good, or out of tries
    OPTED_OUT = "opted_out"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"  # the provider may have it; never resent by itself


class OutboxMessage(Row, table=True):
    """One message to a citizen, from the moment it was decided to what became of it."""

    __tablename__ = "outbox_message"
    __table_args__ = (
        Index("ix_outbox_message_state", "state", sqlite_where=text("state <> 'sent'"), postgresql_where=text("state <> 'sent'")),
        Index("ix_outbox_message_to", "to_value", "queued_at"),
        Index(
            "ix_outbox_message_message_id",
            "message_id",
            sqlite_where=text("message_id <> ''"),
            postgresql_where=text("message_id <> ''"),
        ),
        Index(
            "uq_outbox_message_acknowledgement",
            "ticket_id",
            unique=True,
            sqlite_where=text("purpose = 'acknowledgement'"),
            postgresql_where=text("purpose = 'acknowledgement'"),
        ),
    )

    channel: Channel = Field(sa_type=enum_column(Channel))
    to_kind: AddressKind = Field(sa_type=enum_column(AddressKind))
    to_value: str = Field(max_length=320)
    purpose: Purpose = Field(sa_type=enum_column(Purpose))
    subject: str = Field(default="", max_length=300)
    text: str = Field(sa_type=TEXT_COLUMN)
    language: str = Field(default="en", max_length=8)
    ticket_id: UUID | None = Field(default=None, index=True)
    state: MessageState = Field(default=MessageState.QUEUED, sa_type=enum_column(MessageState))
    queued_at: datetime
    sent_at: datetime | None = None
    sent_by: str | None = Field(default=None, max_length=40)  # the adapter's name
    provider_id: str | None = Field(default=None, max_length=200)
    message_id: str = Field(default="", max_length=250)
    reply_token: str = Field(default="", max_length=100)
    in_reply_to: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    mailbox: str = Field(default="", max_length=320)
    attempts: int = 0
    last_error: str | None = Field(default=None, sa_type=TEXT_COLUMN)
