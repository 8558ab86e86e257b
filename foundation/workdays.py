"""Working time: several intervals a day, public holidays, make-up workdays, a time zone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Interval = tuple[time, time]
HORIZON_DAYS = 366
MIDNIGHT = time(0)


class NoWorkingDayError(Exception):
    """The calendar has no working day within a year; correct its weekly hours or its holidays."""


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When an office works.

    week    seven sequences of intervals, Monday first; local wall-clock times; an interval that ends at 00:00 ends with its day
    days    exceptions: a date that is worked (True: with the hours of the first working weekday) or not (False)
    """

    code: str
    zone: ZoneInfo
    week: Sequence[Sequence[Interval]]
    days: Mapping[date, bool] = field(default_factory=dict)

    def is_workday(self, on: date) -> bool:
        return bool(self.intervals(on))

    def intervals(self, on: date) -> Sequence[Interval]:
        """Return the hours that are worked on a date, in order; empty when none."""
        exception = self.days.get(on)
        if exception is False:
            return ()
        usual = self.week[on.weekday()]
        if exception and not usual:
            return next((hours for hours in self.week if hours), ())
        return usual

    def is_open(self, moment: datetime) -> bool:
        """Return whether the office works at `moment`."""
        return any(start <= moment < end for start, end in self._spans(self._local_date(moment)))

    def next_open(self, moment: datetime) -> datetime:
        """Return `moment` itself when the office works then, else the start of the next working interval, UTC."""
        for start, end in self._spans_from(moment):
            if moment < end:
                return max(moment, start)
        raise NoWorkingDayError(self.code)

    def start_of_day(self, moment: datetime) -> datetime:
        """Return the start of the first working interval of `moment`'s local day, UTC; that day must be a working day."""
        return self._spans(self._local_date(moment))[0][0]

    def add_working_days(self, moment: datetime, days: int) -> datetime:
        """Return the end of the working day that is `days` whole working days after `moment`'s day, UTC.

        The day of `moment` is not counted; 0 means the end of that day, or of the next working day when it is none.
        Raises   NoWorkingDayError when the calendar runs out of working days within a year
        """
        on, left, looked = self._local_date(moment), days, 0
        if left == 0 and self.is_workday(on) and moment < self._spans(on)[-1][1]:
            return self._spans(on)[-1][1]
        left = max(left, 1)
        while left:
            on += timedelta(days=1)
            looked = 0 if self.is_workday(on) else looked + 1
            if looked > HORIZON_DAYS:
                raise NoWorkingDayError(self.code)
            left -= self.is_workday(on)
        return self._spans(on)[-1][1]

    def add_working_time(self, moment: datetime, span: timedelta) -> datetime:
        """Return the moment at which `span` of working time has passed since `moment`, UTC."""
        left = span
        for start, end in self._spans_from(moment):
            begin = max(start, moment)
            if begin < end:
                if left <= end - begin:
                    return begin + left
                left -= end - begin
        raise NoWorkingDayError(self.code)

    def _local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def _spans(self, on: date) -> list[tuple[datetime, datetime]]:
        """Return the intervals of a date as UTC moments, so that a change of summer time counts real hours."""
        return [
            (
                datetime.combine(on, start, self.zone).astimezone(UTC),
                datetime.combine(self._day_of(end, on), end, self.zone).astimezone(UTC),
            )
            for start, end in self.intervals(on)
        ]

    @staticmethod
    def _day_of(end: time, on: date) -> date:
        return on + timedelta(days=1) if end == MIDNIGHT else on

    def _spans_from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        on, looked = self._local_date(moment), 0
        while looked <= HORIZON_DAYS:
            spans = self._spans(on)
            looked = 0 if spans else looked + 1
            yield from spans
            on += timedelta(days=1)
