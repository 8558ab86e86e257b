"""Staff accounts on real databases: passwords, locks, links, sessions, and the trail that they leave."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlmodel import col, select

from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.models import AuditEntry
from foundation.security import token_hash
from foundation.settings import Settings
from identity.access import ActorKind, Role
from identity.actions import (
    AccountError,
    SignInError,
    accounts,
    create_sign_in_link,
    create_staff,
    password_is_right,
    set_password,
    sign_in,
    sign_in_with_link,
    sign_out,
)
from identity.models import Department, SignInLink, Staff, StaffSession
from identity.queries import actor_of, session_of, staff_by_username, stored_password
from tests.conftest import MONDAY_MORNING

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"
ATTEMPTS = 10  # the default of [security] sign_in_attempts


class CountingHasher(PasswordHasher):
    """A hasher that is quick, as tests sign in often, and counts what it was asked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture(autouse=True)
def hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingHasher]:
    hasher = CountingHasher()
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)
    accounts._nobody.cache_clear()
    yield hasher
    accounts._nobody.cache_clear()


@pytest.fixture
def staff(database: Database) -> Staff:
    with database.write() as session:
        staff = create_staff(session, "li.hua", role=Role.AGENT, name="Li Hua")
        set_password(session, staff, PASSWORD)
    return staff


def attempt(database: Database, username: str, password: str) -> str | SignInError:
    with database.read() as session:
        stored = stored_password(session, username)
    is_right = password_is_right(stored, password)
    with database.write() as session:
        return sign_in(session, username, is_right=is_right)


def token_of(answer: str | SignInError) -> str:
    assert isinstance(answer, str)
    return answer


def is_refused(answer: str | SignInError, because: str) -> bool:
    return isinstance(answer, SignInError) and str(answer) == because


def account(database: Database) -> Staff:
    with database.read() as session:
        found = staff_by_username(session, "li.hua")
    assert found is not None
    return found


def who_is_signed_in(database: Database, token: str) -> str | None:
    with database.read() as session:
        found = session_of(session, token)
        return found[0].username if found else None


def trail(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.id))))


# ── passwords ──


def test_a_password_is_stored_as_argon2id_and_nowhere_in_clear(database: Database, staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the product's own hasher
    with database.write() as session:
        set_password(session, session.get_one(Staff, staff.id), PASSWORD)
    stored = account(database).password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$")
    memory = int(stored.split("$m=")[1].split(",")[0])
    assert memory >= 19_456  # KiB, the least that OWASP's password storage page asks for
    assert len(stored) <= 200
    token_of(attempt(database, "li.hua", PASSWORD))
    with database.read() as session:
        rows = [str(row) for name in ("staff", "staff_session", "audit_entry") for row in session.execute(text(f"select * from {name}"))]
    assert not any(PASSWORD in row for row in rows)


def test_the_same_password_is_stored_differently_for_two(database: Database, staff: Staff) -> None:
    with database.write() as session:
        other = create_staff(session, "wang", role=Role.AGENT)
        set_password(session, other, PASSWORD)
    assert other.password_hash != staff.password_hash


def test_a_short_password_is_refused_with_what_to_do(database: Database, staff: Staff) -> None:
    for password in ("", "short", "x" * 11):
        with pytest.raises(AccountError, match="12 characters"), database.write() as session:
            set_password(session, session.get_one(Staff, staff.id), password)
    token_of(attempt(database, "li.hua", PASSWORD))


def test_any_long_password_works_and_only_itself(database: Database, staff: Staff) -> None:
    for password in ("密码密码密码密码密码密码", " spaces at both ends ", "🎉" * 12, "x" * 1000, "a\x00b" * 6):
        with database.write() as session:
            set_password(session, session.get_one(Staff, staff.id), password)
        for other in (password.strip() + "x", password[:-1], PASSWORD):
            assert is_refused(attempt(database, "li.hua", other), accounts.WRONG)
        token_of(attempt(database, "li.hua", password))


# ── signing in ──


def test_the_right_password_opens_a_session_that_ends_after_its_hours(database: Database, staff: Staff, clock: SetClock) -> None:
    token = token_of(attempt(database, "li.hua", PASSWORD))
    assert who_is_signed_in(database, token) == "li.hua"
    clock.set(MONDAY_MORNING + timedelta(hours=10) - timedelta(microseconds=1))
    assert who_is_signed_in(database, token) == "li.hua"
    clock.set(MONDAY_MORNING + timedelta(hours=10))
    assert who_is_signed_in(database, token) is None


def test_only_the_hash_of_a_cookie_is_stored(database: Database, staff: Staff) -> None:
    token = token_of(attempt(database, "li.hua", PASSWORD))
    with database.read() as session:
        [opened] = session.exec(select(StaffSession)).all()
    assert opened.token_hash == token_hash(token)
    assert opened.csrf_token not in {"", token}
    assert who_is_signed_in(database, opened.token_hash) is None
    assert who_is_signed_in(database, opened.csrf_token) is None
    assert who_is_signed_in(database, "") is None


def test_each_sign_in_has_a_session_of_its_own_and_signing_out_ends_only_that(database: Database, staff: Staff) -> None:
    desk, phone = (token_of(attempt(database, "li.hua", PASSWORD)) for _ in range(2))
    assert desk != phone
    for _ in range(2):  # twice does no harm
        with database.write() as session:
            sign_out(session, desk)
    assert who_is_signed_in(database, desk) is None
    assert who_is_signed_in(database, phone) == "li.hua"


def test_a_wrong_password_is_counted_although_it_is_refused(database: Database, staff: Staff) -> None:
    assert is_refused(attempt(database, "li.hua", WRONG), accounts.WRONG)
    assert is_refused(attempt(database, "li.hua", ""), accounts.WRONG)
    assert account(database).failed_sign_ins == 2
    assert trail(database).count("staff.sign_in_failed") == 2
    token_of(attempt(database, "li.hua", PASSWORD))
    assert account(database).failed_sign_ins == 0


def test_too_many_wrong_passwords_lock_the_account_for_a_while_even_for_the_right_one(
    database: Database, staff: Staff, clock: SetClock
) -> None:
    for _ in range(ATTEMPTS - 1):
        assert is_refused(attempt(database, "li.hua", WRONG), accounts.WRONG)
    assert is_refused(attempt(database, "li.hua", WRONG), accounts.WRONG)
    assert is_refused(attempt(database, "li.hua", PASSWORD), accounts.WRONG)
    clock.set(MONDAY_MORNING + accounts.LOCK_FOR - timedelta(microseconds=1))
    assert is_refused(attempt(database, "li.hua", PASSWORD), accounts.WRONG)
    clock.set(MONDAY_MORNING + accounts.LOCK_FOR)
    token_of(attempt(database, "li.hua", PASSWORD))
    assert (account(database).failed_sign_ins, account(database).locked_until) == (0, None)


def test_whoever_tries_while_the_account_is_locked_does_not_lengthen_the_lock(database: Database, staff: Staff, clock: SetClock) -> None:
    for _ in range(3 * ATTEMPTS):
        attempt(database, "li.hua", WRONG)
    clock.set(MONDAY_MORNING + accounts.LOCK_FOR)
    token_of(attempt(database, "li.hua", PASSWORD))


def test_guesses_at_the_same_moment_are_all_counted(database: Database, staff: Staff, settings: Settings, clock: SetClock) -> None:
    neighbour, start = Database(settings, clock), Barrier(8)

    def guess(number: int) -> str | SignInError:
        start.wait(timeout=30)
        return attempt(neighbour if number % 2 else database, "li.hua", WRONG)

    with ThreadPoolExecutor(8) as threads:
        assert all(is_refused(answer, accounts.WRONG) for answer in threads.map(guess, range(8)))
    neighbour.close()
    assert account(database).failed_sign_ins == 8


def test_a_name_that_nobody_has_is_answered_like_a_wrong_password_after_the_same_work(
    database: Database, staff: Staff, hasher: CountingHasher
) -> None:
    with database.write() as session:
        create_staff(session, "no.password.yet", role=Role.AGENT)
        gone = create_staff(session, "gone", role=Role.AGENT)
        set_password(session, gone, PASSWORD)
        gone.is_active = False
    for username, password in [("li.hua", WRONG), ("nobody", PASSWORD), ("", ""), ("no.password.yet", PASSWORD), ("gone", PASSWORD)]:
        before = hasher.verified
        assert is_refused(attempt(database, username, password), accounts.WRONG)
        assert hasher.verified == before + 1


def test_no_password_opens_an_account_that_has_none(database: Database, hasher: CountingHasher) -> None:
    with database.write() as session:
        create_staff(session, "li.hua", role=Role.AGENT)
    accounts._nobody()
    for password in ("", "None", PASSWORD):
        assert is_refused(attempt(database, "li.hua", password), accounts.WRONG)


def test_a_hash_that_cannot_be_read_is_a_wrong_password(database: Database, staff: Staff) -> None:
    with database.write() as session:
        session.get_one(Staff, staff.id).password_hash = "not a hash"
    assert is_refused(attempt(database, "li.hua", PASSWORD), accounts.WRONG)


def test_an_account_that_is_closed_ends_its_sessions_at_once(database: Database, staff: Staff) -> None:
    token = token_of(attempt(database, "li.hua", PASSWORD))
    with database.write() as session:
        session.get_one(Staff, staff.id).is_active = False
    assert who_is_signed_in(database, token) is None


def test_only_the_exact_name_signs_in(database: Database, staff: Staff) -> None:
    for username in ("LI.HUA", "li.hua ", "li%", "' or 1=1 --", "x" * 5000, "李华🎉"):
        assert is_refused(attempt(database, username, PASSWORD), accounts.WRONG)


# ── links ──


def link_for(database: Database, staff: Staff) -> str:
    with database.write() as session:
        return create_sign_in_link(session, session.get_one(Staff, staff.id), actor="cli:root")


def follow(database: Database, token: str) -> str | SignInError:
    with database.write() as session:
        return sign_in_with_link(session, token)


def test_a_link_signs_in_once(database: Database, staff: Staff) -> None:
    link = link_for(database, staff)
    token = token_of(follow(database, link))
    assert who_is_signed_in(database, token) == "li.hua"
    assert is_refused(follow(database, link), accounts.LINK_SPENT)
    assert who_is_signed_in(database, link) is None


def test_a_link_expires(database: Database, staff: Staff, clock: SetClock) -> None:
    early, late = link_for(database, staff), link_for(database, staff)
    clock.set(MONDAY_MORNING + timedelta(minutes=60) - timedelta(microseconds=1))
    token_of(follow(database, early))
    clock.set(MONDAY_MORNING + timedelta(minutes=60))
    assert is_refused(follow(database, late), accounts.LINK_SPENT)


def test_of_many_who_follow_a_link_at_the_same_moment_one_is_signed_in(database: Database, staff: Staff) -> None:
    link, start = link_for(database, staff), Barrier(4)

    def follow_at_once(_: int) -> str | SignInError:
        start.wait(timeout=30)
        return follow(database, link)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(follow_at_once, range(4)))
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(is_refused(answer, accounts.LINK_SPENT) for answer in answers) == 3


def test_a_link_of_a_closed_account_or_none_at_all_signs_nobody_in(database: Database, staff: Staff) -> None:
    link = link_for(database, staff)
    with database.write() as session:
        session.get_one(Staff, staff.id).is_active = False
    for token in (link, "", "guessed", token_hash(link)):
        assert is_refused(follow(database, token), accounts.LINK_SPENT)


def test_only_the_hash_of_a_link_is_stored(database: Database, staff: Staff) -> None:
    link = link_for(database, staff)
    with database.read() as session:
        [stored] = session.exec(select(SignInLink)).all()
    assert (stored.token_hash, stored.staff_id, stored.used_at) == (token_hash(link), staff.id, None)


def test_a_link_helps_out_of_a_lock(database: Database, staff: Staff) -> None:
    for _ in range(ATTEMPTS):
        attempt(database, "li.hua", WRONG)
    token_of(follow(database, link_for(database, staff)))


# ── making accounts ──


def department(session: Session) -> Department:
    return session.exec(select(Department)).one()


def test_a_name_is_given_once(database: Database, staff: Staff) -> None:
    with pytest.raises(AccountError, match=r"li\.hua.*taken"), database.write() as session:
        create_staff(session, "li.hua", role=Role.MANAGER)
    assert account(database).role is Role.AGENT


def test_an_account_of_a_department_needs_its_department(database: Database) -> None:
    with pytest.raises(AccountError, match="department"), database.write() as session:
        create_staff(session, "water", role=Role.DEPARTMENT)
    with database.write() as session:
        office = department(session)
        made = create_staff(session, "water", role=Role.DEPARTMENT, department=office, security_level=1)
    actor = actor_of(made)
    assert (actor.kind, actor.id, actor.role) == (ActorKind.STAFF, made.id, Role.DEPARTMENT)
    assert (actor.department_id, actor.security_level, actor.name) == (office.id, 1, "water")


def test_every_step_of_an_account_stands_in_the_trail_by_id_and_without_names(database: Database, staff: Staff) -> None:
    attempt(database, "li.hua", WRONG)
    attempt(database, "li.hua", PASSWORD)
    attempt(database, "nobody", PASSWORD)
    follow(database, link_for(database, staff))
    with database.read() as session:
        entries = session.exec(select(AuditEntry).order_by(col(AuditEntry.id))).all()
    himself = f"staff:{staff.id}"
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("system", "staff.created", himself),
        (himself, "staff.sign_in_failed", ""),
        (himself, "staff.signed_in", ""),
        ("cli:root", "staff.link_created", himself),
        (himself, "staff.signed_in_by_link", ""),
    ]
    assert not any("li" in str(entry.detail).lower() or PASSWORD in str(entry.detail) for entry in entries)
