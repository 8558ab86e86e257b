"""One citizen behind many contacts, on real databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from sqlalchemy import func
from sqlmodel import col, select

from channels.contract import NO_ADDRESS, Address, AddressKind, Channel, InboundContact, Verification
from foundation.clock import SetClock
from foundation.database import Database
from foundation.i18n import sentence
from foundation.ids import new_id
from foundation.settings import Settings
from identity.actions import link_to_known
from identity.matching import Grade
from identity.models import Citizen, ContactLink, Identifier
from identity.queries import linked_citizen, links_of
from tests.conftest import MONDAY_MORNING
from tests.foundation.failing import failing
from tests.identity.contacts import arrive, citizen, contact, email, identifiers, keep, links, phone, resolve


@pytest.fixture
def neighbour(settings: Settings, clock: SetClock) -> Iterator[Database]:
    """The same database as a second process opens it."""
    neighbour = Database(settings, clock)
    yield neighbour
    neighbour.close()


def test_the_first_contact_of_an_address_makes_a_citizen(database: Database) -> None:
    found = citizen(database, arrive(database, phone(), "王建国"))
    assert (found.name, found.is_provisional, found.note, found.created_at) == ("王建国", False, None, MONDAY_MORNING)
    [address] = identifiers(database, found.id)
    assert (address.kind, address.value, address.channel) == (AddressKind.PHONE, "+8613800001111", "sms")
    assert (address.verified_by, address.first_seen_at, address.last_used_at) == (Verification.CLAIMED, MONDAY_MORNING, MONDAY_MORNING)


def test_the_same_address_on_the_same_channel_goes_on_with_its_citizen(database: Database, clock: SetClock) -> None:
    first = arrive(database, phone(), "王建国")
    later = MONDAY_MORNING + timedelta(days=3)
    clock.set(later)
    assert arrive(database, phone()) == arrive(database, phone(), "王先生") == first
    [address] = identifiers(database, first)
    assert (address.first_seen_at, address.last_used_at) == (MONDAY_MORNING, later)
    assert citizen(database, first).name == "王建国"


def test_each_contact_is_linked_once_with_its_grade_and_reasons(database: Database) -> None:
    first = arrive(database, phone())
    arrive(database, phone())
    new, again = links(database)
    assert (new.citizen_id, new.grade, again.citizen_id, again.grade) == (first, Grade.NEW, first, Grade.PROBABLE)
    assert new.reasons == [["The address was not seen before.", {}]]
    assert again.reasons == [["The same address came back on the same channel, and nothing speaks against it.", {}]]
    with database.read() as session:
        assert linked_citizen(session, again.contact_id) == first
        assert [link.id for link in links_of(session, [again.contact_id])] == [again.id]


def test_another_name_makes_a_provisional_citizen_with_a_note_why(database: Database) -> None:
    husband = arrive(database, phone(), "王建国")
    wife = citizen(database, arrive(database, phone(), "李秀英"))
    assert wife.id != husband
    assert wife.is_provisional
    assert "another name" in str(wife.note)


def test_a_shared_address_goes_on_with_the_one_it_last_used_or_the_one_of_that_name(database: Database, clock: SetClock) -> None:
    husband = arrive(database, phone(), "王建国")
    clock.set(MONDAY_MORNING + timedelta(hours=1))
    wife = arrive(database, phone(), "李秀英")
    clock.set(MONDAY_MORNING + timedelta(hours=2))
    assert arrive(database, phone()) == wife
    assert arrive(database, phone(), "王建国") == husband
    clock.set(MONDAY_MORNING + timedelta(hours=3))
    assert arrive(database, phone()) == husband


def test_an_address_that_was_only_claimed_on_another_channel_makes_a_provisional_citizen_once(database: Database) -> None:
    in_a_form = arrive(database, phone(), "王建国", channel=Channel.WEB)
    by_phone = citizen(database, arrive(database, phone(), channel=Channel.PHONE))
    assert by_phone.id != in_a_form
    assert by_phone.is_provisional
    assert "only from another channel" in str(by_phone.note)
    assert arrive(database, phone(), channel=Channel.PHONE) == by_phone.id
    assert arrive(database, phone(), channel=Channel.WEB) == in_a_form


def test_an_address_that_several_people_claimed_elsewhere_is_noted_so(database: Database) -> None:
    arrive(database, phone(), "王建国", channel=Channel.WEB)
    arrive(database, phone(), "李秀英", channel=Channel.WEB)
    caller = citizen(database, arrive(database, phone(), channel=Channel.PHONE))
    assert caller.is_provisional
    assert "Several people" in str(caller.note)


def test_contacts_without_an_address_are_never_joined(database: Database) -> None:
    one, other = arrive(database, NO_ADDRESS, "王建国"), arrive(database, NO_ADDRESS, "王建国")
    assert one != other
    assert citizen(database, one).is_provisional
    assert identifiers(database, one) == []


def test_an_equal_value_of_another_kind_is_another_address(database: Database) -> None:
    by_chat = arrive(database, Address(AddressKind.TELEGRAM, "13800001111"), channel=Channel.TELEGRAM)
    assert arrive(database, Address(AddressKind.PHONE, "13800001111"), channel=Channel.TELEGRAM) != by_chat


def test_every_address_of_a_contact_is_remembered_once(database: Database) -> None:
    given_twice = [phone(), email(), phone(), phone(verified_by=Verification.CHANNEL), email(), NO_ADDRESS, Address(AddressKind.PHONE, "")]
    writer = arrive(database, email(), channel=Channel.WEB, also=given_twice)
    assert sorted(address.value for address in identifiers(database, writer)) == ["+8613800001111", "li@example.com"]
    assert arrive(database, email(), channel=Channel.WEB, also=given_twice) == writer
    assert len(identifiers(database, writer)) == 2


def test_a_further_step_of_a_call_is_linked_to_its_citizen_and_its_number_remembered(database: Database) -> None:
    caller = arrive(database, NO_ADDRESS, channel=Channel.PHONE)
    for _ in range(2):
        with database.write() as session:
            step = contact(NO_ADDRESS, channel=Channel.PHONE, also=[phone()])
            link_to_known(session, keep(session, step), caller, sentence("The same call went on."), also=step)
    assert [address.value for address in identifiers(database, caller)] == ["+8613800001111"]
    assert {link.citizen_id for link in links(database)} == {caller}
    assert links(database)[-1].reasons == [["The same call went on.", {}]]


def test_first_contacts_of_one_sender_at_the_same_moment_make_one_citizen(database: Database, neighbour: Database) -> None:
    start = Barrier(4)

    def write(door: Database) -> UUID:
        start.wait(timeout=30)
        return arrive(door, phone(), "王建国")

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(write, [database, neighbour, database, neighbour]))
    assert len(set(found)) == 1
    assert len(links(database)) == 4


def test_nothing_of_a_citizen_stays_when_the_contact_is_taken_back(database: Database) -> None:
    with failing(database.write()) as session:
        resolve(session, contact(phone(), "王建国"))
    with database.read() as session:
        for table in (Citizen, Identifier, ContactLink):
            assert session.exec(select(func.count()).select_from(table)).one() == 0


def test_an_address_that_a_whole_office_shares_is_answered_as_before(database: Database, clock: SetClock) -> None:
    surnames, given_names = "王李张刘陈杨黄赵周吴徐孙", "伟芳娜敏静丽强磊军洋"
    names = [surname + given_name for surname in surnames for given_name in given_names]
    for number, name in enumerate(names):
        clock.set(MONDAY_MORNING + timedelta(minutes=number))
        arrive(database, phone(), name)
    last = links(database)[-1].citizen_id
    assert arrive(database, phone()) == last
    assert arrive(database, phone(), names[-1]) == last


# ── odd input ──

# What reading lets through: anything but NUL and halves of characters.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=250)
ODD = st.sampled_from(
    ["", " ", "\u200b", "🎉" * 250, "王" * 400, "'; drop table citizen; --", "%s %(x)s {0} \\", "\u202egnaW", "a\nb\r\n\tc", "ﷺ" * 300]
)
VALUES = st.one_of(ODD, st.sampled_from(["x" * 320, "x" * 321, "x" * 400, "x" * 5000, "+8613800001111"]), TEXTS)
ADDRESSES = st.builds(Address, st.sampled_from(list(AddressKind)), VALUES, st.sampled_from(list(Verification)))
CONTACTS = st.builds(
    contact,
    ADDRESSES,
    st.one_of(ODD, TEXTS),
    channel=st.sampled_from(list(Channel)),
    also=st.lists(ADDRESSES, max_size=4),
)


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inbound=CONTACTS)
def test_nothing_about_an_address_or_a_name_ever_fails_a_contact(database: Database, inbound: InboundContact) -> None:
    for _ in range(2):
        first, step = (replace(inbound, external_id=new_id().hex) for _ in range(2))
        with database.write() as session:
            found = resolve(session, first)
            link_to_known(session, keep(session, step), found, sentence("The same call went on."), also=step)
        with database.read() as session:
            assert session.get(Citizen, found) is not None


def test_an_endless_address_is_known_again_when_it_comes_again(database: Database) -> None:
    for length in (320, 321, 400, 5000):
        address = email(f"{length}".ljust(length - 12, "x") + "@example.com")
        assert arrive(database, address) == arrive(database, address)


def test_the_name_of_a_citizen_is_cut_and_not_refused(database: Database) -> None:
    assert citizen(database, arrive(database, phone(), "王" * 500)).name == "王" * 200
    with database.read() as session:
        assert session.exec(select(func.count()).select_from(Citizen).where(col(Citizen.name) != "")).one() == 1
