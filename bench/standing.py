"""The server at rest, and its pages."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measuring import cpu_seconds, memory, percentile, record, say
from bench.stores import copied
from foundation.database import Database
from foundation.ids import new_id
from foundation.security import new_token, token_hash
from identity.access import Role
from identity.models import Staff, StaffSession
from tests.crash.counting import open_database, wait_until_done
from tests.live import Server, install, letter, send_letter, serving

SESSION_COOKIE = "hotline_session"
SETTLING_SECONDS = 3


def idle(scale: int, seconds: int) -> None:
    """Measure the server left alone after one letter, which started the process that reads letters."""
    with _server(scale) as (server, database):
        send_letter(server.installation.smtp_port, letter("idle"))
        wait_until_done(database)
        time.sleep(SETTLING_SECONDS)
        say(f"idle for {seconds} s")
        before, began_at = cpu_seconds(server.pid), time.monotonic()
        time.sleep(seconds)
        percent = (cpu_seconds(server.pid) - before) * 100 / (time.monotonic() - began_at)
        found = memory(server.pid)
    record("idle", store=scale, seconds=seconds, cpu_percent=percent, rss_mb=found.rss_mb, pss_mb=found.pss_mb, processes=found.processes)


def page(scale: int, count: int) -> None:
    """Measure the first page of the ticket list, and one further down, as a manager sees them."""
    with _server(scale) as (server, database):
        cookie = _signed_in(database)
        with closing(http.client.HTTPConnection("127.0.0.1", server.installation.http_port)) as connection:
            for name, path in (("newest", "/"), ("dispatched", "/?state=dispatched")):
                _get(connection, path, cookie)
                before = cpu_seconds(server.pid)
                times = [_get(connection, path, cookie) for _ in range(count)]
                cpu_ms = (cpu_seconds(server.pid) - before) * 1000 / count
                spread = {"p50_ms": percentile(times, 50), "p99_ms": percentile(times, 99)}
                record("page", store=scale, page=name, count=count, cpu_ms=cpu_ms, **spread)


def _signed_in(database: Database) -> str:
    """Return the cookie of a manager's session."""
    token = new_token()
    with database.write() as session:
        staff = Staff(username=f"bench-{new_id().hex}", role=Role.MANAGER, created_at=session.now)
        ends = session.now + timedelta(hours=1)
        opened = StaffSession(
            token_hash=token_hash(token), staff_id=staff.id, csrf_token=new_token(), created_at=session.now, expires_at=ends
        )
        session.add(staff)
        session.flush()
        session.add(opened)
    return f"{SESSION_COOKIE}={token}"


def _get(connection: http.client.HTTPConnection, path: str, cookie: str) -> float:
    """Return how many milliseconds a page took."""
    began_at = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise AssertionError(f"{path}: {response.status}")
    return (time.perf_counter() - began_at) * 1000


@contextmanager
def _server(scale: int) -> Iterator[tuple[Server, Database]]:
    with (
        copied(scale) as url,
        TemporaryDirectory(prefix="hotline-bench-") as folder,
        closing(open_database(url)) as database,
        serving(install(Path(folder), url)) as server,
    ):
        yield server, database
