"""Tickets and channels as lines, for people and for programs."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from channels.adapters.registry import KINDS, open_doors
from channels.contract import ChannelStatus, Health
from channels.queries import failures_by_adapter
from followup.queries import next_followups
from foundation.clock import SystemClock
from foundation.database import Database, Session
from foundation.settings import Settings
from hotline.migrations import SchemaError, require_head
from identity.access import SYSTEM, masked_name
from identity.queries import departments
from tickets.queries import TicketLine, list_tickets

CONNECT_SECONDS = 1.0


def ticket_records(session: Session, *, limit: int | None) -> list[dict[str, Any]]:
    """Return one record per ticket, newest first; moments are aware datetimes, None where there is none."""
    lines = list_tickets(session, SYSTEM, limit=limit)
    next_at = next_followups(session, [line.id for line in lines])
    codes = {department_id: department.code for department_id, department in departments(session).items()}
    return [_record(line, codes, next_at) for line in lines]


def _record(line: TicketLine, codes: dict[Any, str], next_at: dict[Any, Any]) -> dict[str, Any]:
    return {
        "number": line.number,
        "kind": str(line.kind),
        "state": str(line.state),
        "channel": str(line.channel),
        "subject": line.subject,
        "citizen": {"id": str(line.citizen_id), "name": masked_name(line.citizen_name)},
        "lead_department": codes.get(line.lead_department_id),
        "promised_at": line.promised_at,
        "next_followup_at": next_at.get(line.id),
        "opened_at": line.opened_at,
    }


def ticket_table(records: list[dict[str, Any]], zone: ZoneInfo) -> str:
    """Return records as a table for a terminal."""
    head = f"{'number':12} {'kind':12} {'state':11} {'channel':8} {'department':12} {'promised by':16} {'next follow-up':16} subject"
    lines = [head]
    for record in records:
        promised, next_at = (_local(record[name], zone) for name in ("promised_at", "next_followup_at"))
        lines.append(
            f"{record['number']:12} {record['kind']:12} {record['state']:11} {record['channel']:8} "
            f"{record['lead_department'] or '-':12} {promised:16} {next_at:16} {record['subject'][:50]}"
        )
    return "\n".join(lines)


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else "-"


def channel_records(settings: Settings, failures: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return one record per channel; health says whether somebody listens where the provider must deliver, and messages go out.

    failures   messages that each adapter could not deliver lately, see `failures_lately`
    """
    doors = open_doors(settings)
    records = []
    for name in KINDS:
        adapter = doors.adapters.get(name)
        if adapter is not None:
            records.append(_channel_record(adapter.status(), settings, failures.get(name, 0)))
            continue
        shut = ChannelStatus(name, KINDS[name].channel, "", "", Health.OFF, f"shut: [channels.{name}] enabled = false")
        records.append(_channel_record(shut, settings, 0))
    return records


def failures_lately(settings: Settings) -> Mapping[str, int]:
    """Return how many messages each adapter failed to deliver within a day; none when the database is not there or not prepared."""
    database = Database(settings, SystemClock())
    try:
        require_head(database.engine)
        with database.read() as session:
            return failures_by_adapter(session, timedelta(days=1))
    except (SchemaError, SQLAlchemyError):
        return {}
    finally:
        database.close()


def _channel_record(status: ChannelStatus, settings: Settings, failed: int) -> dict[str, Any]:
    health, detail = status.health, status.detail
    if health is Health.OK and failed:
        health, detail = Health.WARNING, f"{failed} messages could not be delivered since yesterday; see: hotline contacts"
    if health in {Health.OK, Health.WARNING} and not _is_listening(status.inbound, settings):
        health, detail = Health.FAILING, "nobody listens there; start the server: hotline serve"
    return {
        "name": status.name,
        "kind": str(status.kind),
        "address": status.address,
        "inbound": status.inbound,
        "health": str(health),
        "detail": detail,
    }


def _is_listening(inbound: str, settings: Settings) -> bool:
    """Return whether our own server takes connections: the public URL may lead through a proxy that we cannot judge from here."""
    if "://" in inbound:
        host, port = settings.server.host, settings.server.port
    else:
        parts = urlsplit(f"//{inbound}")
        host, port = parts.hostname or "", parts.port or 0
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
