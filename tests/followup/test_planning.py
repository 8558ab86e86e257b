"""When the hotline acts by itself. Moments are told in Shanghai's time: 09:00-12:00 and 13:30-17:30, Monday to Friday."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from followup.planning import callback_window, is_content, reminder_due_at, revisit_due_at
from foundation.workdays import WorkCalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURS = ((time(9), time(12)), (time(13, 30), time(17, 30)))
OFFICE = WorkCalendar("default", SHANGHAI, (*[HOURS] * 5, (), ()))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def told(moment: datetime) -> str:
    assert moment.utcoffset() == timedelta(0)
    return moment.astimezone(SHANGHAI).strftime("%a %m-%d %H:%M")


@pytest.mark.parametrize(
    ("given", "promised", "due"),
    [
        ("2026-03-02 09:00", "2026-03-02 14:00", "Mon 03-02 13:30"),  # four fifths fall into lunch
        ("2026-03-02 09:00", "2026-03-12 09:00", "Tue 03-10 09:00"),
        ("2026-03-02 20:00", "2026-03-07 00:00", "Fri 03-06 09:00"),  # not at night
        ("2026-03-06 09:00", "2026-03-09 17:30", "Mon 03-09 09:00"),  # not on Sunday
    ],
)
def test_a_department_is_reminded_after_four_fifths_of_its_time_within_working_hours(given: str, promised: str, due: str) -> None:
    assert told(reminder_due_at(local(given), local(promised), 80, OFFICE)) == due


def test_a_reminder_never_comes_after_the_promise_and_hardly_ever_outside_working_hours() -> None:
    for day, hour, span in product(range(2, 9), range(0, 24, 3), (1, 2, 5, 24, 120, 400)):
        given = local(f"2026-03-0{day} {hour:02}:00")
        promised = given + timedelta(hours=span)
        due = reminder_due_at(given, promised, 80, OFFICE)
        assert given < due <= promised
        assert OFFICE.is_open(due) or due == promised, "only a promise that runs out before the office opens is told at its very end"


def test_a_promise_that_ran_out_before_it_was_given_is_reminded_at_once() -> None:
    given = local("2026-03-04 10:00")
    assert reminder_due_at(given, local("2026-03-02 10:00"), 80, OFFICE) <= given


@pytest.mark.parametrize(
    ("answered", "days", "due"),
    [
        ("2026-03-02 09:30", 1, "Tue 03-03 09:00"),
        ("2026-03-02 23:30", 1, "Tue 03-03 09:00"),
        ("2026-03-06 15:00", 1, "Mon 03-09 09:00"),
        ("2026-03-07 15:00", 1, "Mon 03-09 09:00"),
        ("2026-03-06 15:00", 3, "Wed 03-11 09:00"),
        ("2026-03-02 15:00", 0, "Mon 03-02 15:00"),
        ("2026-03-02 12:30", 0, "Mon 03-02 13:30"),
        ("2026-03-06 18:00", 0, "Mon 03-09 09:00"),
    ],
)
def test_a_citizen_is_asked_from_the_start_of_a_working_day_on(answered: str, days: int, due: str) -> None:
    assert told(revisit_due_at(local(answered), days, OFFICE)) == due


@pytest.mark.parametrize(
    ("requested", "start", "end"),
    [
        ("2026-03-02 10:05", "Mon 03-02 10:05", "Mon 03-02 15:35"),  # lunch does not count
        ("2026-03-02 06:00", "Mon 03-02 09:00", "Mon 03-02 14:30"),
        ("2026-03-06 16:30", "Fri 03-06 16:30", "Mon 03-09 12:00"),  # over the weekend
        ("2026-03-06 17:30", "Mon 03-09 09:00", "Mon 03-09 14:30"),
        ("2026-03-07 11:00", "Mon 03-09 09:00", "Mon 03-09 14:30"),
    ],
)
def test_a_callback_is_promised_within_four_working_hours(requested: str, start: str, end: str) -> None:
    opens, closes = callback_window(local(requested), 4, OFFICE)
    assert (told(opens), told(closes)) == (start, end)


@pytest.mark.parametrize(
    ("is_solved", "satisfaction", "closes"),
    [(True, None, True), (True, 5, True), (True, 3, True), (True, 2, False), (True, 1, False), (False, 5, False), (False, None, False)],
)
def test_only_solved_and_not_dissatisfied_closes_a_matter(is_solved: bool, satisfaction: int | None, closes: bool) -> None:
    assert is_content(is_solved, satisfaction) is closes
