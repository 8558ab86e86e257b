"""What a promise is counted in. Dates of 2026: 2 March is a Monday; Berlin changes its clocks on 29 March and 25 October."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.workdays import NoWorkingDayError, WorkCalendar

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
OFFICE_HOURS = [(time(9), time(12)), (time(13, 30), time(17, 30))]
SHORT_FRIDAY = [(time(9), time(12))]
HOLIDAYS = {
    date(2026, 3, 5): False,  # a Thursday
    date(2026, 3, 7): True,  # a Saturday that is worked for it
    date(2026, 3, 9): False,
    date(2026, 3, 10): False,
}
PLAIN = WorkCalendar("plain", SHANGHAI, [OFFICE_HOURS] * 5 + [[], []])
CITY = WorkCalendar("city", SHANGHAI, [*[OFFICE_HOURS] * 4, SHORT_FRIDAY, [], []], HOLIDAYS)
ALL_DAY = WorkCalendar("all day", BERLIN, [[(time(0), time(12)), (time(12), time(23, 59))]] * 7)
NIGHT = WorkCalendar("night", BERLIN, [[(time(0), time(6))]] * 7)
NEVER = WorkCalendar("never", SHANGHAI, [[]] * 7)
CLOSED_FOR_GOOD = WorkCalendar(
    "closed for good", SHANGHAI, [OFFICE_HOURS] * 7, {date(2026, 3, 3) + timedelta(days=number): False for number in range(800)}
)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


# ── what is a working day ──


@pytest.mark.parametrize(
    ("on", "is_workday", "hours"),
    [
        (date(2026, 3, 2), True, OFFICE_HOURS),
        (date(2026, 3, 6), True, SHORT_FRIDAY),
        (date(2026, 3, 5), False, ()),
        (date(2026, 3, 7), True, OFFICE_HOURS),
        (date(2026, 3, 8), False, []),
        (date(2026, 3, 14), False, []),
    ],
    ids=["monday", "short friday", "holiday", "make-up saturday has the hours of a monday", "sunday", "another saturday"],
)
def test_the_week_holidays_and_make_up_days_say_what_is_worked(on: date, is_workday: bool, hours: object) -> None:
    assert CITY.is_workday(on) is is_workday
    assert list(CITY.intervals(on)) == list(hours)  # type: ignore[call-overload]


def test_a_make_up_day_on_a_weekday_keeps_the_hours_of_that_weekday() -> None:
    calendar = WorkCalendar("x", SHANGHAI, CITY.week, {date(2026, 3, 6): True})
    assert calendar.intervals(date(2026, 3, 6)) == SHORT_FRIDAY


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T08:59:59", False),
        ("2026-03-02T09:00", True),
        ("2026-03-02T11:59:59", True),
        ("2026-03-02T12:00", False),
        ("2026-03-02T13:29:59", False),
        ("2026-03-02T13:30", True),
        ("2026-03-02T17:30", False),
        ("2026-03-05T10:00", False),
        ("2026-03-07T10:00", True),
        ("2026-03-08T10:00", False),
    ],
)
def test_an_office_is_open_from_the_first_minute_to_before_the_last(moment: str, is_open: bool) -> None:
    assert CITY.is_open(at(moment)) is is_open


def test_the_day_is_the_citys_day_and_not_that_of_utc() -> None:
    late_on_sunday_in_utc = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # Monday 07:30 in Shanghai
    assert PLAIN.add_working_days(late_on_sunday_in_utc, 0) == at("2026-03-02T17:30")
    assert PLAIN.start_of_day(late_on_sunday_in_utc) == at("2026-03-02T09:00")


# ── working days ──


@pytest.mark.parametrize(
    ("moment", "days", "end"),
    [
        ("2026-03-02T10:00", 1, "2026-03-03T17:30"),
        ("2026-03-02T10:00", 0, "2026-03-02T17:30"),
        ("2026-03-02T06:00", 0, "2026-03-02T17:30"),
        ("2026-03-02T06:00", 1, "2026-03-03T17:30"),
        ("2026-03-02T12:30", 0, "2026-03-02T17:30"),
        ("2026-03-02T17:29:59", 0, "2026-03-02T17:30"),
        ("2026-03-02T17:30", 0, "2026-03-03T17:30"),
        ("2026-03-02T23:00", 0, "2026-03-03T17:30"),
        ("2026-03-02T23:00", 1, "2026-03-03T17:30"),
        ("2026-03-04T10:00", 1, "2026-03-06T12:00"),
        ("2026-03-04T10:00", 2, "2026-03-07T17:30"),
        ("2026-03-04T10:00", 3, "2026-03-11T17:30"),
        ("2026-03-05T10:00", 0, "2026-03-06T12:00"),
        ("2026-03-05T10:00", 1, "2026-03-06T12:00"),
        ("2026-03-06T20:00", 1, "2026-03-07T17:30"),
        ("2026-03-08T10:00", 0, "2026-03-11T17:30"),
        ("2026-03-08T10:00", 1, "2026-03-11T17:30"),
        ("2026-03-11T10:00", 5, "2026-03-18T17:30"),
    ],
    ids=[
        "the next day",
        "none: the same day",
        "before hours: the same day",
        "before hours counts no day more",
        "in the lunch hour",
        "in the last second",
        "at closing time: the next day",
        "after hours: the next day",
        "after hours: the day of opening is not counted",
        "over a holiday to a short friday",
        "to a make-up saturday",
        "over a long weekend",
        "none, on a holiday: the next working day",
        "one, on a holiday",
        "friday evening before a make-up saturday",
        "none, on a sunday before holidays",
        "one, on a sunday before holidays",
        "five over a weekend",
    ],
)
def test_working_days_end_with_a_working_day(moment: str, days: int, end: str) -> None:
    assert CITY.add_working_days(at(moment), days) == at(end)


def test_a_friday_evening_complaint_of_five_days_is_due_at_the_end_of_the_friday_after() -> None:
    assert PLAIN.add_working_days(at("2026-03-06T20:00"), 5) == at("2026-03-13T17:30")


def test_an_office_that_never_works_is_an_error_and_not_an_endless_search() -> None:
    for ask in asking_all(NEVER):
        with pytest.raises(NoWorkingDayError):
            ask(at("2026-03-02T10:00"))


def test_an_office_that_closes_for_more_than_a_year_is_an_error_from_its_last_day_on() -> None:
    assert CLOSED_FOR_GOOD.add_working_days(at("2026-03-02T10:00"), 0) == at("2026-03-02T17:30")
    for ask in asking_all(CLOSED_FOR_GOOD):
        with pytest.raises(NoWorkingDayError):
            ask(at("2026-03-02T20:00"))


def asking_all(calendar: WorkCalendar) -> list[Callable[[datetime], datetime]]:
    return [
        calendar.next_open,
        lambda moment: calendar.add_working_days(moment, 0),
        lambda moment: calendar.add_working_days(moment, 3),
        lambda moment: calendar.add_working_time(moment, timedelta(hours=1)),
    ]


def test_a_year_of_working_days_is_no_year_without_them() -> None:
    assert PLAIN.add_working_days(at("2026-03-02T10:00"), 800) > at("2029-01-01T00:00")


# ── working time ──


@pytest.mark.parametrize(
    ("moment", "span", "end"),
    [
        ("2026-03-02T09:00", "2:00", "2026-03-02T11:00"),
        ("2026-03-02T11:00", "1:00", "2026-03-02T12:00"),
        ("2026-03-02T11:00", "1:30", "2026-03-02T14:00"),
        ("2026-03-02T12:30", "1:00", "2026-03-02T14:30"),
        ("2026-03-02T17:00", "1:00", "2026-03-03T09:30"),
        ("2026-03-02T20:00", "7:00", "2026-03-03T17:30"),
        ("2026-03-04T17:00", "3:30", "2026-03-06T12:00"),
        ("2026-03-06T11:00", "2:00", "2026-03-07T10:00"),
        ("2026-03-08T10:00", "1:00", "2026-03-11T10:00"),
        ("2026-03-02T10:00", "0:00", "2026-03-02T10:00"),
        ("2026-03-02T17:30", "0:00", "2026-03-03T09:00"),
    ],
)
def test_working_time_runs_only_in_office_hours(moment: str, span: str, end: str) -> None:
    hours, minutes = (int(part) for part in span.split(":"))
    assert CITY.add_working_time(at(moment), timedelta(hours=hours, minutes=minutes)) == at(end)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-03-02T10:00", "2026-03-02T10:00"),
        ("2026-03-02T12:00", "2026-03-02T13:30"),
        ("2026-03-02T17:30", "2026-03-03T09:00"),
        ("2026-03-04T18:00", "2026-03-06T09:00"),
        ("2026-03-08T00:00", "2026-03-11T09:00"),
    ],
)
def test_a_closed_office_opens_with_its_next_interval(moment: str, opens: str) -> None:
    assert CITY.next_open(at(moment)) == at(opens)


# ── summer time ──


@pytest.mark.parametrize(("on", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_working_day_has_as_many_hours_as_really_pass(on: str, hours: int) -> None:
    start = at(f"{on}T00:00", BERLIN)
    whole = timedelta(hours=hours, minutes=-1)
    assert ALL_DAY.add_working_days(start, 0) - start == whole
    assert ALL_DAY.add_working_time(start, whole) == at(f"{on}T23:59", BERLIN)
    assert ALL_DAY.add_working_time(start, timedelta(hours=hours)) == ALL_DAY.next_open(at(f"{on}T23:59", BERLIN)) + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("moment", "span", "end"),
    [
        ("2026-03-29T01:00", timedelta(hours=2), "2026-03-29T04:00"),  # 02:00 to 03:00 does not exist
        ("2026-10-25T01:00", timedelta(hours=4), "2026-10-25T04:00"),  # 02:00 to 03:00 passes twice
        ("2026-03-28T05:00", timedelta(hours=6), "2026-03-29T06:00"),  # an hour, and a night of five
        ("2026-10-24T05:00", timedelta(hours=8), "2026-10-25T06:00"),  # an hour, and a night of seven
    ],
)
def test_a_night_shift_counts_the_hours_that_pass_and_not_those_of_the_clock(moment: str, span: timedelta, end: str) -> None:
    assert NIGHT.add_working_time(at(moment, BERLIN), span) == at(end, BERLIN)


def test_office_hours_keep_to_the_clock_on_the_wall_before_and_after_the_change() -> None:
    calendar = WorkCalendar("berlin", BERLIN, [OFFICE_HOURS] * 5 + [[], []])
    assert calendar.next_open(at("2026-03-27T20:00", BERLIN)) == datetime(2026, 3, 30, 7, tzinfo=UTC)
    assert calendar.next_open(at("2026-03-26T20:00", BERLIN)) == datetime(2026, 3, 27, 8, tzinfo=UTC)
    assert calendar.add_working_days(at("2026-10-23T10:00", BERLIN), 1) == datetime(2026, 10, 26, 16, 30, tzinfo=UTC)


# ── whatever the moment ──

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 the zone stands beside
SPANS = st.timedeltas(timedelta(0), timedelta(days=30))
CALENDARS = st.sampled_from([PLAIN, CITY, ALL_DAY, NIGHT, WorkCalendar("berlin", BERLIN, CITY.week, HOLIDAYS)])


@given(CALENDARS, MOMENTS, st.integers(0, 60))
def test_a_promise_in_days_ends_at_the_end_of_a_working_day_and_never_before_it_was_given(
    calendar: WorkCalendar, moment: datetime, days: int
) -> None:
    end = calendar.add_working_days(moment, days)
    assert end > moment
    assert end.utcoffset() == timedelta(0)
    local = end.astimezone(calendar.zone)
    assert local.time() == calendar.intervals(local.date())[-1][1]


@given(CALENDARS, MOMENTS, st.integers(1, 40))
def test_between_giving_and_keeping_lie_just_as_many_working_days(calendar: WorkCalendar, moment: datetime, days: int) -> None:
    last = calendar.add_working_days(moment, days).astimezone(calendar.zone).date()
    first = moment.astimezone(calendar.zone).date()
    passed = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
    assert sum(calendar.is_workday(on) for on in passed) == days


@given(CALENDARS, MOMENTS, MOMENTS, st.integers(0, 30), st.integers(0, 30))
def test_who_comes_later_or_gets_more_days_is_never_due_earlier(
    calendar: WorkCalendar, one: datetime, other: datetime, few: int, more: int
) -> None:
    early, late = sorted((one, other))
    fewer, many = sorted((few, more))
    assert calendar.add_working_days(early, fewer) <= calendar.add_working_days(late, fewer)
    assert calendar.add_working_days(early, fewer) <= calendar.add_working_days(early, many)


@given(CALENDARS, MOMENTS, SPANS)
def test_working_time_ends_in_working_time_and_that_much_of_it_has_passed(
    calendar: WorkCalendar, moment: datetime, span: timedelta
) -> None:
    end = calendar.add_working_time(moment, span)
    assert end - moment >= span
    assert calendar.is_open(end) or calendar.is_open(end - timedelta(microseconds=1))
    assert working_time_between(calendar, moment, end) == span


@given(CALENDARS, MOMENTS, MOMENTS, SPANS, SPANS)
def test_working_time_is_monotonic_and_adds_up(
    calendar: WorkCalendar, one: datetime, other: datetime, span: timedelta, more: timedelta
) -> None:
    early, late = sorted((one, other))
    assert calendar.add_working_time(early, span) <= calendar.add_working_time(late, span)
    if span and more:
        assert calendar.add_working_time(calendar.add_working_time(early, span), more) == calendar.add_working_time(early, span + more)


@given(CALENDARS, MOMENTS)
def test_the_next_open_moment_is_open_and_nothing_before_it_is(calendar: WorkCalendar, moment: datetime) -> None:
    opens = calendar.next_open(moment)
    assert calendar.is_open(opens)
    assert (opens == moment) is calendar.is_open(moment)
    assert working_time_between(calendar, moment, opens) == timedelta(0)


def working_time_between(calendar: WorkCalendar, start: datetime, end: datetime) -> timedelta:
    """Count working time the plain way: the intervals of every day, cut to the span."""
    total, on = timedelta(0), start.astimezone(calendar.zone).date()
    while on <= end.astimezone(calendar.zone).date():
        for opens, closes in calendar.intervals(on):
            opened = max(datetime.combine(on, opens, calendar.zone).astimezone(UTC), start)
            closed = min(datetime.combine(on, closes, calendar.zone).astimezone(UTC), end)
            total += max(closed - opened, timedelta(0))
        on += timedelta(days=1)
    return total
