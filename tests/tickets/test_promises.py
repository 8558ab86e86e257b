"""By when a department promises to answer. Moments are told in Shanghai's time: 09:00-12:00 and 13:30-17:30, Monday to Friday."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from foundation.i18n import say
from foundation.workdays import NoWorkingDayError, WorkCalendar
from tickets.lifecycle import TicketKind, Urgency
from tickets.promises import NoPromiseRuleError, PromiseTerms, PromiseUnit, choose_terms, promised_deadline

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURS = ((time(9), time(12)), (time(13, 30), time(17, 30)))
MAY_DAY = {date(2026, 5, 1): False, date(2026, 5, 4): False, date(2026, 5, 5): False, date(2026, 5, 9): True}  # the 9th makes up
OFFICE = WorkCalendar("default", SHANGHAI, (*[HOURS] * 5, (), ()), MAY_DAY)

DAYS, WORKING_HOURS, CLOCK_HOURS = PromiseUnit.WORKING_DAYS, PromiseUnit.WORKING_HOURS, PromiseUnit.HOURS


def terms(amount: int, unit: PromiseUnit = DAYS) -> PromiseTerms:
    return PromiseTerms("usual", amount, unit)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def due(opened: str, amount: int, unit: PromiseUnit = DAYS, percent: int = 100) -> str:
    promised = promised_deadline(local(opened), terms(amount, unit), OFFICE, percent=percent).promised_at
    assert promised.utcoffset() == timedelta(0)
    return promised.astimezone(SHANGHAI).strftime("%a %m-%d %H:%M")


def test_a_friday_evening_complaint_is_due_at_the_end_of_monday_week() -> None:
    assert due("2026-03-06 19:00", 6) == "Mon 03-16 17:30"


@pytest.mark.parametrize(
    ("opened", "amount", "end"),
    [
        ("2026-03-02 09:00", 1, "Tue 03-03 17:30"),  # the day itself is not counted, however early
        ("2026-03-02 00:01", 1, "Tue 03-03 17:30"),
        ("2026-03-02 23:59", 1, "Tue 03-03 17:30"),
        ("2026-03-06 10:00", 1, "Mon 03-09 17:30"),
        ("2026-03-07 10:00", 1, "Mon 03-09 17:30"),  # on Saturday
        ("2026-03-08 10:00", 5, "Fri 03-13 17:30"),
        ("2026-04-30 10:00", 1, "Wed 05-06 17:30"),  # May Day: Friday to Tuesday
        ("2026-05-06 10:00", 3, "Sat 05-09 17:30"),  # a Saturday that makes up for it
        ("2026-05-08 10:00", 2, "Mon 05-11 17:30"),
    ],
)
def test_working_days_count_from_the_next_one_and_end_with_the_office(opened: str, amount: int, end: str) -> None:
    assert due(opened, amount) == end


@pytest.mark.parametrize(
    ("opened", "amount", "end"),
    [
        ("2026-03-02 09:00", 2, "Mon 03-02 11:00"),
        ("2026-03-02 11:00", 2, "Mon 03-02 14:30"),  # over lunch
        ("2026-03-02 12:30", 1, "Mon 03-02 14:30"),  # from within lunch
        ("2026-03-06 16:30", 4, "Mon 03-09 12:00"),  # over the weekend
        ("2026-03-07 10:00", 7, "Mon 03-09 17:30"),  # a whole day ends with the office, not the morning after
        ("2026-04-30 17:30", 1, "Wed 05-06 10:00"),
    ],
)
def test_working_hours_run_only_while_the_office_works(opened: str, amount: int, end: str) -> None:
    assert due(opened, amount, WORKING_HOURS) == end


def test_hours_of_the_clock_run_day_and_night() -> None:
    assert due("2026-03-06 23:30", 24, CLOCK_HOURS) == "Sat 03-07 23:30"


def test_hours_of_the_clock_are_real_hours_when_summer_time_begins() -> None:
    berlin = WorkCalendar("berlin", ZoneInfo("Europe/Berlin"), (HOURS,) * 7)
    opened_at = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    assert promised_deadline(opened_at, terms(24, CLOCK_HOURS), berlin).promised_at == datetime(2026, 3, 29, 22, 0, tzinfo=UTC)


def test_working_hours_begin_at_the_offices_own_nine_when_summer_time_began() -> None:
    berlin = WorkCalendar("berlin", ZoneInfo("Europe/Berlin"), (HOURS,) * 7)
    opened_at = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    assert promised_deadline(opened_at, terms(1, WORKING_HOURS), berlin).promised_at == datetime(2026, 3, 29, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "unit", "end"),
    [
        (5, DAYS, "Thu 03-05 17:30"),  # two and a half days are three
        (1, DAYS, "Tue 03-03 17:30"),  # never nothing
        (4, DAYS, "Wed 03-04 17:30"),
        (24, CLOCK_HOURS, "Mon 03-02 21:00"),
        (3, WORKING_HOURS, "Mon 03-02 11:00"),
    ],
)
def test_a_redo_gets_its_percent_of_the_time_rounded_up_to_a_whole_unit(amount: int, unit: PromiseUnit, end: str) -> None:
    assert due("2026-03-02 09:00", amount, unit, percent=50) == end


@pytest.mark.parametrize("percent", [1, 33, 50, 99])
def test_a_redo_is_never_due_later_than_the_first_time(percent: int) -> None:
    for amount in range(1, 12):
        first, redo = (promised_deadline(local("2026-03-06 15:00"), terms(amount), OFFICE, percent=share) for share in (100, percent))
        assert redo.promised_at <= first.promised_at


def test_an_office_that_never_works_promises_nothing() -> None:
    never = WorkCalendar("never", SHANGHAI, ((),) * 7)
    with pytest.raises(NoWorkingDayError, match="never"):
        promised_deadline(local("2026-03-02 09:00"), terms(1), never)
    with pytest.raises(NoWorkingDayError):
        promised_deadline(local("2026-03-02 09:00"), terms(1, WORKING_HOURS), never)


# ── which rule ──

RULES = [
    PromiseTerms("any", 5, DAYS),
    PromiseTerms("complaint", 4, DAYS, kind="complaint"),
    PromiseTerms("noise", 3, DAYS, category_code="noise"),
    PromiseTerms("noise-complaint", 2, DAYS, kind="complaint", category_code="noise"),
    PromiseTerms("urgent", 24, CLOCK_HOURS, urgency="urgent"),
]


@pytest.mark.parametrize(
    ("kind", "category", "urgency", "rule"),
    [
        ("request", None, "normal", "any"),
        ("complaint", None, "normal", "complaint"),
        ("request", "noise", "normal", "noise"),
        ("complaint", "noise", "normal", "noise-complaint"),
        ("complaint", "noise", "urgent", "urgent"),  # urgency outweighs both others
        ("complaint", "lamp", "emergency", "complaint"),  # no rule for it: what is left decides
    ],
)
def test_the_rule_that_says_most_wins(kind: str, category: str | None, urgency: str, rule: str) -> None:
    for rules in (RULES, RULES[::-1]):
        assert choose_terms(rules, kind=TicketKind(kind), category_code=category, urgency=Urgency(urgency)).code == rule


def test_without_a_rule_that_fits_there_is_no_promise() -> None:
    with pytest.raises(NoPromiseRuleError):
        choose_terms(RULES[1:4], kind=TicketKind.REQUEST, category_code=None, urgency=Urgency.NORMAL)


# ── the arithmetic, as the citizen may read it ──


def arithmetic(amount: int, unit: PromiseUnit = DAYS, *, percent: int = 100, language: str = "en") -> list[str]:
    given = promised_deadline(local("2026-03-06 19:00"), terms(amount, unit), OFFICE, percent=percent)
    return [say(language, text, **values) for text, values in given.arithmetic]


def test_the_arithmetic_names_rule_start_calendar_and_end() -> None:
    assert arithmetic(6) == [
        "Rule usual.",
        "6 working days after the day of 2026-03-06 19:00, calendar default.",
        "Promised by 2026-03-16 17:30 (Asia/Shanghai).",
    ]


def test_the_arithmetic_of_a_redo_says_that_it_gets_less_and_counts_what_it_gets() -> None:
    assert arithmetic(5, percent=50)[1:3] == [
        "A redo gets 50% of the usual time.",
        "3 working days after the day of 2026-03-06 19:00, calendar default.",
    ]


@pytest.mark.parametrize("unit", list(PromiseUnit))
def test_the_arithmetic_can_be_read_in_chinese(unit: PromiseUnit) -> None:
    read = arithmetic(5, unit, percent=50, language="zh")
    assert len(read) == 4
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in line) for line in read)
    assert "50%" in read[1]
