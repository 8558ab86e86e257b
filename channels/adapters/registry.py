"""Every door, one line each. A new channel is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import process

from channels.adapters import console, telegram, web
from channels.adapters.email import adapter as email_adapter
from channels.adapters.email import sending as email_sending
from channels.adapters.email import settings as email_settings
from channels.adapters.twilio import sms, voice
from channels.contract import Adapter, Channel, Sender
from foundation.clock import Clock, SystemClock
from foundation.settings import Block, Settings, SettingsError, parse_block

CONSOLE_FOLDER = Path("var/console")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a door is made: its channel, its settings block, its class, the settings that name secret files, and who delivers for it."""

    channel: Channel
    settings: type[Block]
    make: Callable[[Any, Settings], Adapter]
    secret_files: tuple[str, ...] = ()
    sender: Callable[[Any, Settings, Clock, Any], Sender] | None = None


def _itself(_block: Any, _settings: Settings, _clock: Clock, adapter: Any) -> Sender:
    return adapter  # type: ignore[no-any-return]


def _relay(block: Any, settings: Settings, clock: Clock, _adapter: Any) -> Sender:
    return email_sending.SmtpSender(block, settings, now=clock.now)


KINDS: dict[str, Kind] = {
    "email": Kind(Channel.EMAIL, email_settings.EmailSettings, email_adapter.EmailAdapter, email_settings.SECRET_FILES, _relay),
    "twilio_sms": Kind(Channel.SMS, sms.TwilioSmsSettings, sms.TwilioSms, sms.SECRET_FILES, _itself),
    "twilio_voice": Kind(Channel.PHONE, voice.TwilioVoiceSettings, voice.TwilioVoice, voice.SECRET_FILES),
    "telegram": Kind(Channel.TELEGRAM, telegram.TelegramSettings, telegram.Telegram, telegram.SECRET_FILES, _itself),
    "web": Kind(Channel.WEB, web.WebSettings, web.Web, web.SECRET_FILES),
}
SETTINGS_MODELS: dict[str, type[Block]] = {name: kind.settings for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors that are open, and those that the settings keep shut (their blocks only)."""

    adapters: dict[str, Adapter]
    senders: dict[Channel, Sender]
    blocks: dict[str, Block]

    def block(self, name: str) -> Any:
        """Return the settings block of a door, open or shut."""
        return self.blocks[name]


def open_doors(settings: Settings, clock: Clock | None = None) -> Doors:
    """Return every enabled door. Raises SettingsError when one lacks its secret, with the remedy."""
    blocks = channel_blocks(settings)
    adapters: dict[str, Adapter] = {}
    senders: dict[Channel, Sender] = {}
    for name, kind in KINDS.items():
        block = blocks[name]
        if not block.enabled:  # type: ignore[attr-defined]
            continue
        adapter = adapters[name] = kind.make(block, settings)
        if adapter.capabilities.can_send and kind.sender is not None:
            is_console = getattr(block, "deliver", "") == "console"
            twin = console.ConsoleSender(adapter.channel, CONSOLE_FOLDER)
            senders[adapter.channel] = twin if is_console else kind.sender(block, settings, clock or SystemClock(), adapter)
    return Doors(adapters, senders, blocks)


def channel_blocks(settings: Settings) -> dict[str, Block]:
    """Return the settings block of every door, defaults where settings.toml says nothing."""
    unknown = settings.channels.keys() - KINDS.keys()
    if unknown:
        name = min(unknown)
        nearest = process.extractOne(name, list(KINDS))
        hint = f"; did you mean {nearest[0]!r}?" if nearest and nearest[1] >= 50 else ""
        raise SettingsError(f"nobody knows the block [channels.{name}]{hint}")
    return {name: parse_block(kind.settings, settings.channels.get(name, {}), where=f"[channels.{name}]") for name, kind in KINDS.items()}
