"""A city's data, and tickets as years of work leave them: invented, but of the usual sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlmodel import SQLModel, col

from bench.clients import CHINESE, ENGLISH
from channels.contract import Address, AddressKind, Channel, ContactKind, InboundContact, Purpose, Verification
from channels.inbox import to_json
from channels.models import Contact, ContactState, MessageState, OutboxMessage, RawContact, RawState
from followup.models import Reminder
from followup.planning import FollowUpState
from foundation.ids import new_id
from foundation.models import DueWork, ReferenceVersion, WorkState
from foundation.work import Lane
from identity.models import Citizen, ContactLink, Department, Identifier
from routing.models import RoutingRule
from tests.live import MAILBOX, SMS_NUMBER
from tickets.lifecycle import Confidentiality, EventKind, TicketKind, TicketState, Urgency
from tickets.models import Assignment, Category, PartRole, Promise, Ticket, TicketEvent

Line = tuple[type[SQLModel], dict[str, Any]]
OFFICES = 40
CATEGORIES = 60
RULES = 30
BEGINNING = datetime(2024, 1, 2, 1, 0, tzinfo=UTC)
BETWEEN = timedelta(minutes=10)
FAR = datetime(2036, 1, 2, 1, 0, tzinfo=UTC)  # nothing of a store becomes due while it is measured
WORDS = ("lamp", "路灯", "noise", "噪音", "water", "供水", "rubbish", "垃圾", "road", "道路", "heating", "供暖", "school", "学校")


def city(connection: Connection) -> None:
    """Add departments, categories and rules of a usual size to an empty database."""
    for number in range(OFFICES):
        _add(connection, Department, id=new_id(), **_office(number), parent_code=None, areas=[], calendar_code="default", is_fallback=False)
    for number in range(CATEGORIES):
        words = [f"matter {number}", f"事项{number}号", *WORDS[number : number + 1]]
        names = {"name": f"Category {number}", "name_zh": f"第{number}类"}
        _add(connection, Category, code=f"category-{number}", **names, words=words, parent_code=None, kind=None, urgency=None)
    for number in range(RULES):
        where: dict[str, Any] = {"department_code": f"office-{number}", "co_handler_codes": [], "words": [], "areas": []}
        _add(connection, RoutingRule, code=f"rule-{number}", position=number, kind=None, category_code=f"category-{number}", **where)
    connection.execute(update(ReferenceVersion).values(value=col(ReferenceVersion.value) + 1))


def _office(number: int) -> dict[str, Any]:
    duties = [f"{WORDS[number % len(WORDS)]} {number}", f"duty of office {number}", f"承办事项{number}"]
    code = f"office-{number}"
    return {"code": code, "name": f"Office {number}", "name_zh": f"第{number}局", "email": f"{code}@city.example", "duties": duties}


def _add(connection: Connection, model: type[SQLModel], **values: Any) -> None:
    connection.execute(insert(model), values)


def tickets(numbers: range, connection: Connection) -> Iterator[Line]:
    """Yield every row of tickets, one citizen each: half by letter, half by SMS, half of them closed."""
    offices = list(
        connection.execute(select(col(Department.id)).where(~col(Department.is_fallback)).order_by(col(Department.code))).scalars()
    )
    for number in numbers:
        yield from _one(number, offices[number % len(offices)])


def _one(number: int, office: UUID) -> Iterator[Line]:
    at = BEGINNING + BETWEEN * number
    inbound = _inbound(number, at)
    citizen_id, contact_id, raw_id, ticket_id, promise_id = (new_id() for _ in range(5))
    yield from _person(inbound, citizen_id, at)
    yield RawContact, _raw(inbound, raw_id, at)
    yield Contact, _contact(inbound, contact_id, raw_id, ticket_id, at)
    link = {"id": new_id(), "contact_id": contact_id, "citizen_id": citizen_id, "grade": "new", "linked_at": at}
    yield ContactLink, link | {"reasons": [["The address was not seen before.", {}]]}
    is_closed = number % 2 == 0
    yield Ticket, _ticket(number, inbound, ticket_id, citizen_id, office, at, is_closed=is_closed)
    yield from _history(number, ticket_id, contact_id, citizen_id, office, promise_id, at, is_closed=is_closed)
    yield OutboxMessage, _acknowledgement(number, inbound, ticket_id, at)
    yield from _reminder(ticket_id, promise_id, is_closed=is_closed)


def _inbound(number: int, at: datetime) -> InboundContact:
    text = ((CHINESE if number % 2 else ENGLISH) % number) * 2
    if number % 4 < 2:
        sender = Address(AddressKind.EMAIL, f"resident-{number}@home.example")
        details = {"message_id": f"<{number}.old@home.example>", "sender_from": "From", "mail_from": sender.value}
        key = hashlib.sha256(str(number).encode()).hexdigest()
        return InboundContact(
            "email",
            Channel.EMAIL,
            ContactKind.MESSAGE,
            key,
            sender,
            f"居民{number}",
            f"路灯 {number}",
            text,
            "zh",
            mailbox=MAILBOX,
            occurred_at=at,
            details=details,
        )
    sender = Address(AddressKind.PHONE, f"+8615{number:09d}")
    return InboundContact("twilio_sms", Channel.SMS, ContactKind.MESSAGE, f"SM9{number:031x}", sender, text=text, mailbox=SMS_NUMBER)


def _person(inbound: InboundContact, citizen_id: UUID, at: datetime) -> Iterator[Line]:
    yield Citizen, {"id": citizen_id, "name": inbound.name, "language": "zh", "is_provisional": False, "note": None, "created_at": at}
    seen = {"channel": str(inbound.channel), "verified_by": Verification.CLAIMED, "first_seen_at": at, "last_used_at": at}
    yield Identifier, {"id": new_id(), "citizen_id": citizen_id, "kind": inbound.sender.kind, "value": inbound.sender.value} | seen


def _raw(inbound: InboundContact, raw_id: UUID, at: datetime) -> dict[str, Any]:
    body = (inbound.text * (6 if inbound.channel is Channel.EMAIL else 1)).encode()
    envelope = {"mail_from": inbound.sender.value, "recipients": [inbound.mailbox], "peer": "127.0.0.1"}
    kept = {"body": body, "sha256": hashlib.sha256(body).hexdigest(), "envelope": envelope}
    return {"id": raw_id, "adapter": inbound.adapter, "received_at": at, "state": RawState.READ, "reason": None} | kept


def _contact(inbound: InboundContact, contact_id: UUID, raw_id: UUID, ticket_id: UUID, at: datetime) -> dict[str, Any]:
    came = {
        "adapter": inbound.adapter,
        "channel": inbound.channel,
        "kind": inbound.kind,
        "external_id": inbound.external_id,
        "received_at": at,
    }
    stands = {"state": ContactState.ACCEPTED, "reason": None, "parsed": _parsed(inbound), "ticket_id": ticket_id, "repeats": 0}
    return {"id": contact_id, "raw_contact_id": raw_id, "receipt": contact_id.hex[-8:].upper(), "conversation": ""} | came | stands


def _parsed(inbound: InboundContact) -> dict[str, Any]:
    """Return what `to_json` gives, without walking through every contact anew."""
    differs = {name: getattr(inbound, name) for name in ("external_id", "name", "subject", "text", "details")}
    shape = _shape_of(inbound.channel)
    return shape | differs | {"sender": shape["sender"] | {"value": inbound.sender.value}}


@cache
def _shape_of(channel: Channel) -> dict[str, Any]:
    return to_json(next(inbound for number in range(4) if (inbound := _inbound(number, BEGINNING)).channel is channel))


def _ticket(
    number: int, inbound: InboundContact, ticket_id: UUID, citizen_id: UUID, office: UUID, at: datetime, *, is_closed: bool
) -> dict[str, Any]:
    known = {
        "number": f"{at.year}-{number + 1:06d}",
        "lookup_code": f"{number:08d}",
        "citizen_id": citizen_id,
        "lead_department_id": office,
    }
    matter = {
        "kind": TicketKind.REQUEST,
        "urgency": Urgency.NORMAL,
        "confidentiality": Confidentiality.NORMAL,
        "category_code": "category-1",
    }
    words = {"subject": inbound.subject or inbound.text[:80], "text": inbound.text, "location": "", "language": "zh"}
    reply = {
        "reply_kind": str(inbound.sender.kind),
        "reply_to": inbound.sender.value,
        "mailbox": inbound.mailbox,
        "channel": inbound.channel,
    }
    done = at + timedelta(days=3) if is_closed else None
    times = {"opened_at": at, "last_activity_at": at, "promised_at": at + timedelta(days=7), "answered_at": done, "closed_at": done}
    ending = {"answer": "已经修好。" if is_closed else None, "redo_count": 0, "version": 4}
    return (
        {"id": ticket_id, "state": TicketState.CLOSED if is_closed else TicketState.DISPATCHED}
        | known
        | matter
        | words
        | reply
        | times
        | ending
    )


def _history(
    number: int, ticket_id: UUID, contact_id: UUID, citizen_id: UUID, office: UUID, promise_id: UUID, at: datetime, *, is_closed: bool
) -> Iterator[Line]:
    kinds = [EventKind.OPENED, EventKind.ACCEPTED, EventKind.ASSIGNED, EventKind.PROMISED]
    for kind in [*kinds, EventKind.ANSWERED, EventKind.CLOSED] if is_closed else kinds:
        is_first = kind is EventKind.OPENED
        event = {"id": new_id(), "ticket_id": ticket_id, "kind": kind, "at": at, "text": "", "data": {"number": number}}
        event |= {"contact_id": contact_id if is_first else None, "actor_id": citizen_id if is_first else None}
        yield (
            TicketEvent,
            event
            | {
                "actor_kind": "citizen" if is_first else "system",
                "reasons": [["Rule %(rule)s matches: %(hits)s.", {"rule": "1", "hits": "路灯"}]],
            },
        )
    part = {"id": new_id(), "ticket_id": ticket_id, "department_id": office, "role": PartRole.LEAD}
    yield Assignment, part | {"assigned_at": at, "signed_at": None, "ended_at": None}
    given = {"id": promise_id, "ticket_id": ticket_id, "stage": "result", "promised_at": at + timedelta(days=7), "given_at": at}
    yield Promise, given | {"rule_code": "usual", "calendar_code": "default", "arithmetic": [["%(days)s working days", {"days": 5}]]}


def _acknowledgement(number: int, inbound: InboundContact, ticket_id: UUID, at: datetime) -> dict[str, Any]:
    to = {"channel": inbound.channel, "to_kind": inbound.sender.kind, "to_value": inbound.sender.value, "purpose": Purpose.ACKNOWLEDGEMENT}
    words = {
        "subject": f"[{number}]",
        "text": "我们已收到您的来件。" * 8,
        "language": "zh",
        "ticket_id": ticket_id,
        "mailbox": inbound.mailbox,
    }
    made = {
        "state": MessageState.SENT,
        "queued_at": at,
        "sent_at": at,
        "sent_by": "console",
        "provider_id": f"console-{number}",
        "attempts": 1,
    }
    thread: dict[str, Any] = {
        "message_id": f"<{new_id().hex}@city.example>",
        "reply_token": str(number),
        "in_reply_to": [],
        "last_error": None,
    }
    return {"id": new_id()} | to | words | made | thread


def _reminder(ticket_id: UUID, promise_id: UUID, *, is_closed: bool) -> Iterator[Line]:
    state = FollowUpState.CANCELLED if is_closed else FollowUpState.PLANNED
    reminder = {"id": new_id(), "ticket_id": ticket_id, "promise_id": promise_id, "due_at": FAR, "state": state}
    yield Reminder, reminder
    if not is_closed:
        work = {"id": new_id(), "kind": "reminder_due", "lane": Lane.FOLLOWUP, "subject_id": reminder["id"], "payload": {}, "due_at": FAR}
        idle = {"state": WorkState.DUE, "lease_until": None, "worker": None, "attempts": 0, "max_attempts": 8, "dedupe_key": None}
        yield DueWork, work | idle | {"last_error": None}
