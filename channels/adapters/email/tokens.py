"""Signed plus addresses: a citizen who answers our letter lands on the same ticket."""

from __future__ import annotations

import re

from foundation.security import equals, signature

_SIGNS = 12  # of the hex HMAC: 48 bits, tried one letter at a time
_PLUS_PART = re.compile(r"(?P<number>[0-9]{4}-[0-9]{1,12})\.(?P<sign>[0-9a-f]{12})")


def reply_address(mailbox: str, ticket_number: str, key: str) -> str:
    """Return the address that leads an answer to the ticket: hotline+2026-000123.<12 hex>@city.example."""
    local, _, domain = mailbox.rpartition("@")
    return f"{local}+{ticket_number}.{_sign(mailbox, ticket_number, key)}@{domain}"


def ticket_number_of(recipient: str, key: str) -> str:
    """Return the number of the ticket that `recipient` leads to; "" when it carries none or a forged one."""
    mailbox, plus_part = split_recipient(recipient)
    found = _PLUS_PART.fullmatch(plus_part)
    if found is None:
        return ""
    number = found["number"]
    return number if equals(found["sign"], _sign(mailbox, number, key)) else ""


def split_recipient(recipient: str) -> tuple[str, str]:
    """Return mailbox and plus part, lower case: hotline+abc@city.example → (hotline@city.example, abc)."""
    local, _, domain = recipient.lower().rpartition("@")
    name, _, plus_part = local.partition("+")
    return f"{name}@{domain}", plus_part


def _sign(mailbox: str, ticket_number: str, key: str) -> str:
    return signature(key, "reply address", mailbox.lower(), ticket_number)[:_SIGNS]
