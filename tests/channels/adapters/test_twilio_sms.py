from __future__ import annotations

import logging
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.adapters.twilio.sms import PATH, TwilioSms, TwilioSmsSettings
from channels.contract import (
    NO_ADDRESS,
    Adapter,
    Address,
    AddressKind,
    Attachment,
    Channel,
    ContactKind,
    Health,
    OptedOutError,
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RetryableSendError,
    Sender,
    SendError,
    UnknownOutcomeError,
    UnreachableError,
    UnreadableContactError,
)
from foundation.settings import SettingsError
from tests.channels.adapters.requests import AUTH_TOKEN, outcome, payload, posted, settings, signed
from tests.standins.loopback import Answer, free_port, serving
from tests.standins.twilio_api import TwilioApi, problems, refusal

ACCOUNT = "AC" + "1" * 32
CITIZEN = Address(AddressKind.PHONE, "+8613800001111")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "twilio_auth_token"
    file.write_text(f"{AUTH_TOKEN}\nthe-old-token\n", encoding="utf-8")
    return file


@pytest.fixture
def door(token_file: Path) -> TwilioSms:
    return TwilioSms(TwilioSmsSettings(auth_token_file=str(token_file)), settings())


def sending_door(token_file: Path, api_base_url: str, timeout_seconds: float = 5) -> TwilioSms:
    block = TwilioSmsSettings(
        account_sid=ACCOUNT, auth_token_file=str(token_file), deliver="twilio", api_base_url=api_base_url, timeout_seconds=timeout_seconds
    )
    return TwilioSms(block, settings())


def message(text: str = "Your ticket is 24-000123.", to: Address = CITIZEN) -> OutboundMessage:
    return OutboundMessage("m1", Channel.SMS, to, Purpose.ACKNOWLEDGEMENT, "", text)


# ── taking ──


def test_the_door_keeps_the_contract(door: TwilioSms) -> None:
    assert isinstance(door, Adapter)
    assert isinstance(door, Sender)


def test_an_sms_becomes_one_contact_of_its_sender(door: TwilioSms) -> None:
    request = signed(payload("twilio_sms__plain"))
    door.verify(request)
    (contact,) = door.parse(request)
    assert (contact.adapter, contact.channel, contact.kind) == ("twilio_sms", Channel.SMS, ContactKind.MESSAGE)
    assert contact.external_id == "SM0123456789abcdef0123456789abcdef"
    assert contact.sender == CITIZEN
    assert contact.mailbox == "+861012345000"
    assert contact.text == "The street light at 5 Harbour Road is broken"


def test_a_token_that_is_being_rotated_out_still_verifies(door: TwilioSms) -> None:
    request = signed(payload("twilio_sms__plain"), token="the-old-token")
    door.verify(request)
    assert len(door.parse(request)) == 1


def test_nul_is_taken_out_of_the_text_because_postgresql_refuses_it(door: TwilioSms) -> None:
    (contact,) = door.parse(signed(payload("twilio_sms__chinese_with_nul")))
    assert contact.text == "人民路5号的路灯坏了"


@pytest.mark.parametrize(("name", "sender"), [("twilio_sms__short_code", "106900001"), ("twilio_sms__name_as_sender", "CITYBANK")])
def test_a_short_code_or_a_name_is_no_person_but_is_kept_in_the_details(door: TwilioSms, name: str, sender: str) -> None:
    (contact,) = door.parse(signed(payload(name)))
    assert contact.sender == NO_ADDRESS
    assert contact.details["from"] == sender


def test_pictures_are_listed_and_can_be_fetched_later(door: TwilioSms) -> None:
    (contact,) = door.parse(signed(payload("twilio_sms__two_pictures")))
    assert contact.attachments == (Attachment("media0", "image/jpeg", 0), Attachment("media1", "image/png", 0))
    assert [url.rsplit("/", 1)[1] for url in contact.details["media_urls"]] == ["ME1", "ME2"]


@pytest.mark.parametrize("body", [b"", b"Body=hello", b"MessageSid=&Body=hello", b"MessageSid=" + b"x" * 201])
def test_a_message_without_a_usable_sid_is_unreadable(door: TwilioSms, body: bytes) -> None:
    with pytest.raises(UnreadableContactError):
        door.parse(posted(body, PATH))


def test_twilio_is_answered_with_an_empty_document_so_that_it_sends_nothing_itself(door: TwilioSms) -> None:
    answer = door.ack(signed(payload("twilio_sms__plain")), [outcome(ContactKind.MESSAGE)])
    assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/xml")
    document = ElementTree.fromstring(answer.body)
    assert (document.tag, len(document), document.text) == ("Response", 0, None)


@profile(max_examples=60, deadline=None)
@given(body=st.one_of(st.binary(max_size=120), st.text(max_size=60).map(lambda text: f"MessageSid=SM1&From={text}&Body={text}".encode())))
def test_parse_never_raises_anything_but_unreadable(body: bytes) -> None:
    door = TwilioSms(TwilioSmsSettings(enabled=False), settings())
    try:
        contacts = door.parse(posted(body, PATH))
    except UnreadableContactError:
        return
    assert all("\x00" not in contact.text for contact in contacts)


# ── settings and status ──


def test_an_enabled_door_without_its_token_stops_the_start_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[channels\.twilio_sms\] auth_token_file: .* put your Twilio auth token there"):
        TwilioSms(TwilioSmsSettings(auth_token_file=str(tmp_path / "none")), settings())


def test_a_disabled_door_needs_no_token_and_is_off(tmp_path: Path) -> None:
    door = TwilioSms(TwilioSmsSettings(enabled=False, auth_token_file=str(tmp_path / "none")), settings())
    assert door.status().health is Health.OFF


def test_sending_with_the_demo_account_stops_the_start(token_file: Path) -> None:
    with pytest.raises(SettingsError, match="account_sid"):
        TwilioSms(TwilioSmsSettings(auth_token_file=str(token_file), deliver="twilio"), settings())


def test_the_status_names_the_number_and_the_url_for_the_webhook(door: TwilioSms) -> None:
    status = door.status()
    assert (status.name, status.kind, status.address, status.health) == ("twilio_sms", Channel.SMS, "+861012345000", Health.OK)
    assert status.inbound == "https://hotline.city.example/channels/twilio_sms/messages"


# ── sending, over a real socket ──


def test_a_message_goes_out_as_the_published_schema_wants_it(token_file: Path) -> None:
    api = TwilioApi(ACCOUNT, AUTH_TOKEN)
    with serving(api) as url:
        sent = sending_door(token_file, url).send(message("工单 24-000123 已受理"))
    assert api.messages == [{"To": "+8613800001111", "From": "+861012345000", "Body": "工单 24-000123 已受理"}]
    assert sent.provider_id == "SM" + "1".zfill(32)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(400, 21610, "Attempt to send to unsubscribed recipient"), OptedOutError),
        (refusal(400, 21211, "The 'To' number +8613800001111 is not a valid phone number."), UnreachableError),
        (refusal(400, 21612, "no route"), UnreachableError),
        (refusal(400, 21614, "not a mobile number"), UnreachableError),
        (refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit"), PermanentSendError),
        (refusal(400, 21408, "Permission to send an SMS has not been enabled"), PermanentSendError),
        (refusal(429, 20429, "Too many requests"), RetryableSendError),
        (refusal(500, 20500, "Internal server error"), RetryableSendError),
        (refusal(503, 20503, "Service unavailable"), RetryableSendError),
        (Answer(502, b"<html>bad gateway</html>", "text/html"), RetryableSendError),
        (Answer(504, b"<html>gateway timeout</html>", "text/html"), UnknownOutcomeError),
        (Answer(201, b"not json", "text/plain"), UnknownOutcomeError),
        (Answer(201, b"{}"), UnknownOutcomeError),
        (Answer(201, b"", close_early=True), UnknownOutcomeError),
        (Answer(400, b'{"type":"t","title":"Opted out","status":400,"code":21610}'), OptedOutError),
    ],
)
def test_each_refusal_says_what_to_do_next_and_names_no_citizen(token_file: Path, answer: Answer, error: type[SendError]) -> None:
    api = TwilioApi(ACCOUNT, AUTH_TOKEN, next_answer=answer)
    with serving(api) as url, pytest.raises(error) as caught:
        sending_door(token_file, url).send(message())
    assert type(caught.value) is error
    assert "13800001111" not in str(caught.value)
    assert len(api.messages) == 1


def test_a_wrong_token_is_the_offices_matter_and_the_message_waits(token_file: Path) -> None:
    with serving(TwilioApi(ACCOUNT, "another token")) as url, pytest.raises(RetryableSendError, match="auth token"):
        sending_door(token_file, url).send(message())


def test_a_refused_connection_is_retried_because_nothing_was_sent(token_file: Path) -> None:
    with pytest.raises(RetryableSendError):
        sending_door(token_file, f"http://127.0.0.1:{free_port()}").send(message())


def test_no_answer_in_time_leaves_the_outcome_unknown_because_twilio_may_have_it(token_file: Path) -> None:
    api = TwilioApi(ACCOUNT, AUTH_TOKEN, next_answer=Answer(201, b"", hold=True))
    with serving(api) as url, pytest.raises(UnknownOutcomeError):
        sending_door(token_file, url, timeout_seconds=0.2).send(message())
    assert len(api.messages) == 1


def test_a_recipient_without_a_number_is_refused_before_anything_is_sent(token_file: Path) -> None:
    with pytest.raises(PermanentSendError):
        sending_door(token_file, "http://127.0.0.1:1").send(message(to=Address(AddressKind.EMAIL, "mei@example.com")))


def test_sending_logs_nothing_of_the_request(token_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), serving(TwilioApi(ACCOUNT, AUTH_TOKEN)) as url:
        sending_door(token_file, url).send(message("a private matter"))
    assert ACCOUNT not in caplog.text
    assert "13800001111" not in caplog.text
    assert "private matter" not in caplog.text


# ── the stand-in itself ──


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ([("To", "+8613800001111"), ("From", "+861012345000"), ("Body", "x"), ("Text", "x")], "unknown parameter Text"),
        ([("From", "+861012345000"), ("Body", "x")], "To is missing"),
        ([("To", "13800001111"), ("From", "+861012345000"), ("Body", "x")], "To is malformed"),
        ([("To", "+8613800001111"), ("Body", "x")], "one of ('From', 'MessagingServiceSid') is required"),
        ([("To", "+8613800001111"), ("From", "+861012345000"), ("Body", "")], "Body is malformed"),
        ([("To", "+8613800001111"), ("From", "+861012345000"), ("Body", "x"), ("StatusCallback", "later")], "StatusCallback is malformed"),
    ],
)
def test_the_stand_in_refuses_what_the_schema_does_not_allow(parameters: list[tuple[str, str]], problem: str) -> None:
    assert problems(parameters, "application/x-www-form-urlencoded") == [problem]
