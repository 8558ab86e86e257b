"""The same jobs done by the server's own runner and by Celery's workers, which may be killed at any moment."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import col, func, select

from foundation.database import Database
from foundation.models import DueWork
from foundation.work import Lane
from tests.crash.counting import Store, open_database, read_store, wait_until_done
from tests.live import Installation, install, letter, send_letter, serving, wait_until, working
from tickets.lifecycle import TicketState
from tickets.models import Ticket

LETTERS = 60
QUICK_WORK = {"lease_seconds": 6, "sweep_seconds": 1, "batch_size": 5}


@pytest.fixture
def own_redis_url(redis_url: str) -> str:
    """A Redis database that no other process of this run uses, so that no other workers take our messages."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 15 + 1
    return f"{redis_url.rpartition('/')[0]}/{number}"


def test_the_servers_own_runner_takes_a_letter_to_a_routed_ticket(database_url: str, tmp_path: Path) -> None:
    installation = install(tmp_path / "server", database_url)
    with serving(installation):
        send_letter(installation.smtp_port, letter("lamp"))
        _require_routed(database_url, "lamp")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_celerys_workers_take_a_letter_to_a_routed_ticket(database_url: str, own_redis_url: str, tmp_path: Path) -> None:
    installation = _at_scale(tmp_path, database_url, own_redis_url)
    with serving(installation, jobs=False), working(installation):
        send_letter(installation.smtp_port, letter("lamp"))
        _require_routed(database_url, "lamp")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_killed_celery_worker_loses_nothing(database_url: str, own_redis_url: str, tmp_path: Path) -> None:
    installation = _at_scale(tmp_path, database_url, own_redis_url)
    sent = [f"lamp-{number}" for number in range(LETTERS)]
    with closing(open_database(database_url)) as database, serving(installation, jobs=False):
        for word in sent:
            send_letter(installation.smtp_port, letter(word))
        with working(installation) as worker:
            wait_until(lambda: _is_in_the_middle(database), "some of the work is done, some is claimed, some waits")
            worker.kill()
        assert _count(database, DueWork) > 0, "the worker was killed too late"
        with working(installation):
            wait_until_done(database)
        store = read_store(database)
    assert store.problems(acknowledged=sent, sent=sent) == []
    assert len(store.tickets) == LETTERS


def _at_scale(folder: Path, database_url: str, redis_url: str) -> Installation:
    return install(folder / "server", database_url, settings={"redis": {"url": redis_url}, "work": QUICK_WORK})


def _is_in_the_middle(database: Database) -> bool:
    with database.read() as session:
        leased = session.exec(select(func.count()).select_from(DueWork).where(col(DueWork.worker).is_not(None))).one()
        letters = session.exec(select(func.count()).select_from(DueWork).where(col(DueWork.lane) == Lane.INTAKE)).one()
    return leased > 0 and 0 < letters < LETTERS


def _count(database: Database, model: type[DueWork]) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(model).where(col(model.lane) != Lane.FOLLOWUP)).one()


def _require_routed(database_url: str, word: str) -> None:
    with closing(open_database(database_url)) as database:
        wait_until(lambda: _count_tickets(database) == 1, "the letter is a ticket")
        wait_until_done(database)
        store: Store = read_store(database)
    assert store.problems(acknowledged=[word], sent=[word]) == []
    (ticket,) = store.tickets
    assert ticket.state is TicketState.DISPATCHED
    assert ticket.promised_at is not None
    assert ticket.promised_at > ticket.opened_at
    assert dict(store.messages) == {"sent": 1}


def _count_tickets(database: Database) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(Ticket)).one()
