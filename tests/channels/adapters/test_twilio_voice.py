from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.adapters.twilio.voice import PATHS, STATUS_PATH, TwilioVoice, TwilioVoiceSettings
from channels.calls import Stage
from channels.contract import (
    NO_ADDRESS,
    Adapter,
    Address,
    AddressKind,
    Channel,
    ContactKind,
    Health,
    InboundContact,
    RawRequest,
    UnreadableContactError,
)
from foundation.settings import CitySettings, ServerSettings, Settings
from tests.channels.adapters.requests import AUTH_TOKEN, BASE_URL, outcome, payload, posted, settings, signed

SID = "CA0123456789abcdef0123456789abcdef"
INCOMING, WORDS, CALLBACK = PATHS[Stage.INCOMING], PATHS[Stage.WORDS], PATHS[Stage.CALLBACK]
VERBS = {"Response", "Say", "Gather", "Redirect", "Hangup"}


@pytest.fixture
def door(tmp_path: Path) -> TwilioVoice:
    file = tmp_path / "twilio_auth_token"
    file.write_text(AUTH_TOKEN, encoding="utf-8")
    return TwilioVoice(TwilioVoiceSettings(auth_token_file=str(file)), settings())


def contact(door: TwilioVoice, name: str, path: str) -> InboundContact:
    request = signed(payload(name), path)
    door.verify(request)
    (found,) = door.parse(request)
    return found


def twiml(door: TwilioVoice, request: RawRequest, *kinds: ContactKind) -> ElementTree.Element:
    answer = door.ack(request, [outcome(kind) for kind in kinds])
    assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/xml")
    document = ElementTree.fromstring(answer.body)
    assert {element.tag for element in document.iter()} <= VERBS
    return document


def test_the_door_keeps_the_contract(door: TwilioVoice) -> None:
    assert isinstance(door, Adapter)
    assert door.capabilities.speaks_at_once
    assert not door.capabilities.can_send
    assert door.paths == (INCOMING, WORDS, CALLBACK, STATUS_PATH)


# ── what is a contact ──


def test_a_ringing_telephone_is_a_contact_of_the_caller(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__incoming", INCOMING)
    assert (call.kind, call.external_id, call.conversation) == (ContactKind.CALL, SID, SID)
    assert call.sender == Address(AddressKind.PHONE, "+8613800001111")
    assert (call.channel, call.mailbox, call.text) == (Channel.PHONE, "+861012345000", "")


def test_the_callers_words_are_a_contact_with_their_confidence(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__words", f"{WORDS}?try=1&lang=en")
    assert (call.kind, call.external_id) == (ContactKind.CALL_WORDS, SID)
    assert call.text == "The lift in our building has been broken for three days."
    assert call.details["confidence"] == "0.9128386"


def test_silence_is_no_contact(door: TwilioVoice) -> None:
    request = signed(payload("twilio_voice__silence"), f"{WORDS}?try=1&lang=en")
    door.verify(request)
    assert door.parse(request) == []


def test_the_key_1_is_a_contact_that_asks_for_a_callback(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__callback_key", f"{CALLBACK}?try=1&lang=en")
    assert (call.kind, call.conversation) == (ContactKind.CALL_BACK, SID)
    assert call.sender.value == "+8613800001111"


def test_a_withheld_number_is_nobodys_address(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__incoming_withheld", INCOMING)
    assert call.sender == NO_ADDRESS
    assert call.details["from"] == "+266696687"


@pytest.mark.parametrize("number", ["", "anonymous", "Restricted", "unknown", "+86282452253", "sip:mei@example.com", "12345"])
def test_every_way_to_withhold_a_number_leads_to_no_shared_profile(door: TwilioVoice, number: str) -> None:
    (call,) = door.parse(posted(urlencode({"CallSid": SID, "From": number}).encode(), INCOMING))
    assert call.sender == NO_ADDRESS


def test_a_number_that_was_typed_for_the_callback_is_the_address_to_answer_to(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__entered_number", f"{CALLBACK}?try=1&lang=en&ask=number")
    assert call.kind is ContactKind.CALL_BACK
    assert call.sender == Address(AddressKind.PHONE, "+8613800002222")


def test_the_end_of_the_call_is_a_contact_with_its_length(door: TwilioVoice) -> None:
    call = contact(door, "twilio_voice__ended", STATUS_PATH)
    assert (call.kind, call.external_id) == (ContactKind.CALL_ENDED, SID)
    assert (call.details["status"], call.details["duration_seconds"]) == ("completed", "42")


def test_a_call_that_still_goes_on_has_not_ended(door: TwilioVoice) -> None:
    assert door.parse(signed(payload("twilio_voice__silence"), STATUS_PATH)) == []


def test_a_step_without_its_call_is_unreadable(door: TwilioVoice) -> None:
    with pytest.raises(UnreadableContactError):
        door.parse(posted(b"From=%2B8613800001111", INCOMING))


# ── what the caller hears ──


def test_the_greeting_listens_for_speech_and_goes_on_when_there_is_none(door: TwilioVoice) -> None:
    document = twiml(door, signed(payload("twilio_voice__incoming"), INCOMING), ContactKind.CALL)
    gather, redirect = document
    assert gather.attrib == {
        "input": "speech",
        "action": f"{BASE_URL}{WORDS}?try=1&lang=en",
        "method": "POST",
        "timeout": "8",
        "speechTimeout": "3",
        "language": "en-US",
    }
    assert redirect.text == gather.attrib["action"]


def test_a_url_that_the_call_goes_on_at_is_one_that_the_door_takes_and_twilio_can_sign(door: TwilioVoice) -> None:
    document = twiml(door, signed(payload("twilio_voice__incoming"), INCOMING), ContactKind.CALL)
    url = urlsplit(document[0].attrib["action"])
    assert url.path in door.paths
    door.verify(signed(payload("twilio_voice__words"), f"{url.path}?{url.query}"))


def test_a_chinese_line_speaks_and_understands_chinese() -> None:
    office = Settings(city=CitySettings(name="示例市"), server=ServerSettings(public_base_url=BASE_URL))
    door = TwilioVoice(TwilioVoiceSettings(enabled=False, language="zh"), office)
    answer = door.ack(signed(payload("twilio_voice__incoming"), INCOMING), [outcome(language="zh")])
    gather = ElementTree.fromstring(answer.body)[0]
    assert gather.attrib["language"] == "cmn-Hans-CN"
    assert {said.attrib["language"] for said in gather} == {"zh-CN"}
    assert "示例市" in ElementTree.tostring(gather, encoding="unicode")


def test_the_language_is_carried_through_a_step_without_a_contact(door: TwilioVoice) -> None:
    document = twiml(door, signed(payload("twilio_voice__silence"), f"{WORDS}?try=1&lang=zh"))
    assert document[0].attrib["action"].endswith("?try=2&lang=zh")


def test_a_caller_who_stays_silent_is_called_back_by_following_the_redirects(door: TwilioVoice) -> None:
    path, kinds, last = INCOMING, [], ""
    for _ in range(8):
        request = signed(payload("twilio_voice__silence"), path)
        door.verify(request)
        kinds += [found.kind for found in door.parse(request)]
        document = twiml(door, request, *kinds[-1:])
        last = "".join(document.itertext())
        if document[-1].tag == "Hangup":
            break
        url = urlsplit(document[-1].text or "")
        path = f"{url.path}?{url.query}"
    assert kinds == [ContactKind.CALL, ContactKind.CALL_BACK]
    assert last == "We will call you back at the number you are calling from. Goodbye."


def test_after_the_words_one_digit_is_awaited(door: TwilioVoice) -> None:
    document = twiml(door, signed(payload("twilio_voice__words"), f"{WORDS}?try=1&lang=en"), ContactKind.CALL_WORDS)
    assert document[0].attrib["input"] == "dtmf"
    assert document[0].attrib["numDigits"] == "1"
    assert "2, 4, 0, 0, 0, 1, 2, 3" in "".join(document.itertext())


def test_characters_that_xml_forbids_are_left_out_and_others_escaped() -> None:
    city = CitySettings(name='A\x00\x0b\ud800<&">Ω市')
    door = TwilioVoice(TwilioVoiceSettings(enabled=False), Settings(city=city))
    answer = door.ack(posted(payload("twilio_voice__incoming"), INCOMING), [outcome()])
    assert 'A<&">Ω市' in "".join(ElementTree.fromstring(answer.body).itertext())


def test_the_end_of_a_call_is_answered_with_an_empty_document(door: TwilioVoice) -> None:
    assert len(twiml(door, signed(payload("twilio_voice__ended"), STATUS_PATH), ContactKind.CALL_ENDED)) == 0


def test_the_status_names_the_number_and_where_calls_come_in(door: TwilioVoice) -> None:
    status = door.status()
    assert (status.kind, status.address, status.inbound) == (Channel.PHONE, "+861012345000", BASE_URL + INCOMING)
    assert status.health is Health.OK


def test_a_real_account_that_cannot_reach_us_is_warned_about(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(AUTH_TOKEN, encoding="utf-8")
    status = TwilioVoice(TwilioVoiceSettings(account_sid="AC" + "1" * 32, auth_token_file=str(file)), Settings()).status()
    assert status.health is Health.WARNING
    assert "public_base_url" in status.detail


@profile(max_examples=60, deadline=None)
@given(
    path=st.sampled_from([*PATHS.values(), STATUS_PATH]),
    query=st.one_of(st.text(max_size=30), st.sampled_from(["try=2&unheard=1", "try=9&lang=fr", "ask=number", "&" * 300])),
    form=st.dictionaries(st.sampled_from(["CallSid", "From", "Digits", "SpeechResult", "CallStatus"]), st.text(max_size=30)),
)
def test_no_request_makes_parse_or_ack_fail(path: str, query: str, form: dict[str, str]) -> None:
    door = TwilioVoice(TwilioVoiceSettings(enabled=False), settings())
    request = posted(urlencode(form, errors="replace").encode(), f"{path}?{query}")
    try:
        contacts = door.parse(request)
    except UnreadableContactError:
        contacts = []
    answer = door.ack(request, [outcome(found.kind) for found in contacts])
    assert ElementTree.fromstring(answer.body).tag == "Response"
