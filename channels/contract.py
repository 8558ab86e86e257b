"""What an adapter promises: the shapes that pass between a provider and the hotline.

An adapter turns a provider's request into contacts (`verify`, `parse`), answers the provider (`ack`), and
delivers our messages (`send`). It knows neither the database nor the web framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable


class Channel(StrEnum):
    """By what kind of door a contact came."""

    PHONE = "phone"
    EMAIL = "email"
    SMS = "sms"
    WEB = "web"
    TELEGRAM = "telegram"
    CHAT = "chat"
    VISIT = "visit"


class AddressKind(StrEnum):
    """What sort of address a person was reached at; the same kind is comparable across channels."""

    PHONE = "phone"  # E.164, as +8613800001111
    EMAIL = "email"  # lower case
    TELEGRAM = "telegram"  # the numeric user id
    NONE = "none"  # withheld, or a form that named none


class Verification(StrEnum):
    """How far an address can be believed."""

    CLAIMED = "claimed"  # typed, caller ID, From header
    CHANNEL = "channel"  # the channel itself vouches: Telegram's from.id, a DMARC pass
    CODE = "code"  # a one-time code came back


class ContactKind(StrEnum):
    """What happened at the door."""

    MESSAGE = "message"  # a letter, an SMS, a chat message
    FORM = "form"  # a form filled in on the web
    CALL = "call"  # the telephone rang
    CALL_WORDS = "call_words"  # the caller said what the matter is
    CALL_BACK = "call_back"  # the caller asked to be called back
    CALL_ENDED = "call_ended"  # the line is down


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a person, normalised so that equal people compare equal."""

    kind: AddressKind
    value: str  # "" when withheld
    verified_by: Verification = Verification.CLAIMED

    @property
    def is_known(self) -> bool:
        return self.kind is not AddressKind.NONE and self.value != ""


NO_ADDRESS = Address(AddressKind.NONE, "")


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came with a contact; its bytes stand in the raw contact."""

    filename: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class InboundContact:
    """One contact as every room reads it, whatever the provider called its fields.

    external_id      the provider's own id; (adapter, kind, external_id) is unique for ever
    sender           the address to answer to
    also             other addresses that the person gave (a phone number typed into a form)
    conversation     joins steps of one call or chat: CallSid, chat id, "" where there is none
    mailbox          which of our addresses it was sent to
    ticket_token     number of the ticket that a signed token of ours named, "" for none
    refers_to        Message-IDs that the letter answers, newest first
    requested_kind   a ticket kind that the citizen chose, "" when not asked
    is_machine       bounce, auto-reply, list: kept, never acknowledged
    occurred_at      when the provider says it happened; None when it does not say
    """

    adapter: str
    channel: Channel
    kind: ContactKind
    external_id: str
    sender: Address
    name: str = ""
    subject: str = ""
    text: str = ""
    language: str = ""
    also: tuple[Address, ...] = ()
    conversation: str = ""
    mailbox: str = ""
    ticket_token: str = ""
    refers_to: tuple[str, ...] = ()
    requested_kind: str = ""
    location: str = ""
    is_machine: bool = False
    occurred_at: datetime | None = None
    attachments: tuple[Attachment, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


# ── requests and answers, free of any web framework ──


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A provider's HTTP request, as it came.

    path_and_query  raw, as sent: signatures are made over it
    headers         names in lower case
    """

    method: str
    path_and_query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """What the provider is told."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class ForgedRequestError(Exception):
    """The request is not from the provider: its signature is missing or wrong."""


class UnreadableContactError(Exception):
    """The request is genuine, but no contact could be read from it; it is kept for a person."""


class RefusedContactError(UnreadableContactError):
    """The sender is told at once what to change and can send it again; nothing is kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contact, for the answer to the provider.

    ticket_number    None while the contact is pending
    receipt          a number to give the citizen in any case
    is_repeat        the same contact had come before; the answer is the one it got then
    """

    external_id: str
    kind: ContactKind
    receipt: str
    is_repeat: bool = False
    ticket_number: str | None = None
    lookup_code: str = ""
    language: str = "en"


# ── outbound ──


class Purpose(StrEnum):
    """Why a message goes out; opt-outs and quiet hours depend on it."""

    ACKNOWLEDGEMENT = "acknowledgement"
    QUESTION = "question"  # which ticket do you mean?
    ANSWER = "answer"
    REVISIT = "revisit"
    NOTICE = "notice"
    ALARM = "alarm"  # to the office itself


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message to deliver. `id` is ours and stays the same through every retry.

    reply_token   for channels that can carry it back (a plus address); "" for none
    message_id    the Message-ID to use, fixed when the message was queued; email only
    in_reply_to   Message-IDs of the thread, newest last; email only
    """

    id: str
    channel: Channel
    to: Address
    purpose: Purpose
    subject: str
    text: str
    language: str = "en"
    mailbox: str = ""
    reply_token: str = ""
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    provider_id: str


class SendError(Exception):
    """Delivery did not succeed; the subclass says what to do next. The text holds no citizen's data."""


class RetryableSendError(SendError):
    """Not now: the provider is busy or out of reach, and certainly did not take the message."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class PermanentSendError(SendError):
    """Never: the provider refuses this message."""


class OptedOutError(SendError):
    """The citizen asked for no more messages on this channel."""


class UnreachableError(SendError):
    """Nobody is at that address: blocked, gone, not a mobile."""


class UnknownOutcomeError(SendError):
    """The provider may have taken it; a person or the provider must say, it is never resent blindly."""


# ── the adapter ──


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a door can do; the domain asks these and never asks for a provider by name.

    can_send          messages can go out through it
    speaks_at_once    the citizen is answered while the contact is being taken (a call, a form), so the
                      acknowledgement needs no message
    max_text          characters of one message, None for no limit
    """

    can_send: bool
    speaks_at_once: bool = False
    max_text: int | None = None


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """One line of `hotline channels`.

    address   what a citizen uses: a number, a mailbox, a bot's name, a page
    inbound   where the provider must deliver: a URL or host:port
    detail    a sentence with the remedy when health is not ok
    """

    name: str
    kind: Channel
    address: str
    inbound: str
    health: Health
    detail: str = ""


@runtime_checkable
class Sender(Protocol):
    """Delivers messages. `send` blocks, has a timeout, and is called with no transaction open."""

    name: str

    def send(self, message: OutboundMessage) -> Sent:
        """Deliver, or raise one of the `SendError`s."""
        ...


@runtime_checkable
class Adapter(Protocol):
    """One door. Adapters that take no HTTP (email) leave `paths` empty.

    name      unique, stable: it is part of every contact's key
    paths     HTTP paths that the provider posts to, each "/channels/<name>/…"
    """

    name: str
    channel: Channel
    capabilities: Capabilities
    paths: tuple[str, ...]
    max_body: ClassVar[int]

    def verify(self, request: RawRequest) -> None:
        """Return when the request is from the provider, else raise `ForgedRequestError`; never anything else."""
        ...

    def parse(self, request: RawRequest) -> list[InboundContact]:
        """Return the contacts in a verified request; pure. Raises `UnreadableContactError`."""
        ...

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:
        """Return the answer after the commit. `outcomes` is empty when nothing could be read."""
        ...

    def status(self) -> ChannelStatus:
        """Return where the door stands and whether its settings are complete; no network."""
        ...


# ── what the hotline hands to its doors ──


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider is told, and what became of each contact."""

    response: RawResponse
    outcomes: tuple[Outcome, ...] = ()


class Reception(Protocol):
    """Takes one request through verify → keep → parse → accept → commit → ack. Never raises for bad input."""

    async def __call__(self, adapter_name: str, request: RawRequest) -> Reply: ...
