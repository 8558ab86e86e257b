from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event, Thread
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.groups import GroupWriter, WriterClosedError
from foundation.ids import new_id
from foundation.models import AuditEntry, Serial
from foundation.prepared import store
from foundation.settings import Settings
from identity.models import Citizen, ContactLink

SECONDS = 30
REFUSED = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)  # by the database, through either way to it


@pytest.fixture
def writer(database: Database) -> Iterator[GroupWriter]:
    writer = GroupWriter(database, group_size=50)
    yield writer
    writer.close()


def note(action: str) -> Callable[[Session], None]:
    """Return a write that notes `action`."""
    return lambda session: session.add(AuditEntry(at=session.now, actor="system", action=action))


def fail(session: Session) -> None:
    note("written by one that fails")(session)
    session.flush()
    raise ZeroDivisionError


def take_a_taken_key(session: Session) -> None:
    session.add(Serial(name="ticket", value=1))


def spoil_the_commit(session: Session) -> None:
    """Write a row whose foreign key is checked at the commit, and is wrong."""
    citizen = Citizen(created_at=session.now)
    store(session, citizen)
    store(session, ContactLink(contact_id=new_id(), citizen_id=citizen.id, grade="new", reasons=[], linked_at=session.now))


def notes(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.action))))


@contextmanager
def one_group(writer: GroupWriter) -> Iterator[None]:
    """Keep the writer busy, so that what is submitted meanwhile waits together."""
    is_busy, may_go_on = Event(), Event()

    def wait_here(_: Session) -> None:
        is_busy.set()
        may_go_on.wait(SECONDS)

    first = writer.submit(wait_here)
    assert is_busy.wait(SECONDS)
    try:
        yield
    finally:
        may_go_on.set()
    first.result(SECONDS)


def test_a_group_never_waits_to_fill(writer: GroupWriter, database: Database) -> None:
    writer.submit(note("alone")).result(SECONDS)
    assert notes(database) == ["alone"]


def test_what_waits_at_the_same_time_shares_one_transaction(database: Database, writer: GroupWriter) -> None:
    sessions: list[Session] = []
    with one_group(writer):
        futures = [writer.submit(sessions.append) for _ in range(20)]
    wait(futures, SECONDS)
    assert len(sessions) == 20
    assert len({id(session) for session in sessions}) == 1


def test_a_group_has_no_more_members_than_its_size(database: Database) -> None:
    writer, sessions = GroupWriter(database, group_size=3), list[Session]()
    with one_group(writer):
        for _ in range(10):
            writer.submit(sessions.append)
    writer.close()
    distinct = list(dict.fromkeys(id(session) for session in sessions))
    assert [sum(id(session) == one for session in sessions) for one in distinct] == [3, 3, 3, 1]


def test_writes_are_made_in_the_order_they_came(writer: GroupWriter) -> None:
    order: list[int] = []

    def numbered(number: int) -> Callable[[Session], None]:
        return lambda _: order.append(number)

    with one_group(writer):
        futures = [writer.submit(numbered(number)) for number in range(10)]
    wait(futures, SECONDS)
    assert order == list(range(10))


@pytest.mark.parametrize("failing", [fail, take_a_taken_key])
def test_a_member_that_fails_fails_alone(writer: GroupWriter, database: Database, failing: Callable[[Session], None]) -> None:
    with one_group(writer):
        before, broken, after = writer.submit(note("before")), writer.submit(failing), writer.submit(note("after"))
    assert isinstance(broken.exception(SECONDS), (ZeroDivisionError, *REFUSED))
    before.result(SECONDS)
    after.result(SECONDS)
    assert notes(database) == ["after", "before"]


def test_a_failed_commit_fails_only_the_guilty(writer: GroupWriter, database: Database) -> None:
    with one_group(writer):
        good = [writer.submit(note(f"note {number}")) for number in range(3)]
        guilty = [writer.submit(spoil_the_commit) for _ in range(2)]
        good += [writer.submit(note(f"note {number}")) for number in range(3, 6)]
    assert all(isinstance(future.exception(SECONDS), REFUSED) for future in guilty)
    assert not any(future.exception(SECONDS) for future in good)
    assert notes(database) == [f"note {number}" for number in range(6)]


def test_the_writer_goes_on_after_a_failed_commit(writer: GroupWriter, database: Database) -> None:
    assert isinstance(writer.submit(spoil_the_commit).exception(SECONDS), REFUSED)
    writer.submit(note("afterwards")).result(SECONDS)
    assert notes(database) == ["afterwards"]


def test_a_failed_commit_leaves_the_database_to_other_processes(
    writer: GroupWriter, database: Database, settings: Settings, clock: SetClock
) -> None:
    assert isinstance(writer.submit(spoil_the_commit).exception(SECONDS), REFUSED)
    neighbour = Database(settings, clock)
    with neighbour.write() as session:
        note("by another process")(session)
    neighbour.close()
    assert notes(database) == ["by another process"]


def test_a_sender_hears_of_it_only_when_everybody_can_see_it(writer: GroupWriter, database: Database) -> None:
    seen: list[list[str]] = []

    def look(_: Future[None]) -> None:
        seen.append(notes(database))

    with one_group(writer):
        futures = [writer.submit(note(name)) for name in ("a", "b")]
        for future in futures:
            future.add_done_callback(look)
    writer.close()
    assert seen == [["a", "b"], ["a", "b"]]


def test_a_sender_that_gave_up_waiting_stops_nobody(writer: GroupWriter, database: Database) -> None:
    with one_group(writer):
        gone = writer.submit(note("gone"))
        gone.cancel()
        stays = writer.submit(note("stays"))
    stays.result(SECONDS)
    writer.submit(note("comes later")).result(SECONDS)
    assert set(notes(database)) - {"gone"} == {"stays", "comes later"}


def test_an_error_in_a_senders_callback_stops_nobody(writer: GroupWriter, database: Database) -> None:
    def break_down(_: Future[None]) -> None:
        raise ZeroDivisionError

    with one_group(writer):
        writer.submit(note("a")).add_done_callback(break_down)
        other = writer.submit(note("b"))
    other.result(SECONDS)
    assert notes(database) == ["a", "b"]


def test_of_two_processes_that_find_none_yet_only_one_makes_it(
    writer: GroupWriter, database: Database, settings: Settings, clock: SetClock
) -> None:
    def make_once(name: str) -> Callable[[Session], UUID | None]:
        def write(session: Session) -> UUID | None:
            if session.exec(select(AuditEntry).where(col(AuditEntry.action) == name)).first():
                return None
            entry = AuditEntry(at=session.now, actor="system", action=name)
            session.add(entry)
            session.flush()
            return entry.id

        return write

    neighbour = Database(settings, clock)
    other = GroupWriter(neighbour, group_size=50)
    names = [f"note {number:02}" for number in range(40)]
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda door: [door.submit(make_once(name), keys=[name]) for name in names], [writer, other]))
    made = [future.result(SECONDS) for futures in both for future in futures]
    other.close()
    neighbour.close()
    assert notes(database) == names
    assert sum(one is not None for one in made) == 40


def test_closing_finishes_what_waits(database: Database) -> None:
    writer = GroupWriter(database, group_size=2)
    closing = Thread(target=writer.close)
    with one_group(writer):
        futures = [writer.submit(note(f"note {number}")) for number in range(5)]
        closing.start()
    closing.join(SECONDS)
    assert all(future.done() for future in futures)
    assert notes(database) == [f"note {number}" for number in range(5)]


def test_after_closing_a_write_is_refused(database: Database) -> None:
    writer = GroupWriter(database, group_size=50)
    writer.close()
    assert isinstance(writer.submit(note("too late")).exception(SECONDS), WriterClosedError)
    assert notes(database) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_sender_is_left_without_an_answer_when_the_writer_closes(database: Database) -> None:
    for _ in range(20):
        writer, futures = GroupWriter(database, group_size=50), list[Future[None]]()

        def send(writer: GroupWriter = writer, futures: list[Future[None]] = futures) -> None:
            while not futures or not isinstance(futures[-1].exception(SECONDS) if futures[-1].done() else None, WriterClosedError):
                futures.append(writer.submit(lambda _: None))

        sending = Thread(target=send)
        sending.start()
        writer.close()
        sending.join(SECONDS)
        assert not wait(futures, SECONDS).not_done
