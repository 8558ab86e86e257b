"""Which citizen a contact belongs to, case by case; no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import NO_ADDRESS, Address, AddressKind, Channel
from foundation.i18n import say
from identity.matching import Grade, Holder, match

PHONE = Address(AddressKind.PHONE, "+8613800001111")
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def holder(citizen: UUID, name: str = "", *, channel: Channel = Channel.PHONE, hours_ago: int = 1) -> Holder:
    return Holder(citizen, name, channel, NOON - timedelta(hours=hours_ago))


def said(reasons: tuple[tuple[str, object], ...]) -> str:
    return " ".join(text for text, _ in reasons)


# ── one holder, one name each ──

SAME_PERSON = [
    ("", ""),
    ("", "王建国"),
    ("王建国", ""),
    ("王建国", "王建国"),
    (" 王建国 ", "王建国"),
    ("王先生", "王建国"),
    ("王建国", "王女士"),
    ("王", "王建国"),
    ("王建国先生", "王建国"),
    ("李老师", "李华同志"),
    ("先生", "王建国"),
    ("女士", "李华"),
    ("欧阳小姐", "欧阳修"),
    ("Wang Jianguo", "王建国"),
    ("王建国", "Jianguo"),
    ("John Smith", "john SMITH"),
    ("John Smith", "Smith, John"),
    ("Mr. Smith", "John Smith"),
    ("Mr Smith", "John Smith"),
    ("Dr. Smith", "Mary Smith"),
    ("John", "John Smith"),
    ("Jon Smith", "John Smith"),
    ("Mr.", "John Smith"),
    ("Ms", "Ada Lovelace"),
    ("José García", "JOSÉ GARCÍA"),
    ("Pat O'Brien", "Pat OBrien"),
    ("🎉", "John Smith"),
]
OTHER_PERSON = [
    ("王建国", "王秀英"),
    ("王建国", "李建国"),
    ("李建国", "李国建"),
    ("王小轩", "王小萱"),
    ("王先生", "李建国"),
    ("李小姐", "王女士"),
    ("John Smith", "Mary Smith"),
    ("John Smith", "John Miller"),
    ("Luis Fernandez Gonzalez", "Ana Fernandez Gonzalez"),
    ("Mary Papadopoulou-Konstantinou", "John Papadopoulou-Konstantinou"),
    ("Adams", "Ada"),
    ("Williams", "Willi"),
    ("Mr. Smith", "Ms. Miller"),
]


@pytest.mark.parametrize(("said_now", "known"), SAME_PERSON)
def test_the_same_address_on_the_same_channel_continues_when_the_name_agrees(said_now: str, known: str) -> None:
    for name, other in ((said_now, known), (known, said_now)):
        found = match(PHONE, name, Channel.PHONE, [holder(ONE, other)])
        assert (found.citizen_id, found.grade, found.is_provisional) == (ONE, Grade.PROBABLE, False)
        assert "nothing speaks against it" in said(found.reasons)


@pytest.mark.parametrize(("said_now", "known"), OTHER_PERSON)
def test_another_name_at_the_same_address_is_another_person_of_the_household(said_now: str, known: str) -> None:
    for name, other in ((said_now, known), (known, said_now)):
        found = match(PHONE, name, Channel.PHONE, [holder(ONE, other)])
        assert (found.citizen_id, found.grade, found.is_provisional) == (None, Grade.NEW, True)
        assert "another name" in said(found.reasons)


# ── holders ──


@pytest.mark.parametrize(
    ("holders", "name", "citizen", "is_provisional", "reason"),
    [
        ([], "", None, False, "not seen before"),
        ([], "王建国", None, False, "not seen before"),
        ([holder(ONE, channel=Channel.WEB)], "", None, True, "only from another channel"),
        ([holder(ONE, "王建国", channel=Channel.WEB)], "王建国", None, True, "only from another channel"),
        ([holder(ONE, channel=Channel.WEB), holder(TWO, channel=Channel.SMS)], "", None, True, "Several people"),
        ([holder(ONE, channel=Channel.WEB), holder(ONE, channel=Channel.SMS)], "", None, True, "only from another channel"),
        ([holder(ONE, hours_ago=2), holder(TWO, hours_ago=1)], "", TWO, False, "this one used it last"),
        ([holder(TWO, hours_ago=1), holder(ONE, hours_ago=2)], "", TWO, False, "this one used it last"),
        ([holder(ONE, hours_ago=2), holder(TWO, channel=Channel.WEB, hours_ago=1)], "", ONE, False, "Several people hold"),
        ([holder(ONE, "王建国", hours_ago=2), holder(TWO, "王秀英", hours_ago=1)], "王建国", ONE, False, "this one used it last"),
        ([holder(ONE, "王建国", hours_ago=2), holder(TWO, "王秀英", hours_ago=1)], "", TWO, False, "this one used it last"),
        ([holder(ONE, "王建国", hours_ago=2), holder(TWO, "王秀英", hours_ago=1)], "王小明", None, True, "another name"),
        ([holder(ONE, "王建国", hours_ago=2), holder(TWO, "", hours_ago=1)], "李华", TWO, False, "this one used it last"),
        ([holder(ONE, "王建国"), holder(TWO, "王建国", channel=Channel.WEB)], "王秀英", None, True, "another name"),
    ],
    ids=[
        "nobody",
        "nobody, with a name",
        "claimed in a form",
        "claimed in a form under the same name",
        "claimed by two elsewhere",
        "claimed twice by one elsewhere",
        "two here: the last one",
        "two here, in any order",
        "one here, one elsewhere: the one here",
        "two here: the one of that name",
        "two here, no name: the last one",
        "two here, a third name",
        "two here, one without a name",
        "the same name elsewhere does not help against another name here",
    ],
)
def test_who_holds_an_address_decides_with_whom_it_goes_on(
    holders: list[Holder], name: str, citizen: UUID | None, is_provisional: bool, reason: str
) -> None:
    found = match(PHONE, name, Channel.PHONE, holders)
    assert found.citizen_id == citizen
    assert found.is_provisional is is_provisional
    assert found.grade is (Grade.NEW if citizen is None else Grade.PROBABLE)
    assert reason in said(found.reasons)


@pytest.mark.parametrize("address", [NO_ADDRESS, Address(AddressKind.PHONE, ""), Address(AddressKind.NONE, "x")])
def test_without_an_address_nothing_links_a_contact_to_anybody(address: Address) -> None:
    found = match(address, "王建国", Channel.PHONE, [holder(ONE, "王建国")])
    assert (found.citizen_id, found.is_provisional) == (None, True)
    assert "No address" in said(found.reasons)


def test_every_reason_is_said_in_chinese_too() -> None:
    cases = [[], [holder(ONE)], [holder(ONE, "李"), holder(TWO)], [holder(ONE, channel=Channel.WEB)], [holder(ONE, "李华")]]
    cases += [[holder(ONE, channel=Channel.WEB), holder(TWO, channel=Channel.WEB)]]
    reasons = {text for holders in cases for text, _ in match(PHONE, "王", Channel.PHONE, holders).reasons}
    reasons |= {text for text, _ in match(NO_ADDRESS, "", Channel.PHONE, []).reasons}
    assert len(reasons) == 7
    assert all(say("zh", text) != text for text in reasons)


# ── whatever the names ──

NAMES = st.one_of(st.text(max_size=40), st.sampled_from([name for pair in SAME_PERSON + OTHER_PERSON for name in pair]))
HOLDERS = st.lists(
    st.builds(
        Holder,
        citizen_id=st.sampled_from([ONE, TWO, THREE]),
        name=NAMES,
        channel=st.sampled_from(list(Channel)),
        last_used_at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 2), timezones=st.just(UTC)),  # noqa: DTZ001 the zone is there
    ),
    max_size=6,
)


@given(NAMES, HOLDERS)
def test_whatever_the_names_a_contact_goes_on_only_with_somebody_seen_here(name: str, holders: list[Holder]) -> None:
    found = match(PHONE, name, Channel.PHONE, holders)
    here = {one.citizen_id for one in holders if one.channel == Channel.PHONE}
    assert found.citizen_id is None or found.citizen_id in here
    assert found.reasons
    assert found.is_provisional is (found.citizen_id is None and bool(holders))


@given(NAMES, HOLDERS)
def test_the_order_in_which_holders_are_found_decides_nothing(name: str, holders: list[Holder]) -> None:
    distinct = list({one.last_used_at: one for one in holders}.values())
    assert match(PHONE, name, Channel.PHONE, distinct) == match(PHONE, name, Channel.PHONE, distinct[::-1])


@given(NAMES)
def test_everybody_agrees_with_their_own_name(name: str) -> None:
    assert match(PHONE, name, Channel.PHONE, [holder(ONE, name)]).citizen_id == ONE
