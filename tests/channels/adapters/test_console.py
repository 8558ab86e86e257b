from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from channels.adapters.console import ConsoleSender, console_contact
from channels.contract import (
    NO_ADDRESS,
    Address,
    AddressKind,
    Channel,
    ContactKind,
    OutboundMessage,
    Purpose,
    RetryableSendError,
    Sender,
    UnreadableContactError,
    Verification,
)


def message(number: int, text: str = "您的工单\n已受理") -> OutboundMessage:
    return OutboundMessage(f"m{number}", Channel.SMS, Address(AddressKind.PHONE, "+8613800001111"), Purpose.NOTICE, "s", text)


def test_a_message_is_one_line_of_json_that_only_the_owner_reads(tmp_path: Path) -> None:
    sender = ConsoleSender(Channel.SMS, tmp_path / "console")
    assert isinstance(sender, Sender)
    assert sender.send(message(1)).provider_id == "console-m1"
    file = tmp_path / "console" / "sms.jsonl"
    (line,) = file.read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert (told["id"], told["to"], told["purpose"], told["text"]) == ("m1", "+8613800001111", "notice", "您的工单\n已受理")
    assert file.stat().st_mode & 0o077 == 0


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    sender = ConsoleSender(Channel.SMS, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: sender.send(message(number, "x" * 5000)), range(40)))
    lines = sender.path.read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {f"m{number}" for number in range(40)}


def test_a_folder_that_cannot_be_written_leaves_the_message_to_be_retried(tmp_path: Path) -> None:
    (tmp_path / "console").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(RetryableSendError):
        ConsoleSender(Channel.SMS, tmp_path / "console").send(message(1))


@pytest.mark.parametrize(
    ("channel", "from_", "kind", "sender"),
    [
        (Channel.SMS, "13800001111", ContactKind.MESSAGE, Address(AddressKind.PHONE, "+8613800001111")),
        (Channel.PHONE, "+8613800001111", ContactKind.CALL, Address(AddressKind.PHONE, "+8613800001111")),
        (Channel.PHONE, "withheld", ContactKind.CALL, NO_ADDRESS),
        (Channel.EMAIL, "Mei@Example.com", ContactKind.MESSAGE, Address(AddressKind.EMAIL, "mei@example.com")),
        (Channel.TELEGRAM, "700100200", ContactKind.MESSAGE, Address(AddressKind.TELEGRAM, "700100200", Verification.CHANNEL)),
        (Channel.WEB, "mei@example.com", ContactKind.FORM, Address(AddressKind.EMAIL, "mei@example.com")),
    ],
)
def test_a_contact_can_be_played_in_for_every_channel(channel: Channel, from_: str, kind: ContactKind, sender: Address) -> None:
    contact = console_contact(channel, from_, "A bench is broken.", subject="Bench", name="Mei", external_id_="one")
    assert (contact.adapter, contact.channel, contact.kind, contact.sender) == ("console", channel, kind, sender)
    assert (contact.external_id, contact.subject, contact.name) == ("one", "Bench", "Mei")


def test_a_contact_without_an_id_is_refused() -> None:
    with pytest.raises(UnreadableContactError):
        console_contact(Channel.SMS, "13800001111", "text", external_id_="")
