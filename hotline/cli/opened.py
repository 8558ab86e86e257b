"""An installation opened for one command."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from foundation.clock import SystemClock
from foundation.database import Database
from foundation.logs import set_up_logs
from foundation.settings import load_settings
from hotline.migrations import require_head
from hotline.office import Office, open_office


@contextmanager
def opened_office(settings_path: str | None) -> Iterator[Office]:
    """Open everything but the doors' sockets; the database must have this version's shape."""
    settings = load_settings(settings_path)
    set_up_logs("warning", settings.server.log_format)
    office = open_office(settings)
    try:
        require_head(office.database.engine)
        yield office
    finally:
        office.close()


@contextmanager
def opened_database(settings_path: str | None) -> Iterator[Database]:
    """Open only the database, which must have this version's shape."""
    settings = load_settings(settings_path)
    set_up_logs("warning", settings.server.log_format)
    database = Database(settings, SystemClock())
    try:
        require_head(database.engine)
        yield database
    finally:
        database.close()


def who_runs_this() -> str:
    """Return the actor of an administrative command, for the audit trail."""
    return f"cli:{getpass.getuser()}"
