"""Working calendars as stored."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

from sqlmodel import select

from foundation.database import Session
from foundation.models import CalendarDay, CalendarRow
from foundation.reference import cached
from foundation.workdays import WorkCalendar

DEFAULT_CALENDAR = "default"


class UnknownCalendarError(Exception):
    """There is no such working calendar; import it or name another."""


def calendar(session: Session, code: str) -> WorkCalendar:
    """Return a calendar by its code, or raise `UnknownCalendarError`."""
    try:
        return cached(session, "calendars", _load)[code]
    except KeyError:
        raise UnknownCalendarError(code) from None


def _load(session: Session) -> dict[str, WorkCalendar]:
    days: dict[str, dict[date, bool]] = {}
    for day in session.exec(select(CalendarDay)):
        days.setdefault(day.calendar_code, {})[date.fromisoformat(day.on)] = day.is_workday
    return {row.code: _read(row, days.get(row.code, {})) for row in session.exec(select(CalendarRow))}


def _read(row: CalendarRow, days: dict[date, bool]) -> WorkCalendar:
    week = [[(time.fromisoformat(start), _end(end)) for start, end in intervals] for intervals in row.intervals]
    return WorkCalendar(row.code, ZoneInfo(row.timezone), week, days)


def _end(text: str) -> time:
    """Return the end of an interval; "24:00" is midnight at the end of the day."""
    return time(0) if text == "24:00" else time.fromisoformat(text)
