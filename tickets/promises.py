"""By when a department promises to answer, and the arithmetic that the citizen may see. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from foundation.i18n import Sentence, mark
from foundation.workdays import WorkCalendar
from tickets.lifecycle import TicketKind, Urgency


class PromiseUnit(StrEnum):
    HOURS = "hours"  # of the clock, day and night
    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"


@dataclass(frozen=True, slots=True)
class PromiseTerms:
    """One rule: what it is for (None matches everything) and how long it gives."""

    code: str
    amount: int
    unit: PromiseUnit
    kind: str | None = None
    category_code: str | None = None
    urgency: str | None = None


@dataclass(frozen=True, slots=True)
class PromisedDeadline:
    """The moment, UTC, the rule it came from, and every step of the arithmetic."""

    promised_at: datetime
    rule_code: str
    arithmetic: tuple[Sentence, ...]


class NoPromiseRuleError(Exception):
    """No promise rule fits this ticket; import one that has neither kind, category nor urgency."""


def choose_terms(rules: Sequence[PromiseTerms], *, kind: TicketKind, category_code: str | None, urgency: Urgency) -> PromiseTerms:
    """Return the rule that fits and says most; urgency outweighs category, category outweighs kind."""
    facts = {"urgency": str(urgency), "category_code": category_code, "kind": str(kind)}
    fitting = [rule for rule in rules if all(getattr(rule, name) in (None, value) for name, value in facts.items())]
    if not fitting:
        raise NoPromiseRuleError
    return max(fitting, key=lambda rule: tuple(getattr(rule, name) is not None for name in facts))


def promised_deadline(opened_at: datetime, terms: PromiseTerms, calendar: WorkCalendar, *, percent: int = 100) -> PromisedDeadline:
    """Return the moment by which the lead department promises to answer.

    opened_at   when the clock starts, UTC; with working days the day itself is not counted
    calendar    weekends, public holidays and make-up workdays of the department
    percent     less than 100 for a redo; the amount is rounded up to a whole unit
    Raises      NoWorkingDayError if the calendar has no working day within a year
    Source      docs/decisions/0006-promises.md
    """
    amount = -(-terms.amount * percent // 100)
    promised_at = _moment(opened_at, amount, terms.unit, calendar)
    return PromisedDeadline(promised_at, terms.code, _arithmetic(opened_at, terms, amount, percent, calendar, promised_at))


def _moment(start: datetime, amount: int, unit: PromiseUnit, calendar: WorkCalendar) -> datetime:
    if unit is PromiseUnit.WORKING_DAYS:
        return calendar.add_working_days(start, amount)
    if unit is PromiseUnit.WORKING_HOURS:
        return calendar.add_working_time(start, timedelta(hours=amount))
    return start + timedelta(hours=amount)


COUNTED: dict[PromiseUnit, str] = {
    PromiseUnit.HOURS: mark("%(amount)s hours of the clock from %(start)s."),
    PromiseUnit.WORKING_HOURS: mark("%(amount)s working hours from %(start)s, calendar %(calendar)s."),
    PromiseUnit.WORKING_DAYS: mark("%(amount)s working days after the day of %(start)s, calendar %(calendar)s."),
}


def _arithmetic(
    start: datetime, terms: PromiseTerms, amount: int, percent: int, calendar: WorkCalendar, promised_at: datetime
) -> tuple[Sentence, ...]:
    def local(moment: datetime) -> str:
        return moment.astimezone(calendar.zone).strftime("%Y-%m-%d %H:%M")

    steps: list[Sentence] = [(mark("Rule %(rule)s."), {"rule": terms.code})]
    if percent != 100:
        steps.append((mark("A redo gets %(percent)s%% of the usual time."), {"percent": percent}))
    steps.append((COUNTED[terms.unit], {"amount": amount, "start": local(start), "calendar": calendar.code}))
    steps.append((mark("Promised by %(end)s (%(zone)s)."), {"end": local(promised_at), "zone": calendar.zone.key}))
    return tuple(steps)
