"""Group commit: writes that wait at the same time share one durable commit, each in its own savepoint.

A group never waits to fill: what is there when the writer is free goes in. So one fsync serves many senders, and a
single sender does not wait for others.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from foundation.database import Database, Session, lock, savepoint

T = TypeVar("T")
log = structlog.get_logger(__name__)


class WriterClosedError(Exception):
    """The server is stopping; the sender tries again."""


@dataclass(slots=True)
class _Waiting:
    write: Callable[[Session], Any]
    keys: tuple[str, ...]
    result: Future[Any]


class GroupWriter:
    """One thread that writes for many."""

    def __init__(self, database: Database, *, group_size: int) -> None:
        self._database = database
        self._group_size = group_size
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._is_closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="group-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[Session], T], *, keys: Sequence[str] = ()) -> Future[T]:
        """Return a future that is done once `write` stands in a durable commit.

        write    runs in a savepoint of a shared transaction; its error fails this future alone
        keys     held for the transaction, see `foundation.database.lock`
        """
        result: Future[T] = Future()
        result.set_running_or_notify_cancel()  # whoever gives up waiting cannot cancel it: the answer of a write always has a taker
        with self._closing:
            if self._is_closed:
                result.set_exception(WriterClosedError())
            else:
                self._queue.put(_Waiting(write, tuple(keys), result))
        return result

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._closing:  # nothing is put behind the end
            self._is_closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._next_group()
            if group:
                self._write(group)

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        first = self._queue.get()
        if first is None:
            return [], False
        group = [first]
        while len(group) < self._group_size:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                return group, False
            group.append(waiting)
        return group, True

    def _write(self, group: list[_Waiting]) -> None:
        """Write a group; when the transaction itself fails, write each alone, so that one cannot fail the others."""
        try:
            answers = self._write_together(group)
        except Exception as error:  # noqa: BLE001 - whatever failed, each sender is told
            if len(group) == 1:
                log.error("group_commit_failed", error=type(error).__name__)
                group[0].result.set_exception(error)
                return
            for waiting in group:
                self._write([waiting])
            return
        for waiting, (value, failure) in zip(group, answers, strict=True):
            if failure is None:
                waiting.result.set_result(value)
            else:
                waiting.result.set_exception(failure)

    def _write_together(self, group: list[_Waiting]) -> list[tuple[Any, Exception | None]]:
        answers: list[tuple[Any, Exception | None]] = []
        with self._database.write(first=True) as session:
            lock(session, [key for waiting in group for key in waiting.keys])
            for waiting in group:
                try:
                    with savepoint(session):
                        value = waiting.write(session)
                except Exception as error:  # noqa: BLE001 - it fails this one alone
                    log.error("group_member_failed", error=type(error).__name__)
                    answers.append((None, error))
                else:
                    answers.append((value, None))
        return answers
