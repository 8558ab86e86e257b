"""The way of a contact: verify → keep → parse → accept → one durable commit → answer the provider."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from channels import inbox
from channels.contract import (
    Adapter,
    ForgedRequestError,
    InboundContact,
    Outcome,
    RawRequest,
    RawResponse,
    RefusedContactError,
    Reply,
    UnreadableContactError,
)
from channels.models import RawState
from foundation.database import Session, lock
from foundation.groups import GroupWriter
from hotline.office import Office
from tickets.actions import Accepted, accept_contact, lock_keys
from tickets.models import Ticket

ANSWER_SECONDS = 10.0  # Twilio gives up after 15
RETRY_AFTER = {"Retry-After": "5"}
FORGED = RawResponse(403, b"The request is not signed as it must be.\n")
NOT_KEPT = RawResponse(503, b"Nothing was taken. Please try again.\n", headers=RETRY_AFTER)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """What an adapter read: its contacts, or why there are none."""

    contacts: list[InboundContact]
    unreadable: str | None = None


class FrontDoor:
    """Takes requests for all HTTP doors; `channels.contract.Reception` is its face to the citizen pages."""

    def __init__(self, office: Office, writer: GroupWriter) -> None:
        self._office = office
        self._writer = writer

    async def __call__(self, adapter_name: str, request: RawRequest) -> Reply:
        """Return the answer for the provider; forged is 403, anything genuine is kept, and a commit that failed is 503."""
        adapter = self._office.doors.adapters[adapter_name]
        if not _is_genuine(adapter, request):
            return Reply(FORGED)
        read = _read(adapter, request)
        if not read.contacts and read.unreadable is None:
            return Reply(adapter.ack(request, []))
        keys = [key for inbound in read.contacts for key in lock_keys(inbound)]
        future = asyncio.wrap_future(self._writer.submit(lambda session: take(session, adapter.name, request, read), keys=keys))
        try:
            outcomes = await asyncio.wait_for(asyncio.shield(future), ANSWER_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever kept it from being durable, the provider must try again
            log.error("contact_not_kept", adapter=adapter.name, error=type(error).__name__)
            return Reply(NOT_KEPT)
        return Reply(adapter.ack(request, outcomes), tuple(outcomes))


def take(session: Session, adapter_name: str, request: RawRequest, read: Reader) -> list[Outcome]:
    """Keep a request and accept its contacts, in the caller's transaction; return what became of each."""
    state = RawState.UNREADABLE if read.unreadable is not None else RawState.READ
    raw = inbox.keep(session, adapter_name, request.body, inbox.envelope_of(request), state=state, reason=read.unreadable)
    return [take_contact(session, raw.id, inbound) for inbound in read.contacts]


def take_contact(session: Session, raw_id: UUID, inbound: InboundContact) -> Outcome:
    """Accept one contact, or find it where it stands already; return what the provider may be told."""
    standing = inbox.find(session, inbound)
    if standing is not None:
        inbox.count_repeat(session, standing)
        ticket = session.get(Ticket, standing.ticket_id) if standing.ticket_id else None
        return _outcome(inbound, Accepted(standing, ticket), is_repeat=True)
    contact = inbox.new_contact(raw_id, inbound, received_at=session.now)
    return _outcome(inbound, accept_contact(session, contact, inbound), is_repeat=False)


def _outcome(inbound: InboundContact, accepted: Accepted, *, is_repeat: bool) -> Outcome:
    ticket = accepted.ticket
    return Outcome(
        external_id=inbound.external_id,
        kind=inbound.kind,
        receipt=accepted.contact.receipt,
        is_repeat=is_repeat,
        ticket_number=ticket.number if ticket else None,
        lookup_code=ticket.lookup_code if ticket else "",
        language=inbound.language or (ticket.language if ticket else "en"),
    )


def _is_genuine(adapter: Adapter, request: RawRequest) -> bool:
    try:
        adapter.verify(request)
    except ForgedRequestError:
        log.warning("forged_request", adapter=adapter.name)
        return False
    except Exception:
        log.exception("verification_failed", adapter=adapter.name)
        return False
    return True


def _read(adapter: Adapter, request: RawRequest) -> Reader:
    try:
        return Reader(adapter.parse(request))
    except RefusedContactError:
        return Reader([])
    except UnreadableContactError as error:
        return Reader([], str(error) or "no contact could be read")
    except Exception as error:
        log.exception("parser_failed", adapter=adapter.name)
        return Reader([], f"the adapter failed: {type(error).__name__}")


def raw_request(method: str, path_and_query: str, headers: Any, body: bytes, peer: str) -> RawRequest:
    """Return a request as adapters read it; header names in lower case."""
    return RawRequest(method, path_and_query, {name.lower(): value for name, value in headers.items()}, body, peer)


def take_by_hand(office: Office, inbound: InboundContact) -> Outcome:
    """Take a contact that no provider brought: typed in by a person."""
    body = json.dumps(inbox.to_json(inbound), ensure_ascii=False).encode()
    with office.database.write() as session:
        lock(session, lock_keys(inbound))
        raw = inbox.keep(session, inbound.adapter, body, {"by_hand": True})
        return take_contact(session, raw.id, inbound)
