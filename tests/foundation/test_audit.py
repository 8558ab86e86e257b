from __future__ import annotations

from sqlmodel import col, select

from foundation import audit
from foundation.database import Database
from foundation.ids import new_id
from foundation.models import AuditEntry
from tests.conftest import MONDAY_MORNING
from tests.foundation.failing import failing


def trail(database: Database) -> list[AuditEntry]:
    with database.read() as session:
        return list(session.exec(select(AuditEntry).order_by(col(AuditEntry.id))))


def test_an_act_is_recorded_with_who_what_when_and_its_facts(database: Database) -> None:
    staff, ticket = f"staff:{new_id()}", f"ticket:{new_id()}"
    with database.write() as session:
        audit.record(session, actor=staff, action="citizen.address_seen", subject=ticket, reason="callback", count=2)
    [entry] = trail(database)
    assert (entry.actor, entry.action, entry.subject) == (staff, "citizen.address_seen", ticket)
    assert entry.at == MONDAY_MORNING
    assert entry.detail == {"reason": "callback", "count": 2}


def test_an_act_needs_neither_subject_nor_facts(database: Database) -> None:
    with database.write() as session:
        audit.record(session, actor="system", action="settings.read")
    [entry] = trail(database)
    assert (entry.subject, entry.detail) == ("", {})


def test_an_act_that_was_taken_back_leaves_no_line(database: Database) -> None:
    with failing(database.write()) as session:
        audit.record(session, actor="system", action="undone")
    assert trail(database) == []


def test_lines_stand_in_the_order_of_the_acts(database: Database) -> None:
    with database.write() as session:
        for number in range(20):
            audit.record(session, actor="system", action=f"act {number:02}")
    assert [entry.action for entry in trail(database)] == [f"act {number:02}" for number in range(20)]
