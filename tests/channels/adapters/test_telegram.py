from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.adapters.telegram import MAX_TEXT, PATH, Telegram, TelegramSettings, split_text
from channels.contract import (
    Adapter,
    Address,
    AddressKind,
    Attachment,
    Channel,
    ContactKind,
    ForgedRequestError,
    Health,
    InboundContact,
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RawRequest,
    RawResponse,
    RetryableSendError,
    Sender,
    SendError,
    UnknownOutcomeError,
    UnreachableError,
    UnreadableContactError,
    Verification,
)
from foundation.settings import SettingsError
from tests.channels.adapters.requests import payload, posted, settings
from tests.standins.loopback import Answer, free_port, serving
from tests.standins.telegram_api import TelegramApi, problems, refusal

TOKEN = "123456:a-token-of-the-bot"
SECRET = "a-secret-for-the-webhook"
MEI = Address(AddressKind.TELEGRAM, "700100200", Verification.CHANNEL)


@pytest.fixture
def secrets_folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(TOKEN + "\n", encoding="utf-8")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    return tmp_path


def block(folder: Path, **values: Any) -> TelegramSettings:
    return TelegramSettings(token_file=str(folder / "token"), secret_token_file=str(folder / "secret"), **values)


@pytest.fixture
def door(secrets_folder: Path) -> Telegram:
    return Telegram(block(secrets_folder), settings())


def sending_door(folder: Path, api_base_url: str, timeout_seconds: float = 5) -> Telegram:
    return Telegram(block(folder, deliver="telegram", api_base_url=api_base_url, timeout_seconds=timeout_seconds), settings())


def update(body: bytes, secret: str = SECRET) -> RawRequest:
    return posted(body, PATH, "application/json", x_telegram_bot_api_secret_token=secret)


def contact(door: Telegram, name: str) -> InboundContact:
    request = update(payload(name))
    door.verify(request)
    (found,) = door.parse(request)
    return found


def message(text: str = "您的工单是 24-000123。", to: Address = MEI) -> OutboundMessage:
    return OutboundMessage("m1", Channel.TELEGRAM, to, Purpose.ACKNOWLEDGEMENT, "", text)


# ── taking ──


def test_the_door_keeps_the_contract(door: Telegram) -> None:
    assert isinstance(door, Adapter)
    assert isinstance(door, Sender)


@pytest.mark.parametrize("secret", ["", "another", SECRET + "x", "\udcff", "密"])
def test_an_update_without_the_right_secret_token_is_forged(door: Telegram, secret: str) -> None:
    with pytest.raises(ForgedRequestError):
        door.verify(update(payload("telegram__text"), secret))


def test_an_update_without_the_header_is_forged(door: Telegram) -> None:
    with pytest.raises(ForgedRequestError):
        door.verify(posted(payload("telegram__text"), PATH, "application/json"))


def test_a_message_is_a_contact_of_a_person_whom_telegram_vouches_for(door: Telegram) -> None:
    found = contact(door, "telegram__text")
    assert (found.adapter, found.channel, found.kind) == ("telegram", Channel.TELEGRAM, ContactKind.MESSAGE)
    assert (found.sender, found.name, found.language) == (MEI, "Mei Wang", "zh")
    assert (found.text, found.external_id, found.conversation) == ("人民路5号的路灯坏了", "700100200:11", "700100200")
    assert found.occurred_at == datetime(2024, 11, 21, 10, 0, tzinfo=UTC)


def test_an_edited_message_is_a_contact_of_its_own(door: Telegram) -> None:
    found = contact(door, "telegram__edited")
    assert found.external_id == "700100200:11:edit:1732183260"
    assert found.details["is_edit"] is True


def test_ones_own_contact_card_is_a_verified_number(door: Telegram) -> None:
    assert contact(door, "telegram__own_contact_card").also == (Address(AddressKind.PHONE, "+8613800001111", Verification.CHANNEL),)


def test_a_card_of_somebody_else_is_only_a_claim(door: Telegram) -> None:
    assert contact(door, "telegram__foreign_contact_card").also == (Address(AddressKind.PHONE, "+8613800002222", Verification.CLAIMED),)


def test_a_photo_is_listed_with_its_largest_size_and_never_with_a_url(door: Telegram) -> None:
    found = contact(door, "telegram__photo")
    assert found.attachments == (Attachment("photo.jpg", "application/octet-stream", 120000),)
    assert found.details["file_ids"] == ["large"]
    assert (found.text, found.details["media_group_id"]) == ("This pothole", "135")


def test_a_shared_position_is_the_location(door: Telegram) -> None:
    assert contact(door, "telegram__location").location == "31.230416,121.473701"


@pytest.mark.parametrize("name", ["telegram__group", "telegram__opened_chat", "telegram__blocked_bot"])
def test_groups_opened_chats_and_blocked_bots_are_no_contacts(door: Telegram, name: str) -> None:
    assert door.parse(update(payload(name))) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"update_id":1,"message":3}', b"\xff", b"[" * 5000])
def test_a_malformed_update_is_kept_and_never_a_crash(door: Telegram, body: bytes) -> None:
    with pytest.raises(UnreadableContactError):
        door.parse(update(body))
    with pytest.raises(UnreadableContactError):
        door.parse(update(payload("telegram__malformed")))


def test_telegram_is_answered_with_200_also_when_nothing_could_be_read(door: Telegram) -> None:
    assert door.ack(update(b"broken"), []) == RawResponse(200, b"")


TEXT_UPDATE = json.loads(payload("telegram__text"))
SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@profile(max_examples=80, deadline=None)
@given(key=st.sampled_from([*TEXT_UPDATE["message"], "contact", "photo", "location", "venue", "document", "edit_date"]), value=JSON)
def test_parse_never_raises_anything_but_unreadable(key: str, value: object) -> None:
    door = Telegram(TelegramSettings(enabled=False), settings())
    body = json.dumps(TEXT_UPDATE | {"message": TEXT_UPDATE["message"] | {key: value}}).encode()
    try:
        contacts = door.parse(update(body))
    except UnreadableContactError:
        return
    assert all(found.sender.is_known for found in contacts)


# ── settings and status ──


@pytest.mark.parametrize(("missing", "field"), [("secret", "secret_token_file"), ("token", "token_file")])
def test_an_enabled_door_without_a_secret_stops_the_start_with_the_remedy(secrets_folder: Path, missing: str, field: str) -> None:
    (secrets_folder / missing).unlink()
    with pytest.raises(SettingsError, match=rf"\[channels\.telegram\] {field}: .*put .* there, or set enabled = false"):
        sending_door(secrets_folder, "")


def test_a_disabled_door_is_off_and_takes_nothing(tmp_path: Path) -> None:
    door = Telegram(block(tmp_path, enabled=False), settings())
    assert door.status().health is Health.OFF
    with pytest.raises(ForgedRequestError):
        door.verify(update(payload("telegram__text"), ""))


def test_the_status_names_the_bot_and_the_url_for_the_webhook(door: Telegram) -> None:
    status = door.status()
    assert (status.address, status.inbound) == ("@city_example_bot", "https://hotline.city.example/channels/telegram/updates")
    assert status.health is Health.OK


# ── sending, over a real socket ──


def test_a_message_goes_out_as_the_published_list_of_fields_wants_it(secrets_folder: Path) -> None:
    api = TelegramApi(TOKEN)
    with serving(api) as url:
        sent = sending_door(secrets_folder, url).send(message())
    assert api.messages == [{"chat_id": "700100200", "text": "您的工单是 24-000123。"}]
    assert sent.provider_id == "700100200:1"


def test_a_long_text_goes_out_in_parts_that_telegram_takes(secrets_folder: Path) -> None:
    api, text = TelegramApi(TOKEN), "\n".join(f"line {number} 😀" for number in range(700))
    with serving(api) as url:
        sending_door(secrets_folder, url).send(message(text))
    assert len(api.messages) > 1
    assert "\n".join(part["text"] for part in api.messages) == text


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "Forbidden: bot was blocked by the user"), UnreachableError),
        (refusal(400, "Bad Request: chat not found"), UnreachableError),
        (refusal(400, "Bad Request: message text is empty"), PermanentSendError),
        (refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100), PermanentSendError),
        (refusal(401, "Unauthorized"), RetryableSendError),
        (refusal(429, "Too Many Requests: retry after 7", retry_after=7), RetryableSendError),
        (refusal(500, "Internal Server Error"), RetryableSendError),
        (refusal(502, "Bad Gateway"), RetryableSendError),
        (Answer(504, b"<html>", "text/html"), UnknownOutcomeError),
        (Answer(200, b"not json"), UnknownOutcomeError),
        (Answer(200, b"", close_early=True), UnknownOutcomeError),
    ],
)
def test_each_refusal_says_what_to_do_next(secrets_folder: Path, answer: Answer, error: type[SendError]) -> None:
    api = TelegramApi(TOKEN, answers=[answer])
    with serving(api) as url, pytest.raises(error) as caught:
        sending_door(secrets_folder, url).send(message())
    assert type(caught.value) is error
    assert len(api.messages) == 1


def test_the_wait_that_telegram_asks_for_is_kept(secrets_folder: Path) -> None:
    api = TelegramApi(TOKEN, answers=[refusal(429, "Too Many Requests: retry after 7", retry_after=7)])
    with serving(api) as url, pytest.raises(RetryableSendError) as caught:
        sending_door(secrets_folder, url).send(message())
    assert caught.value.after == timedelta(seconds=7)


def test_a_message_of_which_a_part_went_out_is_never_sent_again_blindly(secrets_folder: Path) -> None:
    api = TelegramApi(TOKEN, answers=[None, refusal(429, "Too Many Requests: retry after 7", retry_after=7)])
    with serving(api) as url, pytest.raises(UnknownOutcomeError, match="1 of 2 parts"):
        sending_door(secrets_folder, url).send(message("word " * 1000))


def test_a_refused_connection_is_retried_because_nothing_was_sent(secrets_folder: Path) -> None:
    with pytest.raises(RetryableSendError):
        sending_door(secrets_folder, f"http://127.0.0.1:{free_port()}").send(message())


def test_no_answer_in_time_leaves_the_outcome_unknown_because_telegram_may_have_it(secrets_folder: Path) -> None:
    api = TelegramApi(TOKEN, answers=[Answer(200, b"", hold=True)])
    with serving(api) as url, pytest.raises(UnknownOutcomeError):
        sending_door(secrets_folder, url, timeout_seconds=0.2).send(message())


def test_a_recipient_without_a_telegram_id_is_refused_before_anything_is_sent(secrets_folder: Path) -> None:
    with pytest.raises(PermanentSendError):
        sending_door(secrets_folder, "http://127.0.0.1:1").send(message(to=Address(AddressKind.PHONE, "+8613800001111")))


def test_sending_logs_neither_the_token_nor_the_text(secrets_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), serving(TelegramApi(TOKEN)) as url:
        sending_door(secrets_folder, url).send(message("a private matter"))
    assert TOKEN not in caplog.text
    assert "private matter" not in caplog.text


@profile(max_examples=40, deadline=None)
@given(text=st.text(alphabet="a \n市😀", min_size=1, max_size=60).map(lambda text: text * 250))
def test_no_part_is_too_long_and_no_word_is_lost(text: str) -> None:
    parts = split_text(text)
    assert all(len(part.encode("utf-16-le")) // 2 <= MAX_TEXT for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"chat_id": "1", "text": "x", "disable_web_page_preview": "true"}, "unknown field disable_web_page_preview"),
        ({"chat_id": "one", "text": "x"}, "chat_id is malformed"),
        ({"chat_id": "1"}, "text is missing"),
        ({"chat_id": "1", "text": "x" * 4097}, "message is too long"),
    ],
)
def test_the_stand_in_refuses_what_the_list_of_fields_does_not_allow(fields: dict[str, str], problem: str) -> None:
    assert problems(fields, "application/x-www-form-urlencoded") == [problem]
