from __future__ import annotations

from datetime import UTC, datetime, timedelta

from foundation.clock import SetClock, SystemClock, monotonic_seconds

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_system_clock_gives_aware_moments_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_set_clock_stands_until_it_is_set_again() -> None:
    clock = SetClock(NEW_YEAR)
    assert clock.now() == clock.now() == NEW_YEAR
    clock.set(NEW_YEAR + timedelta(hours=1))
    assert clock.now() == NEW_YEAR + timedelta(hours=1)


def test_a_clock_that_caught_up_runs_with_the_systems() -> None:
    clock = SetClock(NEW_YEAR)
    clock.catch_up()
    before = SystemClock().now()
    assert before <= clock.now() <= SystemClock().now()


def test_spans_are_measured_on_a_clock_that_never_goes_back() -> None:
    moments = [monotonic_seconds() for _ in range(100)]
    assert moments == sorted(moments)
