from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from sqlmodel import select

from foundation.clock import SetClock
from foundation.database import Database, Session
from foundation.models import CalendarDay
from foundation.reference import cached, changed
from foundation.settings import Settings
from tests.foundation.failing import failing


@pytest.fixture
def neighbour(settings: Settings, clock: SetClock) -> Iterator[Database]:
    """The same database as a second process opens it."""
    neighbour = Database(settings, clock)
    yield neighbour
    neighbour.close()


class Loads:
    """Reads the names of the holidays, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, session: Session) -> list[str]:
        self.count += 1
        return sorted(session.exec(select(CalendarDay.name)))


@pytest.fixture
def load() -> Loads:
    return Loads()


def read(database: Database, load: Loads) -> list[str]:
    with database.read() as session:
        return cached(session, "holidays", load)


def add(session: Session, name: str, on: str) -> None:
    session.add(CalendarDay(calendar_code="default", on=on, is_workday=False, name=name))
    session.flush()
    changed(session)


def test_reference_data_are_read_once(database: Database, load: Loads) -> None:
    for _ in range(3):
        assert read(database, load) == []
    for _ in range(2):
        with database.write() as session:
            assert cached(session, "holidays", load) == cached(session, "holidays", load) == []
    assert load.count <= 2  # once for readers, once for writers


def test_a_change_is_seen_by_every_process_after_its_commit(database: Database, neighbour: Database, load: Loads) -> None:
    for day, name in enumerate(("Labour Day", "National Day", "New Year"), start=1):
        before = read(database, load), read(neighbour, load)
        with database.write() as session:
            add(session, name, f"2026-05-0{day}")
            assert (read(database, load), read(neighbour, load)) == before  # not committed yet
        assert name in read(database, load)
        assert name in read(neighbour, load)
        with neighbour.write() as session:
            assert name in cached(session, "holidays", load)


def test_a_transaction_sees_its_own_change_at_once(database: Database, load: Loads) -> None:
    with database.write() as session:
        assert cached(session, "holidays", load) == []
        add(session, "Labour Day", "2026-05-01")
        assert cached(session, "holidays", load) == ["Labour Day"]
        add(session, "National Day", "2026-10-01")
        assert cached(session, "holidays", load) == ["Labour Day", "National Day"]


def test_a_change_that_was_rolled_back_is_kept_nowhere(database: Database, neighbour: Database, load: Loads) -> None:
    assert read(database, load) == []
    with failing(database.write()) as session:
        add(session, "never", "2026-05-01")
        assert cached(session, "holidays", load) == ["never"]
    assert read(database, load) == read(neighbour, load) == []
    with database.write() as session:
        assert cached(session, "holidays", load) == []
    with database.write() as session:
        changed(session)
        assert cached(session, "holidays", load) == []


def test_what_a_reader_kept_from_before_a_change_is_not_taken_for_new(database: Database, load: Loads) -> None:
    with database.read() as early:
        assert cached(early, "another name", load) == []
        with database.write() as session:
            add(session, "Labour Day", "2026-05-01")
        cached(early, "holidays", load)  # whatever this old transaction sees, it must not stay for others
    assert read(database, load) == ["Labour Day"]


def test_a_change_in_progress_does_not_reach_the_readers_of_its_process(database: Database, load: Loads) -> None:
    seen: list[list[str]] = []
    with database.write() as session:
        add(session, "Labour Day", "2026-05-01")
        cached(session, "holidays", load)
        reading = Thread(target=lambda: seen.append(read(database, load)))
        reading.start()
        reading.join(30)
    assert seen == [[]]
    assert read(database, load) == ["Labour Day"]


def test_names_do_not_share_what_they_keep(database: Database, load: Loads) -> None:
    with database.read() as session:
        assert cached(session, "holidays", load) == []
        assert cached(session, "something else", lambda _: 7) == 7
