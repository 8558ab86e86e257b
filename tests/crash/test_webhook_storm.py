"""The same webhook many times at once, over two server processes on one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from tests.crash.counting import Store, open_database, read_store, wait_until_done
from tests.live import Answer, Installation, install, send_sms, serving, sms

AT_ONCE = 20
SENDER = "+8613800001111"

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def two_servers(database_url: str, tmp_path: Path) -> Iterator[list[Installation]]:
    """Two servers behind one public address."""
    first = install(tmp_path / "first", database_url)
    second = install(tmp_path / "second", database_url, public_url=first.public_url)
    with serving(first), serving(second):
        yield [first, second]


def test_the_same_webhook_twenty_times_at_once_makes_one_contact_and_one_ticket(two_servers: list[Installation], database_url: str) -> None:
    answers = _at_once(two_servers, [sms("SM" + "a" * 32, sender=SENDER, text="The street lamp is dark.")] * AT_ONCE)
    store = _store(database_url)
    assert [answer.status for answer in answers] == [200] * AT_ONCE
    assert (len(store.contacts), len(store.tickets), store.citizens) == (1, 1, 1)
    assert store.problems(acknowledged=["SM" + "a" * 32], sent=["SM" + "a" * 32]) == []


def test_twenty_messages_of_a_new_sender_at_once_make_one_citizen(two_servers: list[Installation], database_url: str) -> None:
    sids = [f"SM{number:032x}" for number in range(AT_ONCE)]
    answers = _at_once(two_servers, [sms(sid, sender=SENDER, text=f"The street lamp is dark ({sid}).") for sid in sids])
    store = _store(database_url)
    assert [answer.status for answer in answers] == [200] * AT_ONCE
    assert (len(store.contacts), store.citizens) == (AT_ONCE, 1)
    assert len(store.tickets) == 1, "the second message belongs to the ticket that the first one opened"
    assert store.problems(acknowledged=sids, sent=sids) == []


def _at_once(servers: list[Installation], forms: list[dict[str, str]]) -> list[Answer]:
    start = Barrier(len(forms))

    def send(number: int, form: dict[str, str]) -> Answer:
        start.wait()
        return send_sms(servers[number % len(servers)], form)

    with ThreadPoolExecutor(len(forms)) as threads:
        return list(threads.map(send, range(len(forms)), forms))


def _store(database_url: str) -> Store:
    with closing(open_database(database_url)) as database:
        wait_until_done(database)
        return read_store(database)
