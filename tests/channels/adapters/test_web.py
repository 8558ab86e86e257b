from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.adapters.web import MAX_LENGTHS, PATH, Web, WebSettings
from channels.contract import (
    NO_ADDRESS,
    Adapter,
    Address,
    AddressKind,
    Channel,
    ContactKind,
    RawRequest,
    UnreadableContactError,
    Verification,
)
from tests.channels.adapters.requests import outcome, payload, posted, settings

JSON = "application/json"
DOOR = Web(WebSettings(), settings())


def form(**fields: str) -> RawRequest:
    return posted(urlencode(fields).encode(), PATH)


def as_json(fields: object) -> RawRequest:
    return posted(json.dumps(fields).encode(), PATH, JSON)


def told(request: RawRequest) -> tuple[int, dict[str, Any]]:
    """Return what the sender of a form is told when no contact could be read."""
    with pytest.raises(UnreadableContactError):
        DOOR.parse(request)
    answer = DOOR.ack(request, [])
    return answer.status, json.loads(answer.body)


def test_the_door_keeps_the_contract() -> None:
    assert isinstance(DOOR, Adapter)
    assert DOOR.capabilities.speaks_at_once


def test_a_form_becomes_one_contact_with_all_that_was_filled_in() -> None:
    request = posted(payload("web__form"), PATH)
    DOOR.verify(request)
    (contact,) = DOOR.parse(request)
    assert (contact.channel, contact.kind) == (Channel.WEB, ContactKind.FORM)
    assert (contact.name, contact.subject, contact.text) == ("Wang Mei", "Noise at night", "The building site works all night.")
    assert (contact.requested_kind, contact.location, contact.language) == ("complaint", "5 Harbour Road", "en")
    assert len(contact.external_id) == 64


def test_the_phone_number_comes_first_and_every_address_is_only_claimed() -> None:
    (contact,) = DOOR.parse(posted(payload("web__form"), PATH))
    assert contact.sender == Address(AddressKind.PHONE, "+8613800001111", Verification.CLAIMED)
    assert contact.also == (Address(AddressKind.EMAIL, "mei@example.com", Verification.CLAIMED),)


def test_json_is_taken_as_well_and_without_a_phone_number_the_mailbox_is_the_address() -> None:
    (contact,) = DOOR.parse(posted(payload("web__json"), PATH, "application/json; charset=utf-8"))
    assert contact.sender == Address(AddressKind.EMAIL, "mei@example.com")
    assert (contact.text, contact.also) == ("工地整夜施工", ())


def test_a_form_without_any_address_is_taken_anonymously() -> None:
    (contact,) = DOOR.parse(form(text="A bench is broken."))
    assert contact.sender == NO_ADDRESS


def test_what_is_no_address_is_left_for_a_person_to_make_sense_of() -> None:
    (contact,) = DOOR.parse(form(text="A bench is broken.", phone="138", email="mei at example"))
    assert contact.sender == NO_ADDRESS
    assert contact.details == {"phone": "138", "email": "mei at example"}


FORM_ID = "0b9f1c9e-7a53-4c55-9d5e-0f7a2f8a6b11"


def test_the_same_form_sent_twice_is_the_same_contact() -> None:
    once, again, other = (DOOR.parse(form(text=text, form_id=FORM_ID))[0].external_id for text in ("A", "A", "B"))
    assert once == again
    assert once != other, "whoever guesses a form's id must not swallow what its owner writes"


def test_two_people_who_write_the_very_same_words_are_two_contacts() -> None:
    one, other = (DOOR.parse(form(text="The street lamp is dark."))[0].external_id for _ in range(2))
    assert one != other, "neither may be given the other's ticket"


def test_an_id_that_can_be_guessed_is_no_key_to_another_persons_ticket() -> None:
    (contact,) = DOOR.parse(form(text="A", form_id="12345678"))
    assert contact.external_id != "12345678"


def test_a_form_without_its_text_is_told_so_in_its_language() -> None:
    assert told(form(text="  ", language="en")) == (422, {"error": "Please write what the matter is.", "field": "text"})
    status, answer = told(form(name="王梅", language="zh"))
    assert (status, answer["field"]) == (422, "text")


@pytest.mark.parametrize("field", sorted(MAX_LENGTHS))
def test_a_field_that_is_too_long_is_named_with_its_limit(field: str) -> None:
    most = MAX_LENGTHS[field]
    status, answer = told(form(**{"text": "A bench is broken.", field: "x" * (most + 1)}))
    assert (status, answer["field"]) == (422, field)
    assert answer["error"] == f"The field {field} is too long: {most} characters at most."


def test_a_field_that_is_no_text_is_named() -> None:
    assert told(as_json({"text": ["a"]}))[1] == {"error": "The field text must be a text.", "field": "text"}


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"1", b"\xff", b"[" * 5000])
def test_what_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    assert told(posted(body, PATH, JSON)) == (400, {"error": "The request is not a JSON object.", "field": ""})


def test_a_flood_of_fields_is_a_bad_request() -> None:
    status, answer = told(form(**{f"f{number}": "x" for number in range(300)}))
    assert (status, answer["error"]) == (400, "The form has too many fields.")


def test_a_new_ticket_is_answered_with_its_number_and_code() -> None:
    answer = DOOR.ack(form(text="A"), [outcome(ContactKind.FORM)])
    assert (answer.status, json.loads(answer.body)) == (201, {"number": "24-000123", "code": "QX7KPM2H", "receipt": "R77"})


def test_a_repeated_form_gets_the_same_answer_as_before() -> None:
    assert DOOR.ack(form(text="A"), [outcome(ContactKind.FORM, is_repeat=True)]).status == 200


def test_a_pending_ticket_is_answered_with_a_receipt() -> None:
    answer = DOOR.ack(form(text="A"), [outcome(ContactKind.FORM, ticket_number=None, lookup_code="")])
    assert json.loads(answer.body) == {"number": None, "code": "", "receipt": "R77"}


def test_the_status_names_the_page_to_post_to() -> None:
    assert DOOR.status().inbound == "https://hotline.city.example/channels/web/contacts"


@profile(max_examples=80, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=80),
        st.dictionaries(st.sampled_from(sorted(MAX_LENGTHS)), st.one_of(st.none(), st.integers(), st.text(max_size=40))).map(
            lambda fields: json.dumps(fields).encode()
        ),
    ),
    content_type=st.sampled_from([JSON, "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"]),
)
def test_parse_never_raises_anything_but_unreadable_and_the_sender_is_always_told(body: bytes, content_type: str) -> None:
    request = posted(body, PATH, content_type)
    try:
        contacts = DOOR.parse(request)
    except UnreadableContactError:
        assert json.loads(DOOR.ack(request, []).body)["error"]
        return
    assert [contact.text != "" and "\x00" not in contact.text for contact in contacts] == [True]
