"""Our letters: how they look, and what is believed of the relay's answers."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.email.parsing import read_letter
from channels.adapters.email.sending import SmtpSender, build_message
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.tokens import ticket_number_of
from channels.contract import (
    Address,
    AddressKind,
    Channel,
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RetryableSendError,
    Sender,
    SendError,
    UnknownOutcomeError,
    UnreachableError,
)
from foundation.settings import SecuritySettings, Settings, SettingsError
from tests.standins.smtp_sink import SmtpSink

KEY = "a key"
SETTINGS = Settings(security=SecuritySettings(secret_key=KEY))
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
BLOCK = EmailSettings(from_name="城市热线, 12345", mailboxes=["hotline@city.example"])


def message(**changes: Any) -> OutboundMessage:
    values: dict[str, Any] = {
        "id": "0198-abc",
        "channel": Channel.EMAIL,
        "to": Address(AddressKind.EMAIL, "li@example.org"),
        "purpose": Purpose.ACKNOWLEDGEMENT,
        "subject": "您的诉求已收到 2026-000123",
        "text": "您好，\n.我们已收到您的来件。\n",
        "mailbox": "hotline@city.example",
        "reply_token": "2026-000123",
        "message_id": "<out1@city.example>",
        "in_reply_to": ("<first@example.org>", "<second@example.org>"),
    }
    return OutboundMessage(**(values | changes))


def written(**changes: Any) -> EmailMessage:
    """Return the letter as a receiver reads it."""
    built = build_message(message(**changes), BLOCK, key=KEY, now=NOW)
    read = message_from_bytes(built.as_bytes(), policy=default)
    assert isinstance(read, EmailMessage)
    return read


def sender(port: int, **settings: Any) -> SmtpSender:
    block = EmailSettings(**{"deliver": "smtp", "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_timeout_seconds": 5, **settings})
    return SmtpSender(block, SETTINGS, now=lambda: NOW)


# ── the letter ──


def test_an_acknowledgement_carries_what_the_citizen_and_the_mail_servers_need() -> None:
    letter = written()
    assert str(letter["From"]) == '"城市热线, 12345" <hotline@city.example>'
    assert (letter["To"], letter["Subject"]) == ("li@example.org", "您的诉求已收到 2026-000123")
    assert (letter["Date"], letter["Message-ID"]) == ("Mon, 02 Mar 2026 01:00:00 +0000", "<out1@city.example>")
    assert (letter["Auto-Submitted"], letter["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert ticket_number_of(str(letter["Reply-To"]), KEY) == "2026-000123"
    assert letter["X-Hotline-Loop"]
    assert letter.get_content().splitlines() == ["您好，", ".我们已收到您的来件。"]


@pytest.mark.parametrize(("purpose", "is_automatic"), [(purpose, purpose not in (Purpose.ANSWER, Purpose.ALARM)) for purpose in Purpose])
def test_only_what_no_person_wrote_is_marked_automatic(purpose: Purpose, is_automatic: bool) -> None:
    assert ("Auto-Submitted" in written(purpose=purpose)) is is_automatic


def test_message_ids_of_any_length_survive_folding() -> None:
    thread = tuple(f"<{'x' * length}@example.org>" for length in (5, 70, 100, 200))
    letter = build_message(message(in_reply_to=thread), BLOCK, key=KEY, now=NOW).as_bytes()
    assert b"In-Reply-To: " + thread[-1].encode() in letter
    assert all(identifier.encode() in letter for identifier in thread)
    fields = read_letter(letter, "li@example.org", "hotline@city.example")
    assert isinstance(fields, dict)
    assert fields["refers_to"] == list(reversed(thread))


def test_our_own_letter_is_a_machine_to_another_hotline() -> None:
    letter = build_message(message(purpose=Purpose.ANSWER), BLOCK, key=KEY, now=NOW).as_bytes()
    fields = read_letter(letter, "hotline@elsewhere.example", "hotline@city.example")
    assert isinstance(fields, dict)
    assert fields["is_machine"] is True


def test_a_message_that_came_without_mailbox_and_id_gets_steady_ones() -> None:
    letter = written(mailbox="", message_id="", reply_token="", in_reply_to=())
    assert (letter["Message-ID"], letter["Reply-To"], letter["References"]) == ("<0198-abc@city.example>", None, None)


TEXT = st.text(max_size=60) | st.sampled_from(
    ["a\r\nBcc: x@example.org", "a\n\nbody", "\u2028Bcc: x", "\x00", "a\x85Bcc: x", "<x>\r\nBcc: y"]
)


@given(subject=TEXT, text=TEXT, token=TEXT, identifier=TEXT, thread=TEXT)
def test_nothing_in_a_message_adds_a_header(subject: str, text: str, token: str, identifier: str, thread: str) -> None:
    letter = written(subject=subject, text=text, reply_token=token, message_id=identifier, in_reply_to=(thread,))
    assert letter["Bcc"] is None
    assert len(letter.get_all("Subject", [])) == 1
    assert letter.keys()[0] == "From"


# ── handing it over ──


def test_a_letter_reaches_the_relay_with_a_null_return_path() -> None:
    with SmtpSink() as relay:
        assert isinstance(sender(relay.port), Sender)
        sent = sender(relay.port).send(message())
    (delivered,) = relay.letters
    assert (sent.provider_id, delivered.mail_from, delivered.recipients) == ("<out1@city.example>", "", ["li@example.org"])
    assert message_from_bytes(delivered.content, policy=default)["Message-ID"] == "<out1@city.example>"


def test_bounces_of_an_answer_come_back_to_the_mailbox() -> None:
    with SmtpSink() as relay:
        sender(relay.port).send(message(purpose=Purpose.ANSWER, text="."))
    assert relay.letters[0].mail_from == "hotline@city.example"


def test_an_address_in_utf_8_needs_a_relay_that_takes_it() -> None:
    to = Address(AddressKind.EMAIL, "李@例子.example")
    with SmtpSink() as relay:
        sender(relay.port).send(message(to=to))
    assert relay.letters[0].recipients == ["李@例子.example"]
    with SmtpSink(extensions=()) as relay, pytest.raises(PermanentSendError, match="SMTPUTF8"):
        sender(relay.port).send(message(to=to))


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"CONNECT": "554 go away"}, RetryableSendError),
        ({"MAIL": "451 4.3.0 busy"}, RetryableSendError),
        ({"MAIL": "550 5.7.1 not you"}, PermanentSendError),
        ({"RCPT": "450 4.2.0 greylisted"}, RetryableSendError),
        ({"RCPT": "550 5.1.1 li@example.org unknown"}, UnreachableError),
        ({"RCPT": "550 no such user"}, UnreachableError),
        ({"RCPT": "550 5.7.1 relaying denied"}, PermanentSendError),
        ({"RCPT": "554 5.7.1 policy"}, PermanentSendError),
        ({"DATA": "421 4.3.2 leaving"}, RetryableSendError),
        ({"END": "452 4.3.1 full"}, RetryableSendError),
        ({"END": "554 5.6.0 no such content"}, PermanentSendError),
        ({"END": "550 5.1.1 unknown after all"}, UnreachableError),
        ({"END": "not smtp"}, UnknownOutcomeError),
    ],
)
def test_the_relays_answer_says_what_to_do_next(answers: dict[str, str], error: type[SendError]) -> None:
    with SmtpSink(answers=answers) as relay, pytest.raises(SendError) as failed:
        sender(relay.port).send(message())
    assert type(failed.value) is error
    assert "li@example.org" not in str(failed.value)


@pytest.mark.parametrize(
    ("stage", "error"),
    [(stage, RetryableSendError) for stage in ("CONNECT", "MAIL", "RCPT", "DATA")] + [("END", UnknownOutcomeError)],
)
def test_only_a_lost_answer_to_the_whole_letter_is_an_unknown_outcome(stage: str, error: type[SendError]) -> None:
    with SmtpSink(drop_at=stage) as relay, pytest.raises(SendError) as failed:
        sender(relay.port).send(message())
    assert type(failed.value) is error


def test_a_relay_that_is_not_there_is_asked_again_later() -> None:
    with SmtpSink() as relay:
        port = relay.port
    with pytest.raises(RetryableSendError):
        sender(port).send(message())


@pytest.mark.parametrize("extensions", [(), ("STARTTLS",)], ids=["not offered", "broken"])
def test_a_letter_is_never_sent_in_the_open_when_starttls_was_asked_for(extensions: tuple[str, ...]) -> None:
    with SmtpSink(extensions=extensions) as relay, pytest.raises(RetryableSendError):
        sender(relay.port, smtp_starttls=True).send(message())
    assert relay.letters == []
    assert not any(command.startswith("MAIL") for command in relay.commands)


@pytest.mark.parametrize("address", ["", "li", "li@example.org\r\nRCPT TO:<x@example.org>", "a b@example.org", "<li@example.org>", "@"])
def test_what_is_no_address_is_not_tried(address: str) -> None:
    with SmtpSink() as relay, pytest.raises(UnreachableError):
        sender(relay.port).send(message(to=Address(AddressKind.EMAIL, address)))
    assert relay.commands == []


def test_a_sender_without_relay_or_password_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="smtp_host"):
        SmtpSender(EmailSettings(deliver="smtp"), SETTINGS, now=lambda: NOW)
    with pytest.raises(SettingsError, match="smtp_password_file"):
        sender(25, smtp_user="hotline", smtp_password_file=str(tmp_path / "none"))


def test_the_password_is_given_to_the_relay_and_a_refusal_of_it_is_for_later(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    with SmtpSink(extensions=("AUTH PLAIN",)) as relay, pytest.raises(RetryableSendError) as failed:
        sender(relay.port, smtp_user="hotline", smtp_password_file=str(password)).send(message())
    assert any(command.startswith("AUTH PLAIN ") for command in relay.commands)
    assert "s3cret" not in str(failed.value)
    assert smtplib.SMTPAuthenticationError.__name__ in str(failed.value)
