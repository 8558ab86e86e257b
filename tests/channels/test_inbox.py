"""What came in is kept before anything else is tried with it, once for ever."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from channels import inbox
from channels.contract import NO_ADDRESS, Address, AddressKind, Attachment, Channel, ContactKind, InboundContact, RawRequest, Verification
from channels.models import Contact, ContactState, RawContact, RawState
from foundation.database import Database, Session
from foundation.models import DueWork
from tests.cast import LI, WANG, letter, sms

FULL = InboundContact(
    adapter="email",
    channel=Channel.EMAIL,
    kind=ContactKind.MESSAGE,
    external_id="1",
    sender=Address(AddressKind.EMAIL, "wang@example.com", Verification.CHANNEL),
    name="王小明",
    subject="路灯",
    text="不亮\n“quoted”",
    language="zh",
    also=(Address(AddressKind.PHONE, "+8613800001111"), NO_ADDRESS),
    conversation="c",
    mailbox="hotline@city.example",
    ticket_token="2026-000001",
    refers_to=("<a@x>", "<b@x>"),
    requested_kind="complaint",
    location="幸福路12号",
    is_machine=True,
    occurred_at=datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8))),
    attachments=(Attachment("路灯.jpg", "image/jpeg", 7),),
    details={"message_id": "<1@x>", "nested": [1, None, True]},
)


@pytest.mark.parametrize("inbound", [FULL, replace(FULL, occurred_at=None, also=(), attachments=(), refers_to=(), details={}), sms(LI, "")])
def test_a_stored_contact_is_read_back_as_it_was(inbound: InboundContact) -> None:
    assert inbox.from_json(json.loads(json.dumps(inbox.to_json(inbound)))) == inbound


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    st.builds(
        InboundContact,
        adapter=words,
        channel=st.sampled_from(Channel),
        kind=st.sampled_from(ContactKind),
        external_id=words,
        sender=st.builds(Address, st.sampled_from(AddressKind), words, st.sampled_from(Verification)),
        text=words,
        also=st.lists(st.builds(Address, st.sampled_from(AddressKind), words), max_size=3).map(tuple),
        refers_to=st.lists(words, max_size=3).map(tuple),
        occurred_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        attachments=st.lists(st.builds(Attachment, words, words, st.integers(0, 10**12)), max_size=2).map(tuple),
        is_machine=st.booleans(),
    )
)
def test_any_contact_is_read_back_as_it_was(inbound: InboundContact) -> None:
    assert inbox.from_json(json.loads(json.dumps(inbox.to_json(inbound)))) == inbound


def test_a_request_is_kept_byte_for_byte_with_its_fingerprint(database: Database) -> None:
    body = bytes(range(256))
    with database.write() as session:
        kept = inbox.keep(session, "email", body, {"peer": "192.0.2.1"}, state=RawState.UNREADABLE, reason="no sender")
    with database.read() as session:
        found = session.get_one(RawContact, kept.id)
    assert (found.body, found.sha256, found.envelope) == (body, hashlib.sha256(body).hexdigest(), {"peer": "192.0.2.1"})
    assert (found.state, found.reason, found.received_at) == (RawState.UNREADABLE, "no sender", database.clock.now())


def test_signatures_tokens_and_cookies_are_not_kept() -> None:
    headers = {
        "content-type": "application/json",
        "user-agent": "TwilioProxy/1.1",
        "x-twilio-signature": "secret",
        "x-telegram-bot-api-secret-token": "secret",
        "authorization": "Bearer secret",
        "cookie": "session=secret",
    }
    envelope = inbox.envelope_of(RawRequest("POST", "/channels/x?a=1", headers, b"body", "192.0.2.1"))
    assert envelope["headers"] == {"content-type": "application/json", "user-agent": "TwilioProxy/1.1"}
    assert (envelope["path"], envelope["peer"]) == ("/channels/x?a=1", "192.0.2.1")
    assert "secret" not in json.dumps(envelope)


def stand(session: Session, inbound: InboundContact, state: ContactState = ContactState.PENDING) -> Contact:
    raw = inbox.keep(session, inbound.adapter, b"x", {})
    contact = inbox.new_contact(raw.id, inbound, received_at=session.now)
    inbox.settle(session, contact, state, reason="why")
    return contact


def test_a_contact_is_found_by_its_adapter_its_kind_and_its_id_together(database: Database) -> None:
    inbound = sms(LI, "x", external_id="SM1")
    with database.write() as session:
        contact = stand(session, inbound)
        others = [replace(inbound, adapter="x"), replace(inbound, kind=ContactKind.CALL), replace(inbound, external_id="SM2")]
        assert [inbox.find(session, other) for other in others] == [None] * 3
        found = inbox.find(session, replace(inbound, text="other words"))
        assert found is not None
        assert (found.id, found.receipt) == (contact.id, contact.id.hex[-8:].upper())


def test_no_contact_can_stand_twice(database: Database) -> None:
    inbound = sms(LI, "x", external_id="SM1")
    with database.write() as session:
        stand(session, inbound)
    with database.write() as session, pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        stand(session, inbound)


def test_what_becomes_of_a_contact_is_stored_whether_it_is_new_or_stands_already(database: Database) -> None:
    with database.write() as session:
        new, standing = stand(session, letter(WANG, "x", "y")), stand(session, letter(WANG, "x", "y"))
        for contact in (new, session.get_one(Contact, standing.id)):
            inbox.settle(session, contact, ContactState.DEAD, reason="enough")
    with database.read() as session:
        found = [session.get_one(Contact, contact.id) for contact in (new, standing)]
    assert [(one.state, one.reason, one.ticket_id) for one in found] == [(ContactState.DEAD, "enough", None)] * 2


def test_a_repeat_is_counted_and_another_try_planned_in_the_same_transaction(database: Database) -> None:
    with database.write() as session:
        contact = stand(session, sms(LI, "x"))
        inbox.count_repeat(session, contact)
        inbox.count_repeat(session, contact)
        inbox.try_again(session, contact, due_at=session.now + timedelta(minutes=1), payload={"may_ask": False})
        assert session.lanes == set(), "work that is due later wakes nobody"
    with database.read() as session:
        assert session.get_one(Contact, contact.id).repeats == 2
        (work,) = session.exec(select(DueWork))
    assert (work.kind, work.lane, work.subject_id, work.payload) == ("accept_contact", "intake", contact.id, {"may_ask": False})
