"""Turns at something that one can have at a time, such as the right to write to SQLite."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is handed on in the order of asking, to those first who keep somebody waiting outside.

    A plain lock lets the thread that has just released it take it again at once, and the others starve.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._first: deque[threading.Lock] = deque()
        self._others: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, *, first: bool = False) -> Iterator[None]:
        """Wait for a turn and have it for this block; `first` goes before those who asked without it."""
        self._take(self._first if first else self._others)
        try:
            yield
        finally:
            self._hand_on()

    def _take(self, line: deque[threading.Lock]) -> None:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            called = threading.Lock()
            called.acquire()
            line.append(called)
        called.acquire()  # released by whoever had the turn before, who leaves it taken

    def _hand_on(self) -> None:
        with self._guard:
            line = self._first or self._others
            if line:
                line.popleft().release()
            else:
                self._is_taken = False
