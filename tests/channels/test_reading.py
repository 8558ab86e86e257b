from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.contract import NO_ADDRESS, UnreadableContactError
from channels.reading import clean_text, external_id, phone_address, read_form, speakable


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("+8613800001111", "+8613800001111"),
        ("13800001111", "+8613800001111"),
        ("138 0000-1111", "+8613800001111"),
        ("１３８００００１１１１", "+8613800001111"),
        ("(010) 1234 5678", "+861012345678"),
        ("+44 20 7946 0000", "+442079460000"),
        ("+8619900001111", "+8619900001111"),
    ],
)
def test_one_number_is_one_address_however_it_is_written(written: str, value: str) -> None:
    assert phone_address(written, "CN").value == value


@pytest.mark.parametrize("written", ["", "12345", "10690000123", "CITYBANK", "1800FLOWERS", "anonymous", "+", "+1", "+9991", "1" * 300])
def test_what_is_no_persons_number_is_no_address(written: str) -> None:
    assert phone_address(written, "CN") == NO_ADDRESS


@profile(max_examples=60, deadline=None)
@given(number=st.text(max_size=30), body=st.binary(max_size=80))
def test_nothing_a_stranger_sends_makes_reading_fail(number: str, body: bytes) -> None:
    address = phone_address(number, "CN")
    assert address == NO_ADDRESS or address.value.removeprefix("+").isdecimal()
    assert all("\x00" not in clean_text(value).encode().decode() for value in read_form(body).values())


def test_blank_fields_are_kept_because_signatures_are_made_over_them() -> None:
    assert read_form(b"a=&b=1+2&c") == {"a": "", "b": "1 2", "c": ""}


def test_texts_lose_what_a_database_or_xml_cannot_hold() -> None:
    assert clean_text("a\x00b\ud800c") == "ab?c"
    assert speakable("a\x00\x0b\tΩ\ufffe市") == "a\tΩ市"


@pytest.mark.parametrize("parts", [("",), ("", ""), ("x" * 201,)])
def test_an_empty_or_endless_id_is_unreadable(parts: tuple[str, ...]) -> None:
    with pytest.raises(UnreadableContactError):
        external_id(*parts)
