"""Parts of the way, measured in this process: finding the citizen, claiming work."""

from __future__ import annotations

import time
from contextlib import closing
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col

from bench.measuring import record
from bench.stores import copied
from channels.contract import Address, AddressKind, Channel, ContactKind, InboundContact
from foundation.database import Database
from foundation.ids import new_id
from foundation.work import Lane, claim, enqueue, finish
from identity.actions import resolve_citizen
from identity.models import ContactLink
from tests.crash.counting import open_database

PER_COMMIT = 50
BATCHES = (1, 10, 50)
KIND = "bench"


def match(scale: int, count: int) -> None:
    """Measure linking a contact to its citizen: senders who were never seen, and then the same ones again."""
    with copied(scale) as url, closing(open_database(url)) as database:
        for name in ("new", "known"):
            wall_ms, cpu_ms = _resolve_all(database, count)
            record("match", store=scale, senders=name, count=count, cpu_ms=cpu_ms, wall_ms=wall_ms)


def _resolve_all(database: Database, count: int) -> tuple[float, float]:
    """Return milliseconds per contact, of the clock and of the CPU; links are removed again, citizens stay."""
    contacts = [_inbound(number) for number in range(count)]
    began_at, cpu_at = time.perf_counter(), time.process_time()
    for first in range(0, count, PER_COMMIT):
        with database.write() as session:
            linked = [new_id() for _ in contacts[first : first + PER_COMMIT]]
            for contact_id, inbound in zip(linked, contacts[first:], strict=False):
                resolve_citizen(session, contact_id, inbound)
            session.execute(delete(ContactLink).where(col(ContactLink.contact_id).in_(linked)))  # there are no such contacts
    return (time.perf_counter() - began_at) * 1000 / count, (time.process_time() - cpu_at) * 1000 / count


def _inbound(number: int) -> InboundContact:
    sender = Address(AddressKind.EMAIL, f"match-{number}@home.example")
    return InboundContact("email", Channel.EMAIL, ContactKind.MESSAGE, f"match-{number}", sender, name=f"王小明{number}", language="zh")


def claiming(scale: int, count: int) -> None:
    """Measure taking due work and reporting it done, each in a durable commit, in batches of several sizes."""
    with copied(scale) as url, closing(open_database(url)) as database:
        for many in BATCHES:
            rows = count if many > 1 else count // 5
            with database.write() as session:
                for _ in range(rows):
                    enqueue(session, KIND, lane=Lane.UPKEEP, subject_id=_subject())
            began_at, cpu_at = time.perf_counter(), time.process_time()
            done = _claim_all(database, many)
            seconds, cpu = time.perf_counter() - began_at, time.process_time() - cpu_at
            record("claim", store=scale, batch=many, count=done, rate_per_s=done / seconds, cpu_ms=cpu * 1000 / done)


def _claim_all(database: Database, many: int) -> int:
    done = 0
    while True:
        with database.write() as session:
            claimed = claim(session, Lane.UPKEEP, worker="bench", many=many, lease=database.settings.lease)
        if not claimed:
            return done
        with database.write() as session:
            finish(session, claimed)
        done += len(claimed)


def _subject() -> UUID:
    return new_id()
