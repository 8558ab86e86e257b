"""Messages to the hotline's Telegram bot.

Source    core.telegram.org/bots/api#update, core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import PositiveFloat

from channels.contract import (
    NO_ADDRESS,
    Address,
    AddressKind,
    Attachment,
    Capabilities,
    Channel,
    ChannelStatus,
    ContactKind,
    ForgedRequestError,
    Health,
    InboundContact,
    OutboundMessage,
    Outcome,
    PermanentSendError,
    RawRequest,
    RawResponse,
    RetryableSendError,
    SendError,
    Sent,
    UnknownOutcomeError,
    UnreachableError,
    UnreadableContactError,
    Verification,
)
from channels.reading import clean_text, external_id, phone_address
from foundation.security import equals
from foundation.settings import Block, Settings, SettingsError, secret

if TYPE_CHECKING:
    from telegram import Bot, Contact, Message, Update
    from telegram.error import TelegramError

NAME = "telegram"
PATH = "/channels/telegram/updates"
SECRET_FILES: tuple[str, ...] = ("token_file", "secret_token_file")
SECRET_HEADER = "x-telegram-bot-api-secret-token"
API_BASE_URL = "https://api.telegram.org"
MAX_TEXT = 4096  # UTF-16 units of one message, core.telegram.org/bots/api#sendmessage
FILES = ("animation", "audio", "document", "sticker", "video", "video_note", "voice")
START = re.compile(r"/start( [A-Za-z0-9_-]{0,64})?")  # what the app sends when a chat is opened; it says nothing yet
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class TelegramSettings(Block):
    """[channels.telegram]

    bot_name            the bot's user name without "@", as citizens find it
    token_file          the bot's token from @BotFather
    secret_token_file   what setWebhook was given as secret_token: Telegram sends it with every update
    deliver             "console" writes messages to var/console, "telegram" sends them
    api_base_url        "" for Telegram, or an own Bot API server
    timeout_seconds     for connecting, and again for the answer
    """

    enabled: bool = True
    bot_name: str = "city_example_bot"
    token_file: str = "var/secrets/telegram_token"
    secret_token_file: str = "var/secrets/telegram_secret_token"
    deliver: Literal["console", "telegram"] = "console"
    api_base_url: str = ""
    timeout_seconds: PositiveFloat = 10.0


class Telegram:
    """The Telegram door: private chats with the bot. What happens in groups is none of the hotline's business."""

    max_body: ClassVar[int] = 256 * 1024

    def __init__(self, block: TelegramSettings, settings: Settings) -> None:
        self.name = NAME
        self.channel = Channel.TELEGRAM
        self.capabilities = Capabilities(can_send=True)  # `send` splits what is too long
        self.paths: tuple[str, ...] = (PATH,)
        self._block = block
        self._settings = settings
        self._secret_token = _required_secret(block, "secret_token_file", "a random word, the same as setWebhook was given")
        self._token = _required_secret(block, "token_file", "the token from @BotFather") if block.deliver == "telegram" else ""

    def verify(self, request: RawRequest) -> None:
        given = request.headers.get(SECRET_HEADER, "")
        try:
            is_genuine = self._secret_token != "" and equals(given, self._secret_token)
        except Exception as error:
            # Headers are bytes of strangers: one that is no text must not become a 500.
            raise ForgedRequestError("the secret token cannot be read") from error
        if not is_genuine:
            raise ForgedRequestError("the secret token is missing or wrong")

    def parse(self, request: RawRequest) -> list[InboundContact]:
        try:
            contact = self._contact(_update(request.body))
        except UnreadableContactError:
            raise
        except Exception as error:
            # The library checks no types: a malformed update raises whatever it happens to hit.
            # Kept and answered with 200, for Telegram holds back all other updates until it is taken.
            raise UnreadableContactError(f"the update is malformed ({type(error).__name__})") from error
        return [contact] if contact else []

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:  # noqa: ARG002 - the same answer to all
        return RawResponse()

    def status(self) -> ChannelStatus:
        base_url = self._settings.server.public_base_url
        health, detail = Health.OK, ""
        if not self._block.enabled:
            health = Health.OFF
        elif self._block.deliver == "telegram" and urlsplit(base_url).hostname in LOOPBACK_HOSTS:
            health = Health.WARNING
            detail = f"Telegram cannot reach {base_url}; set [server] public_base_url to the address that the internet sees"
        return ChannelStatus(NAME, Channel.TELEGRAM, f"@{self._block.bot_name}", base_url.rstrip("/") + PATH, health, detail)

    def send(self, message: OutboundMessage) -> Sent:
        """Deliver one message, in parts when it is long, or raise one of the SendErrors."""
        if message.to.kind is not AddressKind.TELEGRAM or not message.to.value.isdecimal():
            raise PermanentSendError("the recipient has no Telegram id")
        return asyncio.run(self._send(int(message.to.value), split_text(message.text)))

    # ── reading ──

    def _contact(self, update: Update) -> InboundContact | None:
        """Return the contact in an update; None when it has none: a group, a poll, a blocked bot, an opened chat."""
        edited = update.edited_message
        message = update.message or edited
        if message is None or message.chat.type != "private" or message.from_user is None:
            return None
        text = _text(message.text or message.caption)
        attachments, file_ids = _files(message)
        location = _location(message)
        if not (text or attachments or location or message.contact) or START.fullmatch(text):
            return None
        person = message.from_user
        parts = (int(message.chat.id), int(message.message_id))
        return InboundContact(
            adapter=NAME,
            channel=Channel.TELEGRAM,
            kind=ContactKind.MESSAGE,
            external_id=external_id(*parts, "edit", int(edited.edit_date.timestamp()))
            if edited and edited.edit_date
            else external_id(*parts),
            sender=Address(AddressKind.TELEGRAM, str(int(person.id)), Verification.CHANNEL),
            name=_text(person.full_name),
            text=text,
            language=_language(person.language_code),
            also=self._shared_phone(message.contact, person.id),
            conversation=str(message.chat.id),
            mailbox=f"@{self._block.bot_name}",
            location=location,
            occurred_at=edited.edit_date if edited else message.date,
            attachments=attachments,
            details={"update_id": int(update.update_id), "is_edit": edited is not None} | _optional(message, file_ids),
        )

    def _shared_phone(self, card: Contact | None, sender_id: int) -> tuple[Address, ...]:
        """Return the number on a contact card. Only the sender's own card is vouched for; anybody can forward another."""
        if card is None:
            return ()
        is_own = card.user_id == sender_id
        region, digits = self._settings.city.phone_region, _text(card.phone_number)
        verified_by = Verification.CHANNEL if is_own else Verification.CLAIMED
        # Telegram writes its users' numbers with the country code, with or without "+"; others stand as they were typed.
        spellings = (f"+{digits.lstrip('+')}", digits) if is_own else (digits, f"+{digits.lstrip('+')}")
        found = (phone_address(spelling, region, verified_by) for spelling in spellings)
        phone = next((address for address in found if address.is_known), NO_ADDRESS)
        return (phone,) if phone.is_known else ()

    # ── sending ──

    async def _send(self, chat_id: int, parts: list[str]) -> Sent:
        from telegram import Bot
        from telegram.error import TelegramError
        from telegram.request import HTTPXRequest

        os.environ.setdefault("PTB_TIMEDELTA", "1")  # the library's own switch to what RetryAfter will be; without it, it warns
        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs URLs, and the bot's token is in each
        seconds = self._block.timeout_seconds
        request = HTTPXRequest(connect_timeout=seconds, read_timeout=seconds, write_timeout=seconds, pool_timeout=seconds)
        base_url = f"{(self._block.api_base_url or API_BASE_URL).rstrip('/')}/bot"
        bot = Bot(self._token, base_url=base_url, request=request, get_updates_request=request)
        sent_ids: list[str] = []
        try:
            for part in parts:
                sent_ids.append(await _send_part(bot, chat_id, part))  # noqa: PERF401 - what went out must be known when one fails
        except TelegramError as error:
            if sent_ids:
                raise UnknownOutcomeError(f"{len(sent_ids)} of {len(parts)} parts were delivered") from error
            raise _send_error(error) from error
        finally:
            await request.shutdown()
        return Sent(external_id(chat_id, *sent_ids[:1]))


def split_text(text: str) -> list[str]:
    """Return `text` in parts that Telegram takes, cut at line ends or spaces where there are any."""
    parts: list[str] = []
    rest = text
    while _units(rest) > MAX_TEXT:
        cut = _cut(rest)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in (*parts, rest) if part] or [text]


def _cut(text: str) -> int:
    """Return where to cut: the last position at which the head still fits, moved back to a line end or a space."""
    end = min(len(text), MAX_TEXT)
    while _units(text[:end]) > MAX_TEXT:
        end -= max(1, (_units(text[:end]) - MAX_TEXT) // 2)
    for sign in ("\n", " "):
        at_sign = text.rfind(sign, 0, end)
        if at_sign > end // 2:
            return at_sign
    return end


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _required_secret(block: TelegramSettings, field: str, what: str) -> str:
    if not block.enabled:
        return ""
    file = getattr(block, field)
    value = secret("", file, f"[channels.{NAME}] {field}", f"HOTLINE_TELEGRAM_{field.removesuffix('_file').upper()}")
    if not value:
        raise SettingsError(f"[channels.{NAME}] {field}: the file {file} is missing or empty; put {what} there, or set enabled = false")
    return value


def _update(body: bytes) -> Update:
    from telegram import Update  # 28 MB: only an office with a bot pays for it

    return Update.de_json(json.loads(body), None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnreadableContactError("a text of the update is not a text")
    return clean_text(value)


def _language(code: Any) -> str:
    """Return "zh" or "en" for an IETF tag as the app sends it, "" for any other."""
    word = _text(code).lower().split("-")[0]
    return word if word in {"zh", "en"} else ""


def _location(message: Message) -> str:
    if message.venue is not None:
        return f"{_text(message.venue.title)}, {_text(message.venue.address)}"
    if message.location is None:
        return ""
    return f"{float(message.location.latitude):.6f},{float(message.location.longitude):.6f}"


def _files(message: Message) -> tuple[tuple[Attachment, ...], list[str]]:
    """Return what is attached, and the ids by which it can be fetched; never its URL, for that holds the bot's token."""
    files: list[tuple[str, Any]] = [(kind, getattr(message, kind)) for kind in FILES if getattr(message, kind) is not None]
    if message.photo:
        files.append(("photo.jpg", message.photo[-1]))  # the largest size is the last
    attachments = tuple(
        Attachment(
            filename=_text(getattr(file, "file_name", None))[:200] or kind,
            content_type=_text(getattr(file, "mime_type", None))[:100] or "application/octet-stream",
            size=int(file.file_size or 0),
        )
        for kind, file in files
    )
    return attachments, [_text(file.file_id) for _, file in files]


def _optional(message: Message, file_ids: list[str]) -> dict[str, Any]:
    values = {"file_ids": file_ids, "media_group_id": _text(message.media_group_id)}
    return {key: value for key, value in values.items() if value}


async def _send_part(bot: Bot, chat_id: int, text: str) -> str:
    return str((await bot.send_message(chat_id=chat_id, text=text)).message_id)


def _send_error(error: TelegramError) -> SendError:
    """Return what an error of the library means for the message. Source: core.telegram.org/bots/api#making-requests"""
    from telegram import error as kinds

    match error:
        case kinds.RetryAfter():
            wait = error.retry_after
            return RetryableSendError("Telegram asks us to wait", after=wait if isinstance(wait, timedelta) else timedelta(seconds=wait))
        case kinds.Forbidden():
            return UnreachableError("the citizen has blocked the bot or left")
        case kinds.BadRequest() if "chat not found" in error.message.lower():
            return UnreachableError("Telegram knows no such chat")
        case kinds.BadRequest() | kinds.ChatMigrated():
            return PermanentSendError(f"Telegram refused the message ({type(error).__name__})")
        case kinds.InvalidToken():
            return RetryableSendError(f"Telegram does not know the bot; check [channels.{NAME}] token_file")
        case kinds.NetworkError():
            return _network_error(error)
    return UnknownOutcomeError("Telegram's answer cannot be read")


def _network_error(error: TelegramError) -> SendError:
    """Return retryable when the request certainly was not taken, else unknown."""
    import httpx

    cause = error.__cause__
    if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return RetryableSendError("Telegram cannot be reached")
    if isinstance(cause, httpx.HTTPError):
        return UnknownOutcomeError("the connection to Telegram broke after the message was sent")
    if "timeout" in error.message.lower():  # 504: what stands behind the gateway may have taken it
        return UnknownOutcomeError("Telegram's gateway timed out")
    return RetryableSendError("Telegram answered with a server error")
