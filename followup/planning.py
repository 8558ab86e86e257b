"""When a follow-up is due. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from foundation.workdays import WorkCalendar


class FollowUpState(StrEnum):
    PLANNED = "planned"
    DUE = "due"  # its moment has come: it stands on the call list
    DONE = "done"
    CANCELLED = "cancelled"


def reminder_due_at(given_at: datetime, promised_at: datetime, percent: int, calendar: WorkCalendar) -> datetime:
    """Return when a department is reminded: after `percent` of its time, moved into working hours, before the promise runs out."""
    wanted = given_at + (promised_at - given_at) * percent / 100
    return min(calendar.next_open(wanted), max(promised_at, given_at))


def next_reminder_at(now: datetime, promised_at: datetime, calendar: WorkCalendar) -> datetime:
    """Return when a department that was reminded and still has not answered is reminded again.

    First when the promise runs out, then at the start of each working day.
    """
    if now < promised_at:
        return promised_at
    return calendar.start_of_day(calendar.add_working_days(now, 1))


def revisit_due_at(answered_at: datetime, working_days: int, calendar: WorkCalendar) -> datetime:
    """Return when the citizen is asked: the start of the working day that is `working_days` after the answer's day, UTC."""
    if working_days == 0:
        return calendar.next_open(answered_at)
    return calendar.start_of_day(calendar.add_working_days(answered_at, working_days))


def callback_window(requested_at: datetime, hours: int, calendar: WorkCalendar) -> tuple[datetime, datetime]:
    """Return from when and until when the citizen is called back: `hours` of working time from the request on."""
    start = calendar.next_open(requested_at)
    return start, calendar.add_working_time(start, timedelta(hours=hours))


def is_content(is_solved: bool, satisfaction: int | None) -> bool:
    """Return whether an answer closes the matter: solved, and not dissatisfied (1 or 2 of 5)."""
    return is_solved and (satisfaction is None or satisfaction > 2)
