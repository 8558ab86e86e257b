"""Contacts through the real doors: how fast they become routed tickets, what CPU they cost, how soon they are acknowledged.

`cpu_ms` counts the server and its children, from the first contact until the last reaction and message is done: keeping,
parsing, matching, ticket, routing, promise, reminder, and the acknowledgement handed to the console twin.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlmodel import col, func, select

from bench.measuring import cpu_seconds, percentile, record, say
from bench.stores import copied
from foundation.clock import monotonic_seconds
from foundation.database import Database
from foundation.models import DueWork
from foundation.work import IS_DUE, IS_LEASED, Lane
from tests.crash.counting import open_database
from tests.live import HOTLINE, Server, install, serving, wait_until
from tickets.lifecycle import TicketState
from tickets.models import Ticket

WARM_UP = 50
TO_ROUTED = (Lane.INTAKE, Lane.REACTIONS)
TO_TOLD = (*TO_ROUTED, Lane.OUTBOX)
_numbers = count(0, 10_000)  # every run of clients has senders of its own


@dataclass(frozen=True, slots=True)
class Load:
    """clients: how many send at once; count: contacts of all together; noop_ms: CPU of a letter to a server that does nothing."""

    clients: int
    count: int
    noop_ms: float = 0.0
    options: tuple[str, ...] = ()


UNDELIVERED = ("-m", "bench.undelivered")


def noop_smtp(clients: int, letters: int) -> float:
    """Measure letters to the library alone; return CPU ms per letter."""
    with _noop_server() as (process, port):
        _send("smtp", port, Load(clients, WARM_UP))
        before = cpu_seconds(process.pid)
        sent = _send("smtp", port, Load(clients, letters))
        cpu_ms = (cpu_seconds(process.pid) - before) * 1000 / letters
    record("noop_smtp", clients=clients, count=letters, rate_per_s=letters / sent["seconds"], cpu_ms=cpu_ms, **_spread(sent))
    return cpu_ms


def email(loads: list[Load], scale: int, *, delivered: bool) -> None:
    """Measure letters through the mail door.

    delivered   whether acknowledgements are handed to the console twin; else they are only queued
    """
    with _server(scale, HOTLINE if delivered else UNDELIVERED) as (server, database):
        for load in loads:
            lanes = TO_TOLD if delivered else TO_ROUTED
            facts = _measure(server, database, load, lanes, lambda load: _send("smtp", server.installation.smtp_port, load))
            record("email", store=scale, delivered=delivered, **facts, cpu_ms_beyond_noop=facts["cpu_ms"] - load.noop_ms)


def sms(loads: list[Load], scale: int) -> None:
    """Measure signed SMS webhooks."""
    with _server(scale, HOTLINE) as (server, database):
        public = ("--public-url", server.installation.public_url)
        for load in loads:
            signed = replace(load, options=public)
            facts = _measure(server, database, signed, TO_TOLD, lambda load: _send("sms", server.installation.http_port, load))
            record("sms", store=scale, delivered=True, **facts)


@contextmanager
def _server(scale: int, program: Sequence[str]) -> Iterator[tuple[Server, Database]]:
    with (
        copied(scale) as url,
        TemporaryDirectory(prefix="hotline-bench-") as folder,
        closing(open_database(url)) as database,
        serving(install(Path(folder), url, settings={"server": {"log_level": "warning"}}), program=program) as server,
    ):
        yield server, database


def _measure(
    server: Server, database: Database, load: Load, lanes: tuple[Lane, ...], send: Callable[[Load], dict[str, Any]]
) -> dict[str, Any]:
    say(f"{load.count} contacts, {load.clients} clients")
    send(Load(load.clients, WARM_UP, options=load.options))
    _wait(database, lanes)
    routed_before, cpu_before, began_at = _routed(database), cpu_seconds(server.pid), monotonic_seconds()
    sent = send(load)
    _wait(database, TO_ROUTED)
    seconds = monotonic_seconds() - began_at
    _wait(database, lanes)
    cpu_ms = (cpu_seconds(server.pid) - cpu_before) * 1000 / load.count
    routed = _routed(database) - routed_before
    if sent["refused"] or routed != load.count:
        raise AssertionError(f"{load.count} contacts: {sent['refused']} refused, {routed} routed")
    rates = {"rate_per_s": load.count / seconds, "acknowledged_per_s": load.count / sent["seconds"]}
    return {"clients": load.clients, "count": load.count, **rates, "cpu_ms": cpu_ms, **_spread(sent)}


def _wait(database: Database, lanes: tuple[Lane, ...]) -> None:
    wait_until(lambda: not _has_work(database, lanes), f"{lanes} are done", seconds=600)


def _has_work(database: Database, lanes: tuple[Lane, ...]) -> bool:
    with database.read() as session:
        waiting = select(DueWork.id).where(IS_DUE, col(DueWork.lane).in_(lanes)).limit(1)
        claimed = select(DueWork.id).where(IS_LEASED, col(DueWork.lane).in_(lanes)).limit(1)
        return any(session.exec(question).first() is not None for question in (waiting, claimed))


def _routed(database: Database) -> int:
    """Return how many tickets were dispatched with a promise."""
    with database.read() as session:
        done = (col(Ticket.state) == TicketState.DISPATCHED, col(Ticket.promised_at).is_not(None))
        return session.exec(select(func.count()).select_from(Ticket).where(*done)).one()


def _send(door: str, port: int, load: Load) -> dict[str, Any]:
    """Send in a process of its own and return what it measured."""
    numbers = ("--port", str(port), "--clients", str(load.clients), "--count", str(load.count), "--first", str(next(_numbers)))
    done = subprocess.run([sys.executable, "-m", "bench.clients", door, *numbers, *load.options], check=True, stdout=subprocess.PIPE)
    sent: dict[str, Any] = json.loads(done.stdout)
    return sent


def _spread(sent: dict[str, Any]) -> dict[str, float]:
    return {"ack_p50_ms": percentile(sent["ack_ms"], 50), "ack_p99_ms": percentile(sent["ack_ms"], 99)}


@contextmanager
def _noop_server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with subprocess.Popen([sys.executable, "-m", "bench.noop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.stdin.close()
