from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from foundation.calendars import DEFAULT_CALENDAR, UnknownCalendarError, calendar
from foundation.database import Database
from foundation.models import CalendarDay, CalendarRow
from foundation.reference import changed
from tests.conftest import MONDAY_MORNING


def test_an_empty_installation_has_a_calendar_to_promise_by(database: Database) -> None:
    with database.read() as session:
        usual = calendar(session, DEFAULT_CALENDAR)
    assert usual.is_open(MONDAY_MORNING)
    assert usual.add_working_days(MONDAY_MORNING, 1) == datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
    assert not usual.is_workday(date(2026, 3, 7))


def test_a_calendar_that_nobody_imported_is_an_error_with_its_name(database: Database) -> None:
    with database.read() as session, pytest.raises(UnknownCalendarError, match="harbour"):
        calendar(session, "harbour")


def test_a_holiday_is_known_to_the_next_transaction(database: Database) -> None:
    with database.read() as session:
        assert calendar(session, DEFAULT_CALENDAR).is_workday(date(2026, 5, 1))
    with database.write() as session:
        session.add(CalendarDay(calendar_code=DEFAULT_CALENDAR, on="2026-05-01", is_workday=False, name="Labour Day"))
        session.add(CalendarDay(calendar_code=DEFAULT_CALENDAR, on="2026-05-09", is_workday=True))
        changed(session)
    with database.read() as session:
        usual = calendar(session, DEFAULT_CALENDAR)
        assert not usual.is_workday(date(2026, 5, 1))
        assert usual.is_workday(date(2026, 5, 9))


def test_each_calendar_has_its_own_zone_hours_and_holidays(database: Database) -> None:
    with database.write() as session:
        session.add(CalendarRow(code="night", timezone="Europe/Berlin", intervals=[[["22:00", "23:30"]]] * 5 + [[], []]))
        session.flush()
        session.add(CalendarDay(calendar_code="night", on="2026-03-02", is_workday=False))
        changed(session)
    with database.read() as session:
        night, usual = calendar(session, "night"), calendar(session, DEFAULT_CALENDAR)
    assert night.intervals(date(2026, 3, 3)) == [(time(22), time(23, 30))]
    assert night.next_open(MONDAY_MORNING) == datetime(2026, 3, 3, 21, tzinfo=UTC)
    assert usual.is_workday(date(2026, 3, 2))


def test_a_holiday_needs_a_calendar(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"), database.write() as session:
        session.add(CalendarDay(calendar_code="harbour", on="2026-05-01", is_workday=False))
