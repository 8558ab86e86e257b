"""The only place that reads the time. Everything else is handed a moment."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that somebody sets: tests, and the demo that starts in the past and catches up."""

    def __init__(self, moment: datetime) -> None:
        self._moment: datetime | None = moment

    def now(self) -> datetime:
        return self._moment or datetime.now(UTC)

    def set(self, moment: datetime) -> None:
        self._moment = moment

    def catch_up(self) -> None:
        """Run with the system's clock from here on."""
        self._moment = None


def monotonic_seconds() -> float:
    """Return seconds from an arbitrary start, for measuring spans and time-outs."""
    return time.monotonic()
