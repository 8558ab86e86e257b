"""The console twin of every provider: messages go to a file, contacts come from the command line. No account needed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock

from channels.contract import (
    NO_ADDRESS,
    Address,
    AddressKind,
    Channel,
    ContactKind,
    InboundContact,
    OutboundMessage,
    RetryableSendError,
    Sent,
    Verification,
)
from channels.reading import clean_text, external_id, phone_address

NAME = "console"
KINDS = {Channel.PHONE: ContactKind.CALL, Channel.WEB: ContactKind.FORM, Channel.VISIT: ContactKind.FORM}
OWNER_ONLY = 0o600  # the lines hold citizens' addresses


class ConsoleSender:
    """Delivers by appending one JSON line to <folder>/<channel>.jsonl."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        self.name = NAME
        self.channel = channel
        self.path = folder / f"{channel}.jsonl"
        self._lock = Lock()

    def send(self, message: OutboundMessage) -> Sent:
        """Append the message, or raise RetryableSendError when the file cannot be written."""
        line = json.dumps(_as_json(message), ensure_ascii=False) + "\n"
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                _append(self.path, line.encode("utf-8", "replace"))
        except OSError as error:
            raise RetryableSendError(f"{self.path} cannot be written ({error.strerror})") from error
        return Sent(f"{NAME}-{message.id}")


def console_contact(
    channel: Channel,
    from_: str,
    text: str,
    *,
    subject: str = "",
    name: str = "",
    external_id_: str,
    region: str = "CN",
) -> InboundContact:
    """Return a contact as the adapter of `channel` would have read it.

    from_         a number, a mailbox or a Telegram id; what is none of them counts as withheld
    external_id_  the same id again is the same contact
    region        for numbers without "+"
    Raises        UnreadableContactError when the id is empty or longer than 200 characters
    """
    contact_id = external_id(external_id_)
    return InboundContact(
        adapter=NAME,
        channel=channel,
        kind=KINDS.get(channel, ContactKind.MESSAGE),
        external_id=contact_id,
        sender=_address(channel, from_.strip(), region),
        name=clean_text(name),
        subject=clean_text(subject),
        text=clean_text(text),
        conversation=contact_id if channel is Channel.PHONE else "",
    )


def _address(channel: Channel, from_: str, region: str) -> Address:
    if channel is Channel.TELEGRAM:
        return Address(AddressKind.TELEGRAM, from_, Verification.CHANNEL) if from_.isdecimal() else NO_ADDRESS
    if "@" in from_:
        return Address(AddressKind.EMAIL, from_.lower())
    return phone_address(from_, region)


def _as_json(message: OutboundMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "channel": message.channel,
        "to": message.to.value,
        "purpose": message.purpose,
        "subject": message.subject,
        "text": message.text,
        "language": message.language,
        "mailbox": message.mailbox,
        "reply_token": message.reply_token,
        "message_id": message.message_id,
        "in_reply_to": list(message.in_reply_to),
    }


def _append(path: Path, line: bytes) -> None:
    """Write the line in one call, so that lines of several processes stay whole."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
    try:
        os.write(file, line)
    finally:
        os.close(file)
