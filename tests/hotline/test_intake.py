"""The front door: verify → keep → parse → accept → one durable commit → the answer, whatever a stranger sends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from channels.contract import (
    Capabilities,
    Channel,
    ChannelStatus,
    ForgedRequestError,
    Health,
    InboundContact,
    Outcome,
    RawRequest,
    RawResponse,
    Reply,
    UnreadableContactError,
)
from channels.models import Contact, RawContact, RawState
from foundation.groups import GroupWriter
from hotline import intake
from hotline.intake import FrontDoor
from tests.cast import BURST, LAMP, LI, WANG, Desk, letter, sms


@dataclass
class FakeDoor:
    """An adapter that reads what the test tells it to; errors are raised."""

    name: str = "fake"
    channel: Channel = Channel.SMS
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(can_send=True))
    paths: tuple[str, ...] = ("/channels/fake",)
    max_body: ClassVar[int] = 1000
    refuses: Exception | None = None
    reads: list[InboundContact] | Exception = field(default_factory=list)
    acknowledged: list[list[Outcome]] = field(default_factory=list)

    def verify(self, request: RawRequest) -> None:
        if self.refuses:
            raise self.refuses

    def parse(self, request: RawRequest) -> list[InboundContact]:
        if isinstance(self.reads, Exception):
            raise self.reads
        return self.reads

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:
        self.acknowledged.append(outcomes)
        return RawResponse(200, b"taken")

    def status(self) -> ChannelStatus:
        return ChannelStatus(self.name, self.channel, "", "", Health.OK)


@pytest.fixture
def door(desk: Desk) -> FakeDoor:
    door = FakeDoor()
    desk.office.doors.adapters["fake"] = door
    return door


@pytest.fixture
def writer(desk: Desk) -> Iterator[GroupWriter]:
    with closing(GroupWriter(desk.database, group_size=50)) as writer:
        yield writer


def bring(desk: Desk, writer: GroupWriter, body: bytes = b"a=1") -> Reply:
    """Post one request to the fake door."""
    request = RawRequest("POST", "/channels/fake?x=1", {"content-type": "text/plain", "x-signature": "secret"}, body, "192.0.2.1")
    return asyncio.run(FrontDoor(desk.office, writer)("fake", request))


def test_a_genuine_request_is_kept_accepted_and_then_answered(desk: Desk, door: FakeDoor, writer: GroupWriter) -> None:
    door.reads = [letter(WANG, "x", LAMP), letter(WANG, "y", BURST)]
    reply = bring(desk, writer)
    assert (reply.response.status, reply.response.body) == (200, b"taken")
    assert [outcome.ticket_number for outcome in reply.outcomes] == [ticket.number for ticket in desk.tickets()]
    assert door.acknowledged == [list(reply.outcomes)]
    (raw,) = desk.all(RawContact)
    assert (raw.adapter, raw.body, raw.state, raw.envelope["path"]) == ("fake", b"a=1", RawState.READ, "/channels/fake?x=1")
    assert {contact.raw_contact_id for contact in desk.all(Contact)} == {raw.id}


def test_a_forged_request_is_403_and_leaves_nothing(desk: Desk, door: FakeDoor, writer: GroupWriter) -> None:
    door.reads = [sms(LI, LAMP)]
    for refusal in (ForgedRequestError("no signature"), ValueError("a mistake of the adapter")):
        door.refuses = refusal
        reply = bring(desk, writer)
        assert (reply.response.status, reply.outcomes, door.acknowledged) == (403, (), [])
    assert (desk.all(RawContact), desk.all(Contact)) == ([], [])


UNREADABLE = {
    "the update is malformed": UnreadableContactError("the update is malformed"),
    "no contact could be read": UnreadableContactError(),
    "the adapter failed: KeyError": KeyError("name"),
}


def test_what_cannot_be_read_is_kept_for_a_person_and_acknowledged(desk: Desk, door: FakeDoor, writer: GroupWriter) -> None:
    for error in UNREADABLE.values():
        door.reads = error
        assert bring(desk, writer, b"\x00\xff").response.status == 200
    assert [(raw.body, raw.state, raw.reason) for raw in desk.all(RawContact)] == [
        (b"\x00\xff", RawState.UNREADABLE, reason) for reason in UNREADABLE
    ]
    assert door.acknowledged == [[]] * len(UNREADABLE)


def test_a_request_that_holds_no_contact_is_answered_and_not_kept(desk: Desk, door: FakeDoor, writer: GroupWriter) -> None:
    assert bring(desk, writer).response.status == 200
    assert desk.all(RawContact) == []


def test_the_same_contact_twice_in_one_request_is_one(desk: Desk, door: FakeDoor, writer: GroupWriter) -> None:
    door.reads = [sms(LI, LAMP, external_id="1"), sms(LI, LAMP, external_id="1")]
    first, second = bring(desk, writer).outcomes
    assert (first.is_repeat, second.is_repeat, first.ticket_number) == (False, True, second.ticket_number)
    assert len(desk.tickets()) == 1


def test_a_commit_that_fails_is_503_with_a_time_to_come_again_and_nothing_stands(
    desk: Desk, door: FakeDoor, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    door.reads = [sms(LI, LAMP)]
    with monkeypatch.context() as full:
        full.setattr("hotline.intake.inbox.keep", fill_the_disk)
        reply = bring(desk, writer)
    assert (reply.response.status, dict(reply.response.headers)["Retry-After"], door.acknowledged) == (503, "5", [])
    assert (desk.all(RawContact), desk.tickets()) == ([], [])
    assert bring(desk, writer).response.status == 200, "the provider comes again"
    assert len(desk.tickets()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_slow_is_503_and_the_providers_repeat_finds_what_was_stored_after_all(
    desk: Desk, door: FakeDoor, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.reads = [sms(LI, LAMP)]
    with monkeypatch.context() as impatient, desk.database.write():  # somebody else writes for too long
        impatient.setattr(intake, "ANSWER_SECONDS", 0.05)
        assert bring(desk, writer).response.status == 503
    (outcome,) = bring(desk, writer).outcomes
    assert (outcome.is_repeat, outcome.ticket_number) == (True, desk.tickets()[0].number)
    assert len(desk.tickets()) == 1
