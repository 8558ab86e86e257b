from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier, Event
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlmodel import col, select

from channels.contract import AddressKind, Verification
from foundation.clock import SetClock
from foundation.database import Database, Session, lock, next_serial, open_engine, parse_url, savepoint
from foundation.ids import new_id
from foundation.models import AuditEntry, Serial
from foundation.prepared import store
from foundation.settings import Settings, SettingsError
from identity.models import Citizen, ContactLink, Identifier
from tests.foundation.failing import failing

only_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
PASSWORD = "s3cretword"
REFUSED = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)  # by the database, through either way to it


@pytest.fixture
def neighbour(settings: Settings, clock: SetClock) -> Iterator[Database]:
    """The same database as a second process opens it: an engine and locks of its own."""
    neighbour = Database(settings, clock)
    yield neighbour
    neighbour.close()


def note(session: Session, action: str) -> None:
    session.add(AuditEntry(at=session.now, actor="system", action=action))


def notes(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.action))))


# ── who may write when ──


def test_no_increment_of_four_threads_in_two_processes_is_lost(database: Database, neighbour: Database) -> None:
    def count_up(door: Database) -> None:
        for _ in range(30):
            with door.write() as session:
                lock(session, ["the counter"])
                counter = session.get_one(Serial, "ticket")
                counter.value += 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_up, [database, neighbour, database, neighbour]))
    with database.read() as session:
        assert session.get_one(Serial, "ticket").value == 120


def test_only_one_of_many_that_found_none_yet_makes_it(database: Database, neighbour: Database) -> None:
    start = Barrier(4)

    def make_each_once(door: Database) -> None:
        for name in range(10):
            start.wait(timeout=30)
            with door.write() as session:
                lock(session, [f"the note {name}"])
                if not session.exec(select(AuditEntry).where(col(AuditEntry.action) == f"note {name}")).first():
                    note(session, f"note {name}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(make_each_once, [database, neighbour, database, neighbour]))
    assert notes(database) == [f"note {name}" for name in range(10)]


def test_two_that_name_their_keys_in_opposite_order_never_wait_for_each_other(database: Database, neighbour: Database) -> None:
    def hold(door: Database, keys: list[str]) -> None:
        for _ in range(25):
            with door.write() as session:
                lock(session, keys)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(hold, [database, neighbour], [["a", "b", "c"], ["c", "b", "a"]]))


@only_on_postgresql
def test_a_lock_is_waited_for_and_ends_with_its_transaction(database: Database, neighbour: Database) -> None:
    def try_for(key: str) -> None:
        with neighbour.write() as session:
            session.execute(text("set local lock_timeout = '50ms'"))
            lock(session, [key])

    with failing(database.write()) as session:
        lock(session, ["mine", "ours", "mine"])
        try_for("another")
        with pytest.raises(OperationalError):
            try_for("ours")
    try_for("ours")


def test_no_keys_are_no_lock(database: Database) -> None:
    with database.write() as session:
        lock(session, [])
        note(session, "written")
    assert notes(database) == ["written"]


def test_a_reader_is_not_blocked_by_a_writer_and_sees_nothing_of_it(database: Database, neighbour: Database) -> None:
    with database.write() as session:
        note(session, "not committed")
        session.flush()
        assert notes(database) == notes(neighbour) == []
    assert notes(database) == notes(neighbour) == ["not committed"]


def test_a_writer_is_not_blocked_by_a_reader(database: Database) -> None:
    with database.read() as session:
        session.exec(select(AuditEntry)).all()
        with database.write() as writing:
            note(writing, "written meanwhile")
    assert notes(database) == ["written meanwhile"]


def test_an_error_takes_everything_back_and_frees_the_writer(database: Database) -> None:
    with failing(database.write()) as session:
        note(session, "undone")
        session.flush()
    with database.write() as session:
        note(session, "stands")
    assert notes(database) == ["stands"]


def test_what_a_reader_writes_is_never_kept(database: Database) -> None:
    with database.read() as session:
        note(session, "by a reader")
        session.flush()
    assert notes(database) == []


def test_a_transaction_has_one_moment_however_long_it_takes(database: Database, clock: SetClock) -> None:
    with database.write() as session:
        began = session.now
        clock.set(began + timedelta(hours=1))
        assert session.now == began
    with database.read() as session:
        assert session.now == began + timedelta(hours=1)


# ── savepoints ──


def test_a_failed_step_is_undone_and_the_transaction_goes_on(database: Database) -> None:
    with database.write() as session:
        note(session, "1 before")
        with failing(savepoint(session)):
            note(session, "2 flushed in the step")
            session.flush()
            note(session, "3 not flushed in the step")
        note(session, "4 after")
    assert notes(database) == ["1 before", "4 after"]


def test_a_step_that_the_database_refuses_leaves_the_transaction_usable(database: Database) -> None:
    with database.write() as session:
        note(session, "1 before")
        with pytest.raises(REFUSED), savepoint(session):
            session.execute(text("insert into serial (name, value) values ('ticket', 1)"))
        with savepoint(session):
            note(session, "2 after")
    assert notes(database) == ["1 before", "2 after"]


@pytest.mark.parametrize("flushes_itself", [True, False])
def test_a_step_whose_object_the_database_refuses_leaves_the_transaction_usable(database: Database, flushes_itself: bool) -> None:
    with database.write() as session:
        note(session, "1 before")
        with pytest.raises(REFUSED), savepoint(session):
            add_a_taken_key(session, flushes_itself=flushes_itself)
        with savepoint(session):
            store(session, AuditEntry(at=session.now, actor="system", action="3 after"))
    assert notes(database) == ["1 before", "3 after"]


def add_a_taken_key(session: Session, *, flushes_itself: bool) -> None:
    note(session, "2 in the step")
    session.add(Serial(name="ticket", value=7))
    if flushes_itself:
        session.flush()


def test_what_steps_wrote_is_lost_with_the_transaction(database: Database) -> None:
    with failing(database.write()) as session:
        with savepoint(session):
            store(session, AuditEntry(at=session.now, actor="system", action="in a step"))
        with pytest.raises(REFUSED), savepoint(session):
            add_a_taken_key(session, flushes_itself=False)
        with savepoint(session):
            store(session, AuditEntry(at=session.now, actor="system", action="in another step"))
    assert notes(database) == []


def test_a_change_before_a_failed_step_is_kept(database: Database) -> None:
    with database.write() as session:
        counter = session.get_one(Serial, "ticket")
        counter.value = 41
        with failing(savepoint(session)):
            session.exec(select(AuditEntry)).all()
        assert counter.value == 41
    with database.read() as session:
        assert session.get_one(Serial, "ticket").value == 41


def test_an_object_that_a_failed_step_changed_is_read_anew(database: Database) -> None:
    with database.write() as session:
        counter = session.get_one(Serial, "ticket")
        for is_flushed in (True, False):
            with failing(savepoint(session)):
                counter.value = 99
                if is_flushed:
                    session.flush()
            assert counter.value == 0
        counter.value += 1
    with database.read() as session:
        assert session.get_one(Serial, "ticket").value == 1


def test_what_an_inner_step_loses_the_outer_one_keeps(database: Database) -> None:
    with database.write() as session:
        with savepoint(session):
            note(session, "1 outer")
            with failing(savepoint(session)):
                note(session, "2 inner")
            with savepoint(session):
                note(session, "3 second inner")
        with failing(savepoint(session)), savepoint(session):
            note(session, "4 inner of a lost outer")
    assert notes(database) == ["1 outer", "3 second inner"]


# ── numbers ──


def test_threads_and_processes_never_draw_the_same_number(database: Database, neighbour: Database) -> None:
    def draw(door: Database) -> list[int]:
        drawn = []
        for _ in range(25):
            with door.write() as session:
                drawn.append(next_serial(session, "ticket"))
        return drawn

    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(draw, [database, neighbour, database, neighbour]))
    assert all(numbers == sorted(numbers) for numbers in drawn)
    assert len({number for numbers in drawn for number in numbers}) == 100


def test_a_number_that_was_rolled_back_is_never_given_to_two(database: Database) -> None:
    with database.write() as session:
        first = next_serial(session, "ticket")
    with failing(database.write()) as session:
        next_serial(session, "ticket")
    with database.write() as session:
        assert next_serial(session, "ticket") > first


# ── moments ──


def test_a_moment_without_a_time_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 2, 9)  # noqa: DTZ001 the mistake itself
    with pytest.raises((StatementError, ValueError), match=r"(?i)naive|timezone|time zone|aware"), database.write() as session:
        session.add(AuditEntry(at=naive, actor="system", action="added"))
    with pytest.raises((StatementError, ValueError), match=r"(?i)naive|timezone|time zone|aware"), database.write() as session:
        store(session, AuditEntry(at=naive, actor="system", action="stored"))
    assert notes(database) == []


def test_a_moment_comes_back_aware_in_utc_to_the_microsecond(database: Database) -> None:
    in_tokyo = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=timezone(timedelta(hours=9)))
    with database.write() as session:
        session.add(AuditEntry(at=in_tokyo, actor="system", action="added"))
        store(session, AuditEntry(at=in_tokyo, actor="system", action="stored"))
    with database.read() as session:
        moments = list(session.exec(select(AuditEntry.at)))
        later = session.exec(select(func.count()).select_from(AuditEntry).where(col(AuditEntry.at) > in_tokyo)).one()
    assert moments == [in_tokyo, in_tokyo]
    assert later == 0
    assert all(moment.tzinfo is UTC or moment.utcoffset() == timedelta(0) for moment in moments)
    assert {moment.hour for moment in moments} == {0}


# ── the database's own guards ──


def test_a_row_that_points_nowhere_is_refused(database: Database) -> None:
    with pytest.raises(REFUSED), database.write() as session:
        store(session, address_of(session, citizen_id=new_id()))
    with pytest.raises(REFUSED), database.write() as session:
        session.add(address_of(session, citizen_id=new_id()))


def test_a_link_to_a_contact_that_never_came_is_refused_at_the_commit(database: Database) -> None:
    with failing(database.write()) as session:
        link_to_nothing(session)  # not refused here
    with pytest.raises(REFUSED), database.write() as session:
        link_to_nothing(session)
    with database.read() as session:
        assert session.exec(select(Citizen)).all() == []


def link_to_nothing(session: Session) -> None:
    citizen = Citizen(created_at=session.now)
    store(session, citizen)
    store(session, ContactLink(contact_id=new_id(), citizen_id=citizen.id, grade="new", reasons=[], linked_at=session.now))


def test_an_error_of_the_database_does_not_show_the_values(database: Database) -> None:
    with pytest.raises(REFUSED) as refused, database.write() as session:
        session.add(address_of(session, citizen_id=new_id()))
    assert "13800001111" not in str(refused.value)
    with pytest.raises(REFUSED) as refused, database.write() as session:
        store(session, address_of(session, citizen_id=new_id()))
    assert "13800001111" not in str(refused.value)


def address_of(session: Session, *, citizen_id: UUID) -> Identifier:
    return Identifier(
        citizen_id=citizen_id,
        kind=AddressKind.PHONE,
        value="+8613800001111",
        channel="sms",
        verified_by=Verification.CLAIMED,
        first_seen_at=session.now,
        last_used_at=session.now,
    )


@only_on_sqlite
def test_every_connection_to_sqlite_survives_a_power_cut_and_checks_its_keys(database: Database) -> None:
    all_open, seen = Barrier(3), []

    def look(_: int) -> None:
        with database.read() as session:
            all_open.wait(timeout=30)  # three connections at once, none of them used twice
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            seen.append([session.execute(text(f"pragma {name}")).scalar_one() for name in pragmas])

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(look, range(3)))
    full = 2
    assert seen == [["wal", full, 1, 30_000]] * 3


@only_on_sqlite
def test_a_second_process_waits_for_the_writer_and_does_not_fail(database: Database, neighbour: Database) -> None:
    is_writing, may_end = Event(), Event()

    def write_slowly() -> None:
        with database.write() as session:
            note(session, "1 slow")
            session.flush()
            is_writing.set()
            may_end.wait(timeout=30)

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(write_slowly)
        assert is_writing.wait(timeout=30)
        waiting = threads.submit(write_note, neighbour, "2 waited")
        assert not waiting.done()
        may_end.set()
        slow.result(timeout=30)
        waiting.result(timeout=30)
    assert notes(database) == ["1 slow", "2 waited"]


def write_note(database: Database, action: str) -> None:
    with database.write() as session:
        note(session, action)


# ── addresses of databases ──


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql//hotline:{PASSWORD}@db/hotline",
        f"postgresql://hotline:{PASSWORD}@[::1/hotline",
        f"postgresql://hotline:{PASSWORD}@db:port/hotline",
        f"mysql://hotline:{PASSWORD}@db/hotline",
        PASSWORD,
        "",
    ],
)
def test_an_address_that_cannot_be_used_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"\[database\] url") as refused:
        parse_url(url)
    assert PASSWORD not in str(refused.value)
    assert "sqlite:///" in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_database_that_is_not_there_is_an_error_without_its_password() -> None:
    engine = open_engine(parse_url(f"postgresql://hotline:{PASSWORD}@127.0.0.1:1/hotline"))
    with pytest.raises(OperationalError) as refused:
        engine.connect()
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in repr(engine)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_way_to_write_postgresql_is_understood(scheme: str) -> None:
    assert parse_url(f"{scheme}://hotline@db/hotline").drivername == "postgresql+psycopg"
