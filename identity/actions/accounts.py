"""Staff accounts: Argon2id passwords, sessions kept on the server, links that sign in once."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import col, select

from foundation import audit
from foundation.database import Session
from foundation.i18n import mark
from foundation.security import new_token, token_hash
from identity.access import Role
from identity.models import Department, SignInLink, Staff, StaffSession

LOCK_FOR = timedelta(minutes=15)
MIN_PASSWORD = 12


class SignInError(Exception):
    """The sign-in was refused; the text is one sentence for the person, marked for translation."""


# One sentence for all, so that nobody learns which names exist, nor that a locked account's password was right.
WRONG = mark(
    "The name or the password is wrong. After several wrong tries an account is locked for 15 minutes; "
    "an administrator can make a sign-in link."
)
LINK_SPENT = mark("This sign-in link was used already or has expired. Ask an administrator for a new one.")


class AccountError(Exception):
    """The account cannot be made like this; the text says what to change."""


def create_staff(
    session: Session,
    username: str,
    *,
    role: Role,
    name: str = "",
    department: Department | None = None,
    security_level: int = 0,
    actor: str = "system",
) -> Staff:
    """Add an account without a password. Raises AccountError when the name is taken or a department is missing."""
    if session.exec(select(Staff).where(col(Staff.username) == username)).first():
        raise AccountError(f"the name {username!r} is taken; choose another")
    if role is Role.DEPARTMENT and department is None:
        raise AccountError("an account of the role department needs its department's code")
    staff = Staff(
        username=username,
        name=name or username,
        role=role,
        department_id=department.id if department else None,
        security_level=security_level,
        language=session.settings.city.language,
        created_at=session.now,
    )
    session.add(staff)
    session.flush()
    audit.record(session, actor=actor, action="staff.created", subject=f"staff:{staff.id}", role=str(role))
    return staff


def set_password(session: Session, staff: Staff, password: str) -> None:
    """Store the hash of a password. Raises AccountError when it is too short."""
    if len(password) < MIN_PASSWORD:
        raise AccountError(f"a password needs at least {MIN_PASSWORD} characters")
    staff.password_hash = _hasher().hash(password)
    session.add(staff)


def password_is_right(stored: str | None, password: str) -> bool:
    """Return whether a password belongs to a stored hash (`identity.queries.stored_password`), None for nobody's.

    Takes some 50 ms on purpose, as long for a name that nobody has, so call it with no transaction open.
    """
    try:
        return _hasher().verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def sign_in(session: Session, username: str, *, is_right: bool) -> str | SignInError:
    """Return the token of a new session, or the refusal.

    is_right   what `password_is_right` said
    A refusal is returned and not raised, because the failed attempt is counted in this same transaction.
    """
    # Guesses at one account wait for each other, else those made at the same moment would count as one.
    staff = session.exec(select(Staff).where(col(Staff.username) == username, col(Staff.is_active)).with_for_update()).first()
    if staff is None or (staff.locked_until and staff.locked_until > session.now):
        return SignInError(WRONG)
    if not is_right:
        return _count_failure(session, staff)
    staff.failed_sign_ins, staff.locked_until = 0, None
    audit.record(session, actor=f"staff:{staff.id}", action="staff.signed_in")
    return _open_session(session, staff)


def sign_in_with_link(session: Session, token: str) -> str | SignInError:
    """Return the token of a new session for a link that is used now, or the refusal."""
    link = session.exec(select(SignInLink).where(col(SignInLink.token_hash) == token_hash(token)).with_for_update()).first()
    staff = session.get(Staff, link.staff_id) if link else None
    if link is None or staff is None or not staff.is_active or link.used_at is not None or link.expires_at <= session.now:
        return SignInError(LINK_SPENT)
    link.used_at = session.now
    audit.record(session, actor=f"staff:{staff.id}", action="staff.signed_in_by_link")
    return _open_session(session, staff)


def create_sign_in_link(session: Session, staff: Staff, *, actor: str = "system") -> str:
    """Return the token of a link that signs `staff` in once, within the time of the setting."""
    token = new_token()
    expires_at = session.now + timedelta(minutes=session.settings.security.sign_in_link_minutes)
    session.add(SignInLink(token_hash=token_hash(token), staff_id=staff.id, expires_at=expires_at))
    audit.record(session, actor=actor, action="staff.link_created", subject=f"staff:{staff.id}")
    return token


def sign_out(session: Session, token: str) -> None:
    """End the session of this token, if there is one."""
    found = session.exec(select(StaffSession).where(col(StaffSession.token_hash) == token_hash(token))).first()
    if found:
        session.delete(found)


def _open_session(session: Session, staff: Staff) -> str:
    token = new_token()
    expires_at = session.now + timedelta(hours=session.settings.security.session_hours)
    session.add(
        StaffSession(token_hash=token_hash(token), staff_id=staff.id, csrf_token=new_token(), created_at=session.now, expires_at=expires_at)
    )
    return token


def _count_failure(session: Session, staff: Staff) -> SignInError:
    staff.failed_sign_ins += 1
    audit.record(session, actor=f"staff:{staff.id}", action="staff.sign_in_failed")
    if staff.failed_sign_ins < session.settings.security.sign_in_attempts:
        return SignInError(WRONG)
    staff.failed_sign_ins, staff.locked_until = 0, session.now + LOCK_FOR
    return SignInError(WRONG)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash(new_token())
