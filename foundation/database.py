"""One door to the database: a transaction that writes, or one that reads; SQLite and PostgreSQL alike.

Only the edge of a request or a job opens one, so only the edge commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlmodel
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import SessionTransaction

from foundation.clock import Clock
from foundation.settings import Settings, SettingsError
from foundation.turns import Turns

BUSY_TIMEOUT_MS = 30_000
Nudge = Callable[[frozenset[str]], None]


class Session(sqlmodel.Session):
    """A transaction with its moment: everything that is written in it happened at `now`."""

    now: datetime
    settings: Settings
    lanes: set[str]  # lanes of work that became due in this transaction; nudged after the commit
    idle_kinds: frozenset[str]  # kinds of work for which this installation does nothing
    # Who does the reactions of this transaction's events within it collects them here; None writes them down as work.
    at_once: list[Any] | None = None

    open_steps = 0  # blocks of `savepoint` that are open
    _begins_nested = False

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write what changed; in a step under SQLAlchemy's own savepoint, since it ends the transaction when a row is refused."""
        if self._begins_nested or not (self.new or self.identity_map.check_modified() or self.deleted):
            return  # nothing to write, or nothing goes out before that savepoint stands
        with self._own_savepoint() if self.open_steps else nullcontext():
            super().flush(objects)

    def _own_savepoint(self) -> SessionTransaction:
        self._begins_nested = True
        try:
            return self.begin_nested()
        finally:
            self._begins_nested = False

    @cached_property
    def open_connection(self) -> Connection:
        """Return the connection of this transaction; a session of ours lives for one."""
        return self.connection()

    @cached_property
    def dialect(self) -> Dialect:
        return self.open_connection.dialect

    @cached_property
    def _cursor(self) -> Any:
        return self.open_connection.connection.cursor()

    def execute_on_driver(self, statement: str, parameters: Any = ()) -> Any:
        """Execute in this transaction, past SQLAlchemy; return the driver's cursor, which the next statement uses again."""
        self._cursor.execute(statement, parameters)
        return self._cursor

    def execute_many_on_driver(self, statement: str, parameters: Sequence[Any]) -> Any:
        """Execute once for each of `parameters`; return the driver's cursor."""
        self._cursor.executemany(statement, parameters)
        return self._cursor

    @property
    def is_postgresql(self) -> bool:
        return self.dialect.name == "postgresql"


class ReactionsMissingError(Exception):
    """Events were collected whose reactions nobody did: the transaction is not committed, so that they are not lost."""


class Database:
    """The engine, and the rules of who may write when."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.url = parse_url(settings.database_url)
        self.engine = open_engine(self.url, pool_size=settings.database.pool_size)
        self._reader = self.engine.execution_options(read_only=True)
        # SQLite has one writer. Waiting for it here is fair and exact; its own busy handler sleeps in steps of up to 100 ms.
        self._turns = Turns() if self.is_sqlite else None
        self.nudge: Nudge = _wake_nobody
        self.idle_kinds: frozenset[str] = frozenset()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def write(self, *, first: bool = False) -> Iterator[Session]:
        """Open a transaction that writes; commit at the end, roll back on any error, then nudge the work that became due.

        first   a provider waits for it: on SQLite it gets its turn before all others
        """
        turn = nullcontext() if self._turns is None else self._turns.turn(first=first)
        with turn, self._session(self.engine) as session:
            yield session
            if session.at_once:
                raise ReactionsMissingError
            session.commit()
        if session.lanes:
            self.nudge(frozenset(session.lanes))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that only reads; a writer does not block it."""
        with self._session(self._reader) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with Session(engine, expire_on_commit=False, autoflush=False) as session:
            session.now = self.clock.now()
            session.settings = self.settings
            session.lanes = set()
            session.idle_kinds = self.idle_kinds
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _wake_nobody(_lanes: frozenset[str]) -> None:
    """Until a runner or Celery is named, the sweep alone finds what is due."""


class savepoint:  # noqa: N801 - used as the function that it would be if a generator cost nothing
    """Undo what is written in this block when it raises, and only that; the transaction goes on.

    Lighter than `Session.begin_nested`, which copies the session's state: objects that the block changed are read anew.
    """

    __slots__ = ("_collected", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> None:
        session = self._session
        session.flush()  # what was written before the block is not the block's to lose
        self._collected = len(session.at_once or ())
        session.execute_on_driver("SAVEPOINT step")
        session.open_steps += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        session = self._session
        try:
            if error is None:
                session.flush()
        except BaseException:
            self._undo()
            raise
        finally:
            session.open_steps -= 1
        if error is None:
            session.execute_on_driver("RELEASE SAVEPOINT step")
        else:
            self._undo()

    def _undo(self) -> None:
        session = self._session
        for added in list(session.new):
            session.expunge(added)
        del (session.at_once or [])[self._collected :]
        session.expire_all()
        session.execute_on_driver("ROLLBACK TO SAVEPOINT step")
        session.execute_on_driver("RELEASE SAVEPOINT step")


def parse_url(url: str) -> URL:
    """Return the database's URL, or raise SettingsError that says which ones are served."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the text of the URL may hold a password, so it is not shown
        raise SettingsError(
            '[database] url cannot be read; use "sqlite:///var/hotline.db" or "postgresql+psycopg://user:password@host/name"'
        ) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(f"[database] url: {parsed.get_backend_name()} is not served; use sqlite:/// or postgresql+psycopg://")
    return parsed


def open_engine(url: URL, *, pool_size: int = 10) -> Engine:
    """Return an engine set up so that an acknowledged row survives a power cut."""
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, pool_size)
    return create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True)


def _open_sqlite(url: URL, pool_size: int) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "hide_parameters": True}
    engine = create_engine(url, pool_size=pool_size, max_overflow=pool_size, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Without this the driver begins a transaction only at the first write, and a SELECT before it reads an older state.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-8192",  # KiB for each connection
            "wal_autocheckpoint=4000",  # pages: a page that many commits touch is copied once
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "checkin")
    def _end(connection: Any, _record: Any) -> None:
        # A COMMIT that fails leaves SQLite's transaction open, and SQLAlchemy takes it for ended: it would lock everybody out.
        if connection is not None and connection.in_transaction:
            connection.rollback()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_reader = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

    return engine


def lock(session: Session, keys: Iterable[str]) -> None:
    """Hold `keys` until the transaction ends, so that two processes cannot both find "there is none yet".

    Taken in one order everywhere, so that two groups never wait for each other. SQLite has one writer and needs no lock.
    """
    if not session.is_postgresql:
        return
    numbers = sorted({int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True) for key in keys})
    if numbers:
        session.execute(text("select pg_advisory_xact_lock(key) from unnest(cast(:keys as bigint[])) as key"), {"keys": numbers})


def next_serial(session: Session, name: str) -> int:
    """Return the next number of a counter. Numbers are unique and rise; a rolled-back one may be missing."""
    if session.is_postgresql:
        found = session.execute_on_driver("select nextval(%s)", (f"serial_{name}",))
    else:
        found = session.execute_on_driver("update serial set value = value + 1 where name = ? returning value", (name,))
    return int(found.fetchone()[0])
