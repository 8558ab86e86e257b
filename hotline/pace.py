"""How long one transaction of the background work may last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from foundation.clock import monotonic_seconds

T = TypeVar("T")

# SQLite has one writer: so long a provider that waits for its answer may have to wait for the background.
HOLD_SECONDS = 0.012


def works_in_time(works: Iterable[T]) -> Iterator[T]:
    """Yield the first of `works`, and the next ones while the time of one transaction is not over."""
    until = monotonic_seconds() + HOLD_SECONDS
    for work in works:
        yield work
        if monotonic_seconds() > until:
            return
