"""Questions about who is who."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlmodel import col, select

from foundation.database import Session
from foundation.reference import cached
from foundation.security import token_hash
from identity.access import Actor, ActorKind
from identity.models import Citizen, ContactLink, Department, Staff, StaffSession


def departments(session: Session) -> dict[UUID, Department]:
    """Return all departments by id. They are kept in memory: read them, never change them."""
    return cached(session, "departments", _load_departments)


def department_names(session: Session) -> dict[UUID, Department]:
    """Return all departments by id, for showing their names."""
    return departments(session)


def department_by_code(session: Session, code: str) -> Department | None:
    """Return the department with that code, None when there is none."""
    return next((department for department in departments(session).values() if department.code == code), None)


def session_of(session: Session, token: str) -> tuple[Staff, StaffSession] | None:
    """Return who is signed in with this cookie, None when nobody is or the session has ended."""
    question = (
        select(Staff, StaffSession)
        .join(StaffSession, col(StaffSession.staff_id) == col(Staff.id))
        .where(col(StaffSession.token_hash) == token_hash(token), col(StaffSession.expires_at) > session.now, col(Staff.is_active))
    )
    row = session.exec(question).first()
    return (row[0], row[1]) if row else None


def actor_of(staff: Staff) -> Actor:
    """Return the account as the rules of access see it."""
    return Actor(ActorKind.STAFF, staff.id, staff.role, staff.department_id, staff.security_level, staff.name)


def citizens(session: Session, ids: Iterable[UUID]) -> dict[UUID, Citizen]:
    """Return the citizens with these ids. Whether a name may be shown is for `identity.access` to say."""
    return {citizen.id: citizen for citizen in session.exec(select(Citizen).where(col(Citizen.id).in_(set(ids))))}


def linked_citizen(session: Session, contact_id: UUID) -> UUID | None:
    """Return whom a contact is linked to already, None when it comes for the first time."""
    return session.exec(select(ContactLink.citizen_id).where(col(ContactLink.contact_id) == contact_id)).first()


def links_of(session: Session, contact_ids: Iterable[UUID]) -> list[ContactLink]:
    """Return why these contacts belong to their citizens."""
    return list(session.exec(select(ContactLink).where(col(ContactLink.contact_id).in_(set(contact_ids)))))


def _load_departments(session: Session) -> dict[UUID, Department]:
    found = list(session.exec(select(Department).order_by(col(Department.code))))
    for department in found:
        session.expunge(department)
    return {department.id: department for department in found}


def staff_by_username(session: Session, username: str) -> Staff | None:
    """Return the account with that name, None when there is none."""
    return session.exec(select(Staff).where(col(Staff.username) == username)).first()


def stored_password(session: Session, username: str) -> str | None:
    """Return the hash of an active account's password, None when there is no such account or no password was set."""
    return session.exec(select(Staff.password_hash).where(col(Staff.username) == username, col(Staff.is_active))).first()
