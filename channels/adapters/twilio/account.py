"""The Twilio account behind both doors: its settings, its secret, its callers' numbers."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from channels.contract import NO_ADDRESS, Address, Channel, ChannelStatus, Health
from channels.reading import phone_address
from foundation.settings import Block, Settings, SettingsError, secret

DEMO_ACCOUNT_SID = "AC" + "0" * 32
MAX_BODY = 64 * 1024  # a webhook of Twilio has some 2 KB
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

# ANONYMOUS, BLOCKED, RESTRICTED, UNAVAILABLE, UNKNOWN, as they come when a carrier types them on a keypad.
WITHHELD = frozenset({"+266696687", "+2562533", "+7378742833", "+86282452253", "+8656696"})


class TwilioBlock(Block):
    """Settings that both doors have.

    number            our number, E.164
    account_sid       "AC" and 32 hex digits, from the Twilio console
    auth_token_file   the account's auth token; several, one a line, while they are being rotated, the newest first
    """

    enabled: bool = True
    number: str = "+861012345000"
    account_sid: Annotated[str, Field(pattern="^AC[0-9a-fA-F]{32}$")] = DEMO_ACCOUNT_SID
    auth_token_file: str = "var/secrets/twilio_auth_token"


def auth_tokens(block: TwilioBlock, name: str) -> tuple[str, ...]:
    """Return the auth tokens that a request may be signed with, the newest first.

    name     the settings block, for the error
    Raises   SettingsError when an enabled door has none
    """
    if not block.enabled:
        return ()
    text = secret("", block.auth_token_file, f"[channels.{name}] auth_token_file", "HOTLINE_TWILIO_AUTH_TOKEN")
    tokens = tuple(text.split())
    if not tokens:
        raise SettingsError(
            f"[channels.{name}] auth_token_file: the file {block.auth_token_file} is missing or empty; "
            "put your Twilio auth token there, or set enabled = false"
        )
    return tokens


def caller(form: dict[str, str], region: str) -> Address:
    """Return who calls or writes, or NO_ADDRESS for a withheld number, a short code, a name."""
    number = form.get("From", "")
    return NO_ADDRESS if number in WITHHELD else phone_address(number, region)


def door_status(block: TwilioBlock, settings: Settings, *, name: str, channel: Channel, path: str) -> ChannelStatus:
    """Return the line of `hotline channels` for one of the two doors."""
    base_url = settings.server.public_base_url
    health, detail = Health.OK, ""
    if not block.enabled:
        health = Health.OFF
    elif block.account_sid != DEMO_ACCOUNT_SID and urlsplit(base_url).hostname in LOOPBACK_HOSTS:
        health = Health.WARNING
        detail = f"Twilio cannot reach {base_url}; set [server] public_base_url to the address that the internet sees"
    return ChannelStatus(name, channel, block.number, base_url.rstrip("/") + path, health, detail)
