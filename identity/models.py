"""Tables of identity: citizens, the addresses they use, departments, staff and their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, Uuid
from sqlmodel import Field

from channels.contract import AddressKind, Verification
from foundation.tables import JSON_COLUMN, TEXT_COLUMN, Row, enum_column
from identity.access import Role


class Citizen(Row, table=True):
    """One person as the hotline knows them.

    is_provisional   the profile may double another one; `note` says why it was made apart
    """

    __tablename__ = "citizen"

    name: str = Field(default="", max_length=200)
    language: str = Field(default="en", max_length=8)
    is_provisional: bool = False
    note: str | None = Field(default=None, sa_type=TEXT_COLUMN)
    created_at: datetime


class Identifier(Row, table=True):
    """An address that a citizen was seen with. The same address may belong to several people.

    channel        where it was used, an address is only believed on the channel that it began on; "stated" when it was only named
    last_used_at   the holder with the latest is the one a further contact goes on with
    """

    __tablename__ = "identifier"
    __table_args__ = (UniqueConstraint("citizen_id", "kind", "value"), Index("ix_identifier_value", "value", "kind"))

    citizen_id: UUID = Field(foreign_key="citizen.id")
    kind: AddressKind = Field(sa_type=enum_column(AddressKind))
    value: str = Field(max_length=320)
    channel: str = Field(max_length=20)
    verified_by: Verification = Field(sa_type=enum_column(Verification))
    first_seen_at: datetime
    last_used_at: datetime


class ContactLink(Row, table=True):
    """Why a contact belongs to a citizen. One per contact."""

    __tablename__ = "contact_link"

    # The link is found before it is known what becomes of the contact, whose row is stored last: checked at the commit.
    contact_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("contact.id", deferrable=True, initially="DEFERRED"), unique=True, nullable=False)
    )
    citizen_id: UUID = Field(foreign_key="citizen.id", index=True)
    grade: str = Field(max_length=20)  # certain | probable | new
    reasons: list[Any] = Field(sa_type=JSON_COLUMN)
    linked_at: datetime


class Department(Row, table=True):
    """An office that answers tickets. All of it is data: code never names a department.

    duties, areas   words that a matter or place is recognised by, lower case
    is_fallback     takes what nobody else is responsible for; exactly one
    """

    __tablename__ = "department"

    code: str = Field(max_length=40, unique=True)
    name: str = Field(max_length=200)
    name_zh: str = Field(default="", max_length=200)
    parent_code: str | None = Field(default=None, max_length=40)
    duties: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    areas: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    calendar_code: str = Field(default="default", max_length=40)
    email: str = Field(default="", max_length=320)
    is_fallback: bool = False


class Staff(Row, table=True):
    """An account of somebody who works here. `password_hash` is Argon2id, None until one was set."""

    __tablename__ = "staff"

    username: str = Field(max_length=80, unique=True)
    name: str = Field(default="", max_length=200)
    password_hash: str | None = Field(default=None, max_length=200)
    role: Role = Field(sa_type=enum_column(Role))
    department_id: UUID | None = Field(default=None, foreign_key="department.id")
    security_level: int = 0
    language: str = Field(default="en", max_length=8)
    is_active: bool = True
    failed_sign_ins: int = 0
    locked_until: datetime | None = None
    created_at: datetime


class StaffSession(Row, table=True):
    """A signed-in browser. Only the hash of its cookie is stored."""

    __tablename__ = "staff_session"

    token_hash: str = Field(max_length=64, unique=True)
    staff_id: UUID = Field(foreign_key="staff.id", index=True)
    csrf_token: str = Field(max_length=64)
    created_at: datetime
    expires_at: datetime


class SignInLink(Row, table=True):
    """A link that signs in once."""

    __tablename__ = "sign_in_link"

    token_hash: str = Field(max_length=64, unique=True)
    staff_id: UUID = Field(foreign_key="staff.id")
    expires_at: datetime
    used_at: datetime | None = None
